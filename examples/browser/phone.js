// A telephone in a page: JsSIP speaks SIP over the WebSocket, the browser itself speaks WebRTC.
//
// Two things here are beyond a plain JsSIP phone. A call survives the loss of the network: as soon as the phone is
// registered again, it is renegotiated with an ICE restart. And it survives a reload of the page: what names the
// dialog (RFC 3261, 12) is kept in the session storage, and the page that comes back sends a re-INVITE inside it.

import JsSIP from "jssip";

const KEPT = "softswitch-call";
// The page that was before may have sent requests whose numbers nobody has noted.
const CSEQ_LEAP = 1000;
const MEDIA = { audio: true, video: false };
// The switch is reached directly; no STUN server is needed to find out how it sees us.
const CONNECTION = { iceServers: [] };

export class Phone extends EventTarget {
  // `audio` is the element that plays what is heard.
  constructor(audio) {
    super();
    this.audio = audio;
    this.agent = null;
    this.session = null;
    this.state = "offline"; // registered, calling, ringing, talking
    this.lost = false;
    this.recovered = 0; // times that the network was lost and found
  }

  // `url` of the WebSocket, `uri` such as sip:201@example.com, `password`.
  start({ url, uri, password, name = "" }) {
    this.agent = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(url)],
      uri,
      password,
      display_name: name,
      register: true,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 10,
    });
    this.agent.on("registered", () => this.onRegistered());
    this.agent.on("registrationFailed", (event) => this.tell("offline", event.cause));
    this.agent.on("disconnected", () => this.onDisconnected());
    this.agent.on("newRTCSession", (event) => this.onSession(event));
    window.addEventListener("online", () => this.reconnect());
    this.agent.start();
  }

  call(target) {
    this.agent.call(target, { mediaConstraints: MEDIA, pcConfig: CONNECTION });
  }

  answer() {
    this.session.answer({ mediaConstraints: MEDIA, pcConfig: CONNECTION });
  }

  hangUp() {
    this.session?.terminate();
  }

  hold(held) {
    return held ? this.session.hold() : this.session.unhold();
  }

  // A key as telephone-event (RFC 4733).
  press(key) {
    this.session.sendDTMF(key, { transportType: "RFC2833", duration: 120, interToneGap: 80 });
  }

  // The address of this machine has changed, or may have: a connection that looks alive leads nowhere.
  reconnect() {
    this.lost = true;
    this.agent.transport.disconnect();
    this.agent.transport.connect();
  }

  // ----- what happens

  onRegistered() {
    if (this.session === null) {
      this.tell("registered");
      this.recover();
    } else if (this.lost && this.session.isEstablished()) {
      this.lost = false;
      this.session.renegotiate({ rtcOfferConstraints: { iceRestart: true } }, () => {
        this.recovered += 1;
        this.tell(this.state, "recovered");
      });
    }
  }

  onDisconnected() {
    this.lost = true;
    if (this.session === null) {
      this.tell("offline");
    }
  }

  onSession({ session, originator, request }) {
    if (this.session !== null) {
      session.terminate({ status_code: 486 });
      return;
    }
    this.session = session;
    const incoming = originator === "remote";
    session.on("peerconnection", ({ peerconnection }) => this.listen(peerconnection));
    if (session.connection) {
      this.listen(session.connection);
    }
    // Without servers every candidate is known at once; a network that is gone must not keep the call waiting.
    session.on("icecandidate", ({ ready }) => setTimeout(ready, 500));
    session.on("accepted", ({ response }) => {
      keep(incoming ? ofIncoming(session, request) : ofOutgoing(response));
    });
    session.on("confirmed", () => this.onConfirmed(session));
    session.on("ended", ({ cause }) => this.onEnded(cause));
    session.on("failed", ({ cause }) => this.onEnded(cause));
    this.tell(incoming ? "ringing" : "calling", session.remote_identity?.toString());
  }

  // SIP is done; the two hear each other when ICE and DTLS are, too.
  onConfirmed(session) {
    const connection = session.connection;
    const tell = () => {
      if (this.session === session && this.state !== "talking" && connection.connectionState === "connected") {
        this.tell("talking");
      }
    };
    connection.addEventListener("connectionstatechange", tell);
    tell();
  }

  onEnded(cause) {
    this.session = null;
    this.lost = false;
    sessionStorage.removeItem(KEPT);
    this.tell(this.agent.isRegistered() ? "registered" : "offline", cause);
  }

  listen(connection) {
    connection.addEventListener("track", ({ track, streams }) => {
      this.audio.srcObject = streams[0] ?? new MediaStream([track]);
      this.audio.play();
    });
  }

  // The call that was going on when the page was loaded anew: its INVITE becomes one inside the dialog.
  recover() {
    const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "null");
    if (kept === null) {
      return;
    }
    const session = this.agent.call(kept.target, { mediaConstraints: MEDIA, pcConfig: CONNECTION });
    session.on("sending", ({ request }) => {
      request.call_id = kept.callId;
      request.cseq = kept.cseq + CSEQ_LEAP;
      request.from.setParam("tag", kept.localTag);
      request.to.setParam("tag", kept.remoteTag);
      request.setHeader("call-id", request.call_id);
      request.setHeader("cseq", `${request.cseq} INVITE`);
      request.setHeader("from", request.from.toString());
      request.setHeader("to", request.to.toString());
    });
  }

  tell(state, detail = "") {
    this.state = state;
    this.dispatchEvent(new CustomEvent("state", { detail: { state, detail } }));
  }
}

function keep(dialog) {
  sessionStorage.setItem(KEPT, JSON.stringify(dialog));
}

function ofOutgoing(response) {
  return {
    callId: response.call_id,
    localTag: response.from_tag,
    remoteTag: response.to_tag,
    target: response.parseHeader("contact").uri.toString(),
    cseq: response.cseq,
  };
}

function ofIncoming(session, request) {
  return {
    callId: request.call_id,
    localTag: request.to_tag,
    remoteTag: request.from_tag,
    target: request.parseHeader("contact").uri.toString(),
    cseq: 1,
  };
}

// ----- the page

const of = (id) => document.getElementById(id);
const phone = new Phone(of("heard"));
window.phone = phone;

phone.addEventListener("state", ({ detail: { state, detail } }) => {
  of("state").textContent = detail ? `${state}: ${detail}` : state;
  of("answer").disabled = state !== "ringing";
  of("call").disabled = state !== "registered";
  of("hangup").disabled = !["calling", "ringing", "talking"].includes(state);
});
of("account").addEventListener("submit", (event) => {
  event.preventDefault();
  phone.start({ url: of("url").value, uri: of("uri").value, password: of("password").value });
});
of("call").addEventListener("click", () => phone.call(of("number").value));
of("answer").addEventListener("click", () => phone.answer());
of("hangup").addEventListener("click", () => phone.hangUp());
for (const key of "123456789*0#") {
  const button = document.createElement("button");
  button.textContent = key;
  button.addEventListener("click", () => phone.press(key));
  of("keys").append(button);
}
