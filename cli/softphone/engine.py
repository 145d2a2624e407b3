"""The softphone itself: pjsua2's endpoint, one account, up to four calls.

Invariant: one thread. `poll` runs the library (`threadCnt=0`), and all that its callbacks report is queued
and leaves through `events`, in order; calls are created and released only here.
"""

import time
from collections import deque
from pathlib import Path
from typing import Any

import msgspec
import pjsua2 as pj

from cli.softphone import messages
from cli.softphone.call import PhoneCall, describe, guarded

POLL_MS = 10
RECORDING_CLOSES_S = 2.0
HEADERS = 64
_SRTP = {
    "off": pj.PJMEDIA_SRTP_DISABLED,
    "optional": pj.PJMEDIA_SRTP_OPTIONAL,
    "required": pj.PJMEDIA_SRTP_MANDATORY,
}


class Refusal(Exception):
    """A command that cannot be carried out; the text says why."""


class PhoneAccount(pj.Account):
    """The address that this phone calls from, registered or not."""

    def __init__(self, phone: "Phone", user: str, server: str) -> None:
        super().__init__()
        self.sink = self.phone = phone
        self.user = user
        self.server = server
        self.bound = False
        """The registrar said yes, and has not confirmed the end yet. (pjsua2's own `regIsActive` is False as
        soon as the end is asked for.)"""

    @guarded
    def onRegState(self, parameter: Any) -> None:  # noqa: N802 - pjsua2's name
        self.bound = parameter.code // 100 == 2 and self.getInfo().regIsActive
        if parameter.code // 100 != 2:
            self.sink.emit(messages.RegistrationFailed(status=parameter.code, reason=parameter.reason))
        elif self.bound:
            self.sink.emit(
                messages.Registered(user=self.user, server=self.server, expires_s=parameter.expiration)
            )
        else:
            self.sink.emit(messages.Unregistered())

    @guarded
    def onIncomingCall(self, parameter: Any) -> None:  # noqa: N802
        self.phone.incoming(self, parameter.callId, parameter.rdata.wholeMsg)


