"""SIPp scenarios with moods, for soaks: agents' phones that answer, refuse or ring in vain by chance, callers
who wait until they are served or give up by chance."""

from pathlib import Path

LOAD = Path(__file__).resolve().parents[2] / "benchmarks" / "load"
CSEQ = '<ereg regexp="[0-9]+ INVITE" search_in="hdr" header="CSeq:" check_it="true" assign_to="cseq"/>'
REPLY = """<send><![CDATA[
SIP/2.0 {status}
[last_Via:]
[last_From:]
[last_To:];tag=[pid]a[call_number]
[last_Call-ID:]
CSeq: {cseq}
Content-Length: 0

]]></send>"""
BYE = """<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Max-Forwards: 70
From: "Caller [call_number]" <sip:caller@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 2 BYE
Content-Length: 0

]]></send>
<recv response="200"/>"""
END = '<nop next="end"/>'


def moody_agent(talk_ms: int, *, refuses: float = 0.1, silent: float = 0.15) -> str:
    """Rings; then answers at once and hangs up after `talk_ms`; by chance refuses, or is never answered."""
    text = (LOAD / "agent.xml").read_text().replace("TALK_MS", str(talk_ms))
    text = text.replace("</action>", f"{CSEQ}</action>", 1).replace(
        'variables="bracket"', 'variables="bracket,cseq"'
    )
    answer = text.index('<send retrans="500">')
    chances = f'<nop next="refuse" chance="{refuses}"/><nop next="silent" chance="{silent}"/>'
    text = text[:answer] + chances + text[answer:]
    busy, cancelled = (
        REPLY.format(status=status, cseq="[$cseq]") for status in ("486 Busy", "487 Terminated")
    )
    yes = REPLY.format(status="200 OK", cseq="1 CANCEL").replace("CSeq: 1 CANCEL", "[last_CSeq:]")
    ack = '<recv request="ACK" timeout="5000"/>'
    branches = (
        f'{END}<label id="refuse"/>{busy}{ack}{END}'
        f'<label id="silent"/><recv request="CANCEL"/>{yes}{cancelled}{ack}'
        '<label id="end"/><nop/></scenario>'
    )
    return text.replace("</scenario>", branches)


def moody_caller(patience_ms: int, *, gives_up: float = 0.25, at_once: float = 0.05) -> str:
    """Stays until the other side hangs up, for `patience_ms` at most; by chance for a fifth of that, or not
    at all."""
    text = (LOAD / "caller.xml").read_text()
    waits = '<recv request="BYE" timeout="30000"/>'
    moods = f'<nop next="short" chance="{gives_up}"/><nop next="bye" chance="{at_once}"/>'
    text = text.replace(
        waits, f'{moods}<recv request="BYE" timeout="{patience_ms}" ontimeout="bye" next="served"/>'
    )
    before, served = text.split('next="served"/>')
    branches = (
        f'next="served"/><label id="short"/>'
        f'<recv request="BYE" timeout="{patience_ms // 5}" ontimeout="bye" next="served"/>'
        f'<label id="bye"/>{BYE}{END}<label id="served"/>'
    )
    return before + branches + served.replace("</scenario>", '<label id="end"/><nop/></scenario>')
