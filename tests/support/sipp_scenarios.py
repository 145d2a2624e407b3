"""SIPp scenarios as XML, for `Sipp(directory, scenario)`. Each function says what its scenario does.

Built in pieces, because SIPp has no variables for whole messages. The Request-URI's user is `-s` (`service`).
"""

from pathlib import Path

SDP = """v=0
o=user1 53655765 2353687637 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio {port} RTP/AVP 0 8 101
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
a=ptime:20
"""

MESSAGE = """{start}
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: <sip:sipp@[local_ip]:[local_port]>;tag=[pid]SIPp[call_number]
To: {to}
Call-ID: [call_id]
CSeq: {cseq}
Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>
{headers}Content-Length: [len]

{body}"""

REQUEST_URI = "sip:[service]@[remote_ip]:[remote_port]"
CALLED = f"<{REQUEST_URI}>"
CALLED_TAGGED = f"{CALLED}[peer_tag_param]"


def _scenario(*steps: str) -> str:
    body = "\n".join(steps)
    return f'<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="ours">\n{body}\n</scenario>\n'


def _send(text: str, attributes: str = "") -> str:
    return f"<send {attributes}><![CDATA[\n{text}\n]]></send>"


def _expect(response: int, attributes: str = "") -> str:
    return f'<recv response="{response}" {attributes}/>'


def _invite(port: str = "[media_port]", headers: str = "", cseq: int = 1) -> str:
    body = SDP.format(port=port)
    head = f"Content-Type: application/sdp\n{headers}"
    start = f"INVITE {REQUEST_URI} SIP/2.0"
    text = MESSAGE.format(start=start, to=CALLED, cseq=f"{cseq} INVITE", headers=head, body=body)
    return _send(text, 'retrans="500"')


def _in_dialog(method: str, cseq: int, headers: str = "", body: str = "", retrans: bool = True) -> str:
    start = f"{method} [next_url] SIP/2.0"
    text = MESSAGE.format(start=start, to=CALLED_TAGGED, cseq=f"{cseq} {method}", headers=headers, body=body)
    return _send(text, 'retrans="500"' if retrans else "")


def _in_invite_transaction(method: str, to: str) -> str:
    """CANCEL, or ACK for a refusal: both carry the Via of the INVITE (RFC 3261 sections 9.1 and 17.1.1.3)."""
    own_via = "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]"
    text = MESSAGE.replace(own_via, "[last_Via:]")
    return text.format(
        start=f"{method} {REQUEST_URI} SIP/2.0", to=to, cseq=f"1 {method}", headers="", body=""
    )


PROGRESS = "\n".join(_expect(code, 'optional="true"') for code in (100, 180, 183))
ANSWERED = PROGRESS + "\n" + _expect(200, 'rtd="true" rrs="true"')
ACK = _in_dialog("ACK", 1, retrans=False)
REFUSED = _send(_in_invite_transaction("ACK", CALLED_TAGGED))
BYE = _in_dialog("BYE", 9) + "\n" + _expect(200)


def call(talk_ms: int = 1000, headers: str = "") -> str:
    """INVITE, ACK, silence for `talk_ms`, BYE. `headers` are whole lines, each with its line end."""
    return _scenario(_invite(headers=headers), ANSWERED, ACK, f'<pause milliseconds="{talk_ms}"/>', BYE)


def call_with_audio(mulaw: Path, talk_ms: int) -> str:
    """As `call`, sending the raw mu-law file over and over."""
    stream = f'<nop><action><exec rtp_stream="{mulaw},-1,0"/></action></nop>'
    pause = f'<pause milliseconds="{talk_ms}"/>'
    return _scenario(_invite("[rtpstream_audio_port]"), ANSWERED, ACK, stream, pause, BYE)


def call_with_info_digits(digits: str, talk_ms: int = 500) -> str:
    """As `call`, pressing each key by SIP INFO (application/dtmf-relay), then a pause."""
    steps = []
    for number, digit in enumerate(digits, start=2):
        body = f"Signal={digit}\nDuration=160\n"
        steps += [_in_dialog("INFO", number, "Content-Type: application/dtmf-relay\n", body), _expect(200)]
    bye = _in_dialog("BYE", len(digits) + 2) + "\n" + _expect(200)
    return _scenario(_invite(), ANSWERED, ACK, *steps, f'<pause milliseconds="{talk_ms}"/>', bye)