class Phone:
    """One softphone.

    `execute` carries out a command, `poll` lets the library work, `events` is what happened.
    """

    def __init__(self, options: messages.Start) -> None:
        self.options = options
        self.events: deque[messages.AnyEvent] = deque()
        self._calls: dict[int, PhoneCall] = {}
        self._ending: dict[int, float] = {}
        self._last_number = 0
        self._endpoint = _start_library(options)
        self._transports = [
            _open_transport(self._endpoint, kind, options)
            for kind in (pj.PJSIP_TRANSPORT_UDP, pj.PJSIP_TRANSPORT_TCP)
        ]
        self._endpoint.libStart()
        self._endpoint.audDevManager().setNullDev()
        _choose_codecs(self._endpoint, options.codecs)
        ports = [self._port(transport) for transport in self._transports]
        self._account = self._make_account(options.user, f"{options.address}:{ports[0]}", None)
        self.emit(messages.Ready(address=options.address, udp_port=ports[0], tcp_port=ports[1]))

    def emit(self, event: messages.AnyEvent) -> None:
        """Queues an event; safe from any thread (deque.append is atomic)."""
        self.events.append(event)

    @property
    def idle(self) -> bool:
        """No call is up or being ended."""
        return not self._calls

    @property
    def unregistered(self) -> bool:
        """No registrar holds a binding of this phone."""
        return not self._account.bound

    def poll(self) -> None:
        """Lets the library work for at most about POLL_MS, then does what is due."""
        self._endpoint.libHandleEvents(POLL_MS)
        now = time.monotonic()
        for call in list(self._calls.values()):
            call.poll()
            if call.over is not None:
                self._end(call, now)
            elif call.answer_at is not None and now >= call.answer_at:
                call.answer_at = None
                self._answer(call, 200)

    def execute(self, command: messages.AnyCommand) -> int | None:
        """Carries out a command; returns the number of a new call. Raises Refusal."""
        try:
            return self._execute(command)
        except pj.Error as error:
            raise Refusal(describe(error)) from error
        except ValueError as error:
            raise Refusal(str(error)) from error

    def _execute(self, command: messages.AnyCommand) -> int | None:
        match command:
            case messages.Register():
                self._register(command)
            case messages.Unregister():
                self._account.setRegistration(False)
            case messages.Call():
                return self._call(command)
            case messages.Answer(code=code):
                self._answer(self._find(command.call), code)
            case messages.Reject(code=code):
                self._answer(self._find(command.call), code)
            case messages.Hangup():
                self._find(command.call).hangup(pj.CallOpParam())
            case messages.Play(path=path, loop=loop):
                self._find(command.call).play(_existing(path), loop)
            case messages.Record(path=path):
                self._find(command.call).record(_writable(path))
            case messages.Digits():
                self._digits(self._find(command.call), command)
            case messages.Hold():
                self._find(command.call).setHold(pj.CallOpParam(True))
            case messages.Resume():
                parameter = _audio_only()
                parameter.opt.flag = pj.PJSUA_CALL_UNHOLD
                self._find(command.call).reinvite(parameter)
            case _:
                raise Refusal("this phone has been started already")
        return None

    def incoming(self, account: PhoneAccount, call_id: int, invite: str) -> None:
        """An INVITE came in (called by the account)."""
        busy = len(self._calls) >= (messages.CALLS if self.options.call_waiting else 1)
        call = PhoneCall(self, account, self._next_number(), call_id)
        self._calls[call.number] = call
        if busy:
            self._answer(call, 486)
            return
        self._prepare(call)
        self._answer(call, 180)
        headers = _headers(invite)
        remote = headers.get("From", "").partition(";tag=")[0]
        self.emit(messages.Incoming(call=call.number, remote=remote, headers=headers))
        if self.options.auto_answer_after_s is not None:
            call.answer_at = time.monotonic() + self.options.auto_answer_after_s

    def leave(self) -> None:
        """Begins the end: hangs up and unregisters. Poll until `idle`, at most for a second or two."""
        for call in self._calls.values():
            if call.over is None:
                call.hangup(pj.CallOpParam())
        if self._account.bound:
            self._account.setRegistration(False)

    def close(self) -> None:
        """Ends the library without waiting for the network."""
        for call in self._calls.values():
            call.release()
        self._endpoint.libDestroy(pj.PJSUA_DESTROY_NO_NETWORK)

    # ----- inside

    def _next_number(self) -> int:
        self._last_number += 1
        return self._last_number

    def _find(self, number: int | None) -> PhoneCall:
        live = [call for call in self._calls.values() if call.over is None]
        wanted = [call for call in live if number is None or call.number == number]
        if not wanted:
            have = ", ".join(str(call.number) for call in live) or "none"
            raise Refusal(f"no call {number if number is not None else 'is up'}; live calls: {have}")
        return wanted[-1]

    def _prepare(self, call: PhoneCall) -> None:
        if self.options.play is not None:
            call.play(_existing(self.options.play), self.options.play_loop)
        if self.options.record is not None:
            path = Path(self.options.record)
            if call.number > 1:
                path = path.with_stem(f"{path.stem}-{call.number}")
            call.record(_writable(str(path)))

    def _register(self, command: messages.Register) -> None:
        # The new one first: pjsua2 deletes an account by its number, and once more when the object dies, but
        # gives the number to the next account.
        account = self._make_account(command.user, command.server, command)
        self._account.shutdown()
        self._account = account

    def _make_account(self, user: str, server: str, registration: messages.Register | None) -> PhoneAccount:
        account = PhoneAccount(self, user, server)
        config = pj.AccountConfig()
        config.idUri = f"sip:{user}@{server}"
        name = registration.display_name if registration is not None else self.options.display_name
        if name:
            quoted = name.replace("\\", "\\\\").replace('"', '\\"')  # RFC 3261, 25.1: quoted-pair
            config.idUri = f'"{quoted}" <{config.idUri}>'
        config.mediaConfig.transportConfig.boundAddress = self.options.address
        config.mediaConfig.transportConfig.port = self.options.rtp_port
        config.mediaConfig.lockCodecEnabled = False
        config.mediaConfig.srtpUse = _SRTP[self.options.srtp]
        config.mediaConfig.srtpSecureSignaling = 0
        config.videoConfig.autoShowIncoming = False
        if registration is not None:
            config.regConfig.registrarUri = f"sip:{server};transport={registration.transport}"
            config.regConfig.timeoutSec = registration.expires_s
            config.regConfig.retryIntervalSec = 0
            config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", user, 0, registration.password))
        account.create(config)
        return account

    def _call(self, command: messages.Call) -> int:
        if len(self._calls) >= messages.CALLS:
            raise Refusal(f"{messages.CALLS} calls are up, which is all that one phone holds")
        call = PhoneCall(self, self._account, self._next_number())
        self._prepare(call)
        parameter = _audio_only()
        for name, value in command.headers.items():
            header = pj.SipHeader()
            header.hName, header.hValue = name, value
            parameter.txOption.headers.append(header)
        uri = command.uri
        if command.transport == "tcp" and "transport=" not in uri:
            uri += ";transport=tcp"
        self._calls[call.number] = call
        try:
            call.makeCall(uri, parameter)
        except pj.Error:
            del self._calls[call.number]
            raise
        return call.number

    def _answer(self, call: PhoneCall, code: int) -> None:
        parameter = _audio_only()
        parameter.statusCode = code
        call.answer_at = None
        call.answer(parameter)

    def _digits(self, call: PhoneCall, command: messages.Digits) -> None:
        wrong = set(command.digits.upper()) - set("0123456789*#ABCD")
        if wrong or not command.digits or len(command.digits) > 32:
            raise Refusal(f"digits: {command.digits!r} must be 1 to 32 of 0-9 * # A-D")
        if command.method == "inband":
            call.tones(command.digits.lower(), command.tone_ms, command.gap_ms)
            return
        parameter = pj.CallSendDtmfParam()
        parameter.digits = command.digits.upper()
        parameter.duration = command.tone_ms
        info = command.method == "info"
        parameter.method = pj.PJSUA_DTMF_METHOD_SIP_INFO if info else pj.PJSUA_DTMF_METHOD_RFC2833
        call.sendDtmf(parameter)

    def _end(self, call: PhoneCall, now: float) -> None:
        """Reports the end once the recording is closed, so that whoever hears `ended` has a complete file."""
        assert call.over is not None
        if call.number not in self._ending:
            self._ending[call.number] = now
            call.release()
            return
        if call.closing is not None:
            if now - self._ending[call.number] < RECORDING_CLOSES_S:
                return
            self.emit(
                messages.Error(text=f"the recording {call.closing} was not closed in {RECORDING_CLOSES_S} s")
            )
        self.emit(call.over)
        del self._calls[call.number], self._ending[call.number]

    def _port(self, transport: int) -> int:
        return int(self._endpoint.transportGetInfo(transport).localName.rpartition(":")[2])


