// The telephone of the page, as the tests move it (`web_phone.WebPhone`), with SIP.js as its documentation has it:
// no way round anything of ours.

import { Inviter, Registerer, RegistererState, SessionState, UserAgent } from "sip.js";

const MEDIA = { sessionDescriptionHandlerOptions: { constraints: { audio: true, video: false } } };

class Phone {
  constructor() {
    this.state = "offline"; // registered, calling, ringing, talking
    this.leg = null;
  }

  async start({ url, uri, password }) {
    const address = UserAgent.makeURI(uri);
    this.agent = new UserAgent({
      uri: address,
      transportOptions: { server: url },
      authorizationUsername: address.user,
      authorizationPassword: password,
      sessionDescriptionHandlerFactoryOptions: {
        iceGatheringTimeout: 500,
        peerConnectionConfiguration: { iceServers: [] },
      },
      delegate: { onInvite: (invitation) => this.begin(invitation, "ringing") },
    });
    await this.agent.start();
    const registerer = new Registerer(this.agent);
    registerer.stateChange.addListener((state) => {
      if (state === RegistererState.Registered && this.leg === null) {
        this.tell("registered");
      }
    });
    await registerer.register();
  }

  async call(target) {
    const inviter = new Inviter(this.agent, UserAgent.makeURI(target), MEDIA);
    this.begin(inviter, "calling");
    await inviter.invite();
  }

  async answer() {
    await this.leg.accept(MEDIA);
  }

  async hangUp() {
    await this.leg.bye();
  }

  // A key as telephone-event (RFC 4733).
  press(key) {
    this.leg.sessionDescriptionHandler.sendDtmf(key, { duration: 120, interToneGap: 80 });
  }

  // What the tests ask for statistics.
  get session() {
    return { connection: this.leg.sessionDescriptionHandler.peerConnection };
  }

  begin(call, state) {
    this.leg = call;
    this.tell(state);
    call.stateChange.addListener((now) => {
      if (now === SessionState.Established) {
        this.hear();
      } else if (now === SessionState.Terminated) {
        this.leg = null;
        this.tell("registered");
      }
    });
  }

  // SIP is done; the two hear each other when ICE and DTLS are, too.
  hear() {
    const { peerConnection, remoteMediaStream } = this.leg.sessionDescriptionHandler;
    document.getElementById("heard").srcObject = remoteMediaStream;
    const tell = () => {
      if (peerConnection.connectionState === "connected" && this.state !== "talking") {
        this.tell("talking");
      }
    };
    peerConnection.addEventListener("connectionstatechange", tell);
    tell();
  }

  tell(state) {
    this.state = state;
    document.getElementById("state").textContent = state;
  }
}

window.phone = new Phone();