def call_given_up(ring_ms: int = 500) -> str:
    """Rings for `ring_ms`, then CANCEL; expects 487."""
    ringing = _expect(100, 'optional="true"') + "\n" + _expect(180)
    pause = f'<pause milliseconds="{ring_ms}"/>'
    cancel = _send(_in_invite_transaction("CANCEL", CALLED), 'retrans="500"')
    return _scenario(_invite(), ringing, pause, cancel, _expect(200), _expect(487), REFUSED)


def call_refused(status: int) -> str:
    """INVITE that must be refused with `status`."""
    return _scenario(_invite(), PROGRESS, _expect(status), REFUSED)


def register(expires_s: int = 60) -> str:
    """REGISTER, challenge, REGISTER with digest.

    Pass `-au USER -ap PASSWORD` as extra and USER as `service`.
    """
    aor = "<sip:[service]@[remote_ip]>"
    text = MESSAGE.replace("<sip:sipp@[local_ip]:[local_port]>;tag", f"{aor};tag").replace(
        "Contact: <sip:sipp@", "Contact: <sip:[service]@"
    )
    start = "REGISTER sip:[remote_ip]:[remote_port] SIP/2.0"
    first = text.format(start=start, to=aor, cseq="1 REGISTER", headers=f"Expires: {expires_s}\n", body="")
    second = text.format(
        start=start, to=aor, cseq="2 REGISTER", headers=f"Expires: {expires_s}\n[authentication]\n", body=""
    )
    challenge = _expect(100, 'optional="true"') + "\n" + _expect(401, 'auth="true"')
    return _scenario(
        _send(first, 'retrans="500"'),
        challenge,
        _send(second, 'retrans="500"'),
        _expect(100, 'optional="true"'),
        _expect(200),
    )


REPLY = """SIP/2.0 {status}
[last_Via:]
[last_From:]
[last_To:];tag=[pid]SIPp[call_number]
[last_Call-ID:]
[last_CSeq:]
{headers}Content-Length: [len]

{body}"""


def called(ring_ms: int = 100) -> str:
    """The called party: rings, answers, confirms the BYE. The extra `-rtp_echo` sends back what it hears."""
    contact = "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>\n"
    answer = f"{contact}Content-Type: application/sdp\n"
    confirmed = REPLY.replace(";tag=[pid]SIPp[call_number]", "").format(status="200 OK", headers="", body="")
    return _scenario(
        '<recv request="INVITE"/>',
        _send(REPLY.format(status="180 Ringing", headers=contact, body="")),
        f'<pause milliseconds="{ring_ms}"/>',
        _send(
            REPLY.format(status="200 OK", headers=answer, body=SDP.format(port="[media_port]")),
            'retrans="500"',
        ),
        '<recv request="ACK"/>',
        '<recv request="BYE"/>',
        _send(confirmed),
    )


def registrar(user: str, password: str, *, until_it_leaves: bool = False) -> str:
    """A registrar of one REGISTER for one user: challenges (MD5), then 200 for the right answer, else 403;
    afterwards, `until_it_leaves`, it challenges and confirms the end of the registration too.
    """
    nonce = "47ebe028cda119c35d4877b383027d28"
    challenge = f'WWW-Authenticate: Digest realm="test", nonce="{nonce}", algorithm=MD5\n'
    verify = f'<verifyauth assign_to="right" username="{user}" password="{password}" />'
    return _scenario(
        '<recv request="REGISTER"/>',
        _send(REPLY.format(status="401 Unauthorized", headers=challenge, body="")),
        f'<recv request="REGISTER"><action>{verify}</action></recv>',
        '<nop test="right" next="yes"/>',
        _send(REPLY.format(status="403 Forbidden", headers="", body=""), 'next="end"'),
        '<label id="yes"/>',
        _send(REPLY.format(status="200 OK", headers="[last_Contact:];expires=60\n", body="")),
        *(
            (
                '<recv request="REGISTER"/>',
                _send(
                    REPLY.format(status="401 Unauthorized", headers=challenge.replace("47e", "58f"), body="")
                ),
                f'<recv request="REGISTER"><action>{verify}</action></recv>',
                _send(REPLY.format(status="200 OK", headers="", body="")),
            )
            if until_it_leaves
            else ()
        ),
        '<label id="end"/>',
        "<nop/>",
    )