def start(options: messages.Start) -> Phone:
    """A phone that listens. Raises Refusal when it cannot, for instance because a port is taken."""
    if ":" in options.address:  # an assertion in the library would end the process
        raise Refusal(
            f"pjsua2 as it is installed here has no IPv6: give an IPv4 address instead of {options.address}"
        )
    try:
        return Phone(options)
    except pj.Error as error:
        raise Refusal(f"could not start on {options.address}: {describe(error)}") from error


def _start_library(options: messages.Start) -> Any:
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.maxCalls = messages.CALLS
    config.uaConfig.userAgent = "cc-phone"
    config.logConfig.consoleLevel = 0
    config.logConfig.level = 5 if options.log else 0
    if options.log:
        config.logConfig.filename = options.log
    config.medConfig.clockRate = 8000
    config.medConfig.sndClockRate = 8000
    config.medConfig.ecTailLen = 0
    config.medConfig.noVad = True
    # The null device is the clock of all audio. Closed when idle, it would come back only with a file to play
    # or to record, and a call without one would send nothing.
    config.medConfig.sndAutoCloseTime = -1
    endpoint.libInit(config)
    return endpoint


def _open_transport(endpoint: Any, kind: int, options: messages.Start) -> int:
    config = pj.TransportConfig()
    config.port = options.sip_port
    config.boundAddress = options.address
    return int(endpoint.transportCreate(kind, config))


def _choose_codecs(endpoint: Any, names: tuple[str, ...]) -> None:
    """Only the named codecs, the first preferred. Names without a rate mean all rates of that codec."""
    known = [info.codecId for info in endpoint.codecEnum2()]
    for codec in known:
        endpoint.codecSetPriority(codec, 0)
    for rank, name in enumerate(names):
        matching = [codec for codec in known if f"{codec}/".lower().startswith(f"{name}/".lower())]
        if not matching:
            raise Refusal(
                f"codecs: {name!r} is not one of {', '.join(sorted({c.split('/')[0] for c in known}))}"
            )
        for codec in matching:
            endpoint.codecSetPriority(codec, 255 - rank)


def _audio_only() -> Any:
    parameter = pj.CallOpParam(True)
    parameter.opt.audioCount = 1
    parameter.opt.videoCount = 0
    return parameter


def _existing(path: str | None) -> str | None:
    if path is not None and not Path(path).is_file():
        raise Refusal(f"play: there is no file {path}")
    return path


def _writable(path: str | None) -> str | None:
    if path is not None and not Path(path).parent.is_dir():
        raise Refusal(f"record: there is no directory {Path(path).parent}")
    return path


def _headers(message: str) -> dict[str, str]:
    """The header fields of a SIP message as text, the first of each name, for people and tests to look at."""
    headers: dict[str, str] = {}
    for line in message.split("\r\n\r\n", 1)[0].split("\r\n")[1:]:
        name, colon, value = line.partition(":")
        if colon and len(headers) < HEADERS:
            headers.setdefault(name.strip(), value.strip())
    return headers


def decode(line: bytes) -> messages.AnyCommand:
    """One line of input. Raises Refusal, naming what is wrong with it."""
    try:
        return messages.command_decoder.decode(line)
    except msgspec.DecodeError as error:
        raise Refusal(f"not a command: {error}") from error
