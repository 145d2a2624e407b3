"""Terminates codecs that the engine does not have: `python -m media.endpoints.pjsua`, a process of its own.

It is a phone on loopback with four places. Two INVITEs for the same name are the two halves of one leg: one
offers the codec of the phone outside, the other one that the engine has; what comes in by one half goes out
by the other, audio and keys. When one half ends, so does the other.

The only module of the switch that imports pjsua2 (GPL). Its SIP and its RTP are bound to 127.0.0.1, and it
answers only those who know the secret that it was started with, and call `sip:NAME:SECRET@...`. Standard
input: the secret, then any lines, each answered; its end is the end of the process. Standard output: `Ready`,
then an answer to each line.
"""

from __future__ import annotations

import os
import select
import sys
from typing import Any

import msgspec

from media.endpoints.messages import LOOPBACK, PLACES, Ready, Still

POLL_MS = 10
MISSING = (
    "media.endpoint_processes needs pjsua2, which is not installed here: "
    "pip install 'cc-softswitch[phone]' (CPython 3.11 or 3.12 on x86-64 Linux), or leave the key out"
)

try:
    import pjsua2 as pj
except ImportError as error:
    print(f"{MISSING} [{error}]", file=sys.stderr)
    sys.exit(2)


class Half(pj.Call):
    """One half of a leg. No exception leaves a callback: it would cross C++ and end the process."""

    def __init__(self, halves: Halves, account: Any, number: int, name: str) -> None:
        super().__init__(account, number)
        self.halves = halves
        self.name = name
        self.audio: Any = None
        self.over = False

    def onCallState(self, _parameter: Any) -> None:  # noqa: N802 - pjsua2's name
        try:
            info = self.getInfo()
            self.over = info.state == pj.PJSIP_INV_STATE_DISCONNECTED
        except pj.Error:
            self.over = True

    def onCallMediaState(self, _parameter: Any) -> None:  # noqa: N802
        try:
            info = self.getInfo()  # kept: what hangs on it dies with it
            for media in info.media:
                if media.type == pj.PJMEDIA_TYPE_AUDIO and media.status == pj.PJSUA_CALL_MEDIA_ACTIVE:
                    self.audio = self.getAudioMedia(media.index)
            self.halves.connect(self)
        except pj.Error as error:
            complain("the audio of a half cannot be connected", error)

    def onDtmfDigit(self, parameter: Any) -> None:  # noqa: N802
        try:
            other = self.halves.other(self)
            if other is not None:
                other.dialDtmf(parameter.digit)
        except pj.Error as error:
            complain("a key cannot be passed on", error)


class Halves:
    """All halves of this process."""

    def __init__(self) -> None:
        self._all: list[Half] = []

    def add(self, half: Half) -> None:
        """A new one, which is answered at once."""
        self._all.append(half)
        parameter = pj.CallOpParam(True)
        parameter.opt.audioCount, parameter.opt.videoCount = 1, 0
        parameter.statusCode = 200
        half.answer(parameter)

    def other(self, half: Half) -> Half | None:
        """The half that belongs to it."""
        return next(
            (one for one in self._all if one is not half and one.name == half.name and not one.over), None
        )

    def connect(self, half: Half) -> None:
        """Its audio is there: let the two hear each other, if the other one's is there too."""
        other = self.other(half)
        if other is None or half.audio is None or other.audio is None:
            return
        half.audio.startTransmit(other.audio)
        other.audio.startTransmit(half.audio)

    def sweep(self) -> None:
        """Let go of those that are over; their other halves end with them. Not for callbacks."""
        for half in [half for half in self._all if half.over]:
            other = self.other(half)
            self._all.remove(half)
            half.audio = None
            if other is not None:
                other.audio = None
                try:
                    other.hangup(pj.CallOpParam())
                except pj.Error:  # it is ending by itself
                    other.over = True


class Account(pj.Account):
    """Who is called here: anybody who knows the secret."""

    def __init__(self, halves: Halves, secret: str) -> None:
        super().__init__()
        self._halves = halves
        self._secret = secret

    def onIncomingCall(self, parameter: Any) -> None:  # noqa: N802
        try:
            target = parameter.rdata.wholeMsg.split("\r\n", 1)[0].split(" ")[1]
            name, _, secret = target.partition(":")[2].partition("@")[0].partition(":")
            half = Half(self._halves, self, parameter.callId, name)
            if secret != self._secret or not name:
                refusal = pj.CallOpParam()
                refusal.statusCode = 403
                half.hangup(refusal)
                return
            self._halves.add(half)
        except (pj.Error, IndexError) as error:
            complain("a call cannot be taken", error)


def complain(what: str, error: Exception) -> None:
    """One line for the log of the switch."""
    info = getattr(error, "info", None)
    print(f"{what}: {info() if callable(info) else error}", file=sys.stderr, flush=True)


def start(secret: str) -> tuple[Any, Account, Halves, Ready]:
    """The library, listening."""
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.maxCalls = PLACES
    config.logConfig.level = config.logConfig.consoleLevel = 0
    config.medConfig.clockRate = config.medConfig.sndClockRate = 16000  # what G.722 and speex carry
    config.medConfig.ecTailLen = 0
    config.medConfig.noVad = True
    config.medConfig.sndAutoCloseTime = -1  # the null device is the clock of all audio
    endpoint.libInit(config)
    ports = []
    for kind in (pj.PJSIP_TRANSPORT_UDP, pj.PJSIP_TRANSPORT_TCP):
        transport = pj.TransportConfig()
        transport.boundAddress = LOOPBACK
        number = endpoint.transportCreate(kind, transport)
        ports.append(int(endpoint.transportGetInfo(number).localName.rpartition(":")[2]))
    endpoint.libStart()
    endpoint.audDevManager().setNullDev()
    halves = Halves()
    account = Account(halves, secret)
    account_config = pj.AccountConfig()
    account_config.idUri = f"sip:endpoint@{LOOPBACK}:{ports[0]}"
    account_config.mediaConfig.transportConfig.boundAddress = LOOPBACK
    account_config.mediaConfig.lockCodecEnabled = False
    account.create(account_config)
    return endpoint, account, halves, Ready(*ports)


def main() -> int:
    """Until the end of the input."""
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the library prints
    with os.fdopen(os.dup(0), "rb", buffering=0) as lines:
        secret = lines.readline().decode().strip()
    endpoint, _account, halves, ready = start(secret)
    output.write(msgspec.json.encode(ready) + b"\n")
    while True:
        endpoint.libHandleEvents(POLL_MS)
        halves.sweep()
        if select.select([0], [], [], 0)[0]:
            data = os.read(0, 4096)
            if not data:
                return 0
            output.write((msgspec.json.encode(Still()) + b"\n") * data.count(b"\n"))


if __name__ == "__main__":
    try:
        status = main()
    except (pj.Error, BrokenPipeError) as failure:
        complain("the endpoint ends", failure)
        status = 1
    sys.stderr.flush()
    # Not a normal exit: pjsua2's destructors, run by the interpreter in any order, crash.
    os._exit(status)
