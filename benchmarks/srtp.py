"""What an encrypted call costs: a media worker and rtpengine (userspace) decrypt and encrypt every packet.

250 bridged G.711 calls, the two sides of each with another suite (tags of 80 and of 32 bits), so that nobody
can pass packets on as they are. As in `benchmarks.relay`, a figure is the CPU time of the relaying process
divided by the packets that reached the other side, kernel included; both stand ready and are loaded in turns.
"""

from __future__ import annotations

import base64
import contextlib
import secrets
import shutil
import statistics
import tempfile
from collections.abc import Iterator

from benchmarks.harness import MissingPeerError, Row
from benchmarks.relay import Generator, Party, in_turns
from benchmarks.rtpengine import INSTALL, Rtpengine
from media.messages import Allocate, Allocated, Connect, Latched, Ping, Pong, SetRemote, SrtpKeys, SrtpSuite
from tests.support.media_worker import WorkerProcess

CALLS = 250
ROUNDS, RUN_S = 5, 3.0
QUICK_ROUNDS, QUICK_RUN_S = 2, 2.0
SUITES: tuple[SrtpSuite, SrtpSuite] = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
"""Of the two sides of a call."""


def _suite(stream: int) -> SrtpSuite:
    return SUITES[stream % 2]


def _text(key: bytes) -> str:
    return base64.b64encode(key).decode()


@contextlib.contextmanager
def _generator(calls: int) -> Iterator[tuple[Generator, list[bytes]]]:
    """And the keys by which its streams encrypt."""
    made = Generator(2 * calls, "benchmarks.srtp_load")
    keys = [secrets.token_bytes(30) for _ in range(2 * calls)]
    try:
        made.ask({"keys": [[_suite(stream), _text(key)] for stream, key in enumerate(keys)]})
        yield made, keys
    finally:
        made.close()


@contextlib.contextmanager
def worker(calls: int) -> Iterator[Party]:
    """Our media worker. All that it sends by one suite has one key here, by which the generator proves it."""
    with _generator(calls) as (generator, keys), WorkerProcess(pairs=30) as process:
        outbound = {suite: secrets.token_bytes(30) for suite in SUITES}
        for leg, (address, port) in enumerate(zip(generator.addresses, generator.ports, strict=True)):
            srtp = SrtpKeys(_suite(leg), keys[leg], outbound[_suite(leg)])
            process.send(
                Allocate(leg, address, port),
                SetRemote(leg, address, port, port + 1, "PCMU", 0, 101, srtp=srtp),
            )
            local = process.wait_for(Allocated).port
            generator.ask({"to": [[leg, local]]})
            process.wait_for(Latched)
        generator.ask({"hears": [[suite, _text(key)] for suite, key in outbound.items()]})
        process.send(*(Connect(leg, leg + 1) for leg in range(0, 2 * calls, 2)), Ping(1))
        yield Party(generator, process.process.pid, process.wait_for(Pong).ports)


def _sdp(generator: Generator, stream: int, line: str) -> str:
    address = generator.addresses[stream]
    return (
        f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        f"m=audio {generator.ports[stream]} RTP/SAVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
        f"a=crypto:{line}\r\n"
    )


def _line(answer: bytes, suite: str) -> tuple[str, str]:
    """Tag and key of the line with this suite."""
    for text in answer.decode("latin-1").split("a=crypto:")[1:]:
        tag, name, key = text.split("\r\n")[0].split()[:3]
        if name == suite:
            return tag, key.removeprefix("inline:")
    raise RuntimeError(f"rtpengine offers no {suite}: {answer[:300]!r}")


def _port(answer: bytes) -> int:
    return int(answer.split(b"m=audio ")[1].split(b" ")[0])


@contextlib.contextmanager
def rtpengine(calls: int) -> Iterator[Party]:
    """The peer."""
    with contextlib.ExitStack() as stack:
        generator, keys = stack.enter_context(_generator(calls))
        engine = Rtpengine(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.callback(engine.close)
        engine.ask(command="ping")
        hears: list[list[str]] = []
        for call in range(calls):
            a, b = 2 * call, 2 * call + 1
            common = {"call-id": f"call{call}", "from-tag": "a", "ICE": "remove", "DTLS": "off"}
            offered = _sdp(generator, a, f"1 {_suite(a)} inline:{_text(keys[a])}")
            for_b = engine.ask(command="offer", sdp=offered, **common)
            tag, key = _line(for_b, _suite(b))
            hears.append([_suite(b), key])
            answered = _sdp(generator, b, f"{tag} {_suite(b)} inline:{_text(keys[b])}")
            for_a = engine.ask(command="answer", sdp=answered, **{**common, "to-tag": "b"})
            hears.append([_suite(a), _line(for_a, _suite(a))[1]])
            generator.ask({"to": [[a, _port(for_a)], [b, _port(for_b)]]})
        generator.ask({"hears": hears})
        yield Party(generator, engine.process.pid)


def run(quick: bool = False) -> list[Row]:
    """Ours and the peer in turns, under the same load."""
    if shutil.which("rtpengine") is None:
        raise MissingPeerError(INSTALL)
    rounds, run_s = (QUICK_ROUNDS, QUICK_RUN_S) if quick else (ROUNDS, RUN_S)
    ours, peer = in_turns([worker, rtpengine], CALLS, rounds, run_s)
    for party, name in ((ours, "the worker"), (peer, "rtpengine")):
        if not party.samples or party.proved < party.samples:
            raise RuntimeError(
                f"of {party.samples} datagrams of {name}, {party.proved} were what they must be"
            )
    note = (
        f"{CALLS} bridged calls, {SUITES[0]} on one side, {SUITES[1]} on the other: each packet decrypted "
        f"and encrypted, {ours.sent / ours.seconds:.0f} packets/s, kernel included; medians of {rounds} "
        f"rounds of {run_s:.0f} s in turns: ours {ours.spread}, peer {peer.spread}; {ours.samples} datagrams "
        "of each were decrypted and are what was sent; generator at "
        f"{statistics.median(ours.generator_cpu):.0%} of a core, at most {ours.late_ms:.1f} ms late; "
        f"peer's loss {peer.loss:.4%}"
    )
    return [
        Row(
            "srtp", ours.us, "us/packet", "rtpengine (userspace)", peer.us, peer.us / ours.us, ours.loss, note
        )
    ]
