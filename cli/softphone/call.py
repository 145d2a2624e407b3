"""One call of the softphone: its state, and which audio flows where.

Invariant: pjsua2's objects are referenced from here as long as the library may use them, and dropped only by
`release`, which the main loop calls, never from inside a callback. A callback lets no exception out: it would
cross C++ and end the process.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pjsua2 as pj

from cli.softphone import messages

WAV_HEADER_BYTES = 44

MEDIA_STATES: dict[int, Any] = {
    pj.PJSUA_CALL_MEDIA_NONE: "none",
    pj.PJSUA_CALL_MEDIA_ACTIVE: "active",
    pj.PJSUA_CALL_MEDIA_LOCAL_HOLD: "local_hold",
    pj.PJSUA_CALL_MEDIA_REMOTE_HOLD: "remote_hold",
    pj.PJSUA_CALL_MEDIA_ERROR: "error",
}
DIGIT_METHODS: dict[int, Any] = {pj.PJSUA_DTMF_METHOD_SIP_INFO: "info"}


class Sink(Protocol):
    """Where events go; may be called from pjsua2's media threads."""

    def emit(self, event: messages.AnyEvent) -> None: ...


def guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """Turns an exception in a callback of pjsua2 into an `error` event."""

    @functools.wraps(callback)
    def safe(self: Any, *arguments: Any) -> None:
        try:
            callback(self, *arguments)
        except Exception as error:  # noqa: BLE001 - nothing may unwind through C++
            self.sink.emit(messages.Error(text=f"{callback.__name__}: {describe(error)}"))

    return safe


def describe(error: Exception) -> str:
    """The readable part of a pjsua2 error (its str is a pointer) or of any other."""
    info = getattr(error, "info", None)
    return str(info()) if callable(info) else f"{type(error).__name__}: {error}"


class Player(pj.AudioMediaPlayer):
    """A WAV file on its way out."""

    def __init__(self, sink: Sink, number: int, path: str, loop: bool) -> None:
        super().__init__()
        self.sink = sink
        self.number = number
        self.path = path
        self.told = False
        self.createPlayer(path, 0 if loop else pj.PJMEDIA_FILE_NO_LOOP)

    @guarded
    def onEof2(self) -> None:  # noqa: N802 - pjsua2's name
        if not self.told:  # pjsua2 tells each turn of a loop
            self.told = True
            self.sink.emit(messages.Played(call=self.number, path=self.path))


class PhoneCall(pj.Call):
    """One call. `number` is what the pipes call it; `over` is set when the far end is gone."""

    def __init__(self, sink: Sink, account: Any, number: int, call_id: int = pj.PJSUA_INVALID_ID) -> None:
        super().__init__(account, call_id)
        self.sink = sink
        self.number = number
        self.over: messages.Ended | None = None
        self.answer_at: float | None = None
        self.play_path: str | None = None
        self.play_loop = False
        self.record_path: str | None = None
        self.closing: str | None = None  # a recording whose header is being written
        self._audio: Any = None
        self._player: Player | None = None
        self._recorder: Any = None
        self._tones: Any = None
        self._outgoing = call_id == pj.PJSUA_INVALID_ID
        self._counted = [0, 0, 0]
        self._jitter_ms = 0.0

    # ----- what the far end did

    @guarded
    def onCallState(self, _parameter: Any) -> None:  # noqa: N802
        info = self.getInfo()
        if info.state == pj.PJSIP_INV_STATE_EARLY and self._outgoing:
            self.sink.emit(messages.Ringing(call=self.number, status=info.lastStatusCode))
        elif info.state == pj.PJSIP_INV_STATE_CONFIRMED:
            self.sink.emit(messages.Answered(call=self.number))
        elif info.state == pj.PJSIP_INV_STATE_DISCONNECTED:
            sent, received, lost = self._counted
            self.over = messages.Ended(
                call=self.number,
                status=info.lastStatusCode,
                reason=info.lastReason,
                talk_s=info.connectDuration.sec + info.connectDuration.msec / 1000,
                packets_sent=sent,
                packets_received=received,
                packets_lost=lost,
                jitter_ms=self._jitter_ms,
            )

    @guarded
    def onCallMediaState(self, _parameter: Any) -> None:  # noqa: N802
        info = self.getInfo()
        for media in info.media:
            if media.type != pj.PJMEDIA_TYPE_AUDIO:
                continue
            state = MEDIA_STATES.get(media.status, "none")
            codec, remote = "", ""
            if state not in ("none", "error"):
                stream = self.getStreamInfo(media.index)
                codec, remote = stream.codecName, stream.remoteRtpAddress
            self._audio = self.getAudioMedia(media.index) if state == "active" else None
            self._connect()
            self.sink.emit(messages.Media(call=self.number, state=state, codec=codec, remote=remote))

    @guarded
    def onStreamDestroyed(self, parameter: Any) -> None:  # noqa: N802
        rtcp = self.getStreamStat(parameter.streamIdx).rtcp
        for index, count in enumerate((rtcp.txStat.pkt, rtcp.rxStat.pkt, rtcp.rxStat.loss)):
            self._counted[index] += count
        self._jitter_ms = rtcp.rxStat.jitterUsec.mean / 1000

    @guarded
    def onDtmfDigit(self, parameter: Any) -> None:  # noqa: N802
        method = DIGIT_METHODS.get(parameter.method, "rfc4733")
        self.sink.emit(messages.Digit(call=self.number, digit=parameter.digit, method=method))

    # ----- what we do

    def play(self, path: str | None, loop: bool) -> None:
        """From now on, or from when the audio begins, `path` goes to the far end."""
        self._player = None
        self.play_path, self.play_loop = path, loop
        self._connect()

    def record(self, path: str | None) -> None:
        """From now on, or from when the audio begins, the far end goes to `path`."""
        self._finish_recording()
        self.record_path = path
        self._connect()

    def tones(self, digits: str, tone_ms: int, gap_ms: int) -> None:
        """Sends keys as audible tones, mixed with nothing: a file that plays pauses until they are over."""
        if self._audio is None:
            raise ValueError(f"call {self.number} has no audio yet; wait for the event media")
        if self._tones is None:
            self._tones = pj.ToneGenerator()
            self._tones.createToneGenerator(8000, 1)
        vector = pj.ToneDigitVector()
        for digit in digits:
            tone = pj.ToneDigit()
            tone.digit, tone.on_msec, tone.off_msec = digit, tone_ms, gap_ms
            vector.append(tone)
        if self._player is not None:
            self._player.stopTransmit(self._audio)
        self._tones.startTransmit(self._audio)
        self._tones.playDigits(vector)

    def poll(self) -> None:
        """To be called often by the main loop: what pjsua2 does not tell by itself."""
        if self._tones is not None and not self._tones.isBusy():
            self._tones = None
            self._connect()
        if self.closing is not None and _is_closed(Path(self.closing)):
            self.sink.emit(messages.Recorded(call=self.number, path=self.closing))
            self.closing = None

    def release(self) -> None:
        """Drops the audio objects, so that files are closed. The far end must be gone."""
        self._audio = self._player = self._tones = None
        self._finish_recording()

    def _connect(self) -> None:
        """Makes the flows what the fields say; harmless when they already are."""
        if self._audio is None:
            return
        if self.play_path is not None and self._player is None:
            self._player = Player(self.sink, self.number, self.play_path, self.play_loop)
        if self._player is not None and self._tones is None:
            self._player.startTransmit(self._audio)
        if self.record_path is not None and self._recorder is None:
            self._recorder = pj.AudioMediaRecorder()
            self._recorder.createRecorder(self.record_path)
        if self._recorder is not None:
            self._audio.startTransmit(self._recorder)

    def _finish_recording(self) -> None:
        if self._recorder is not None:
            self.closing = self.record_path
        self._recorder = self.record_path = None


def _is_closed(path: Path) -> bool:
    """Whether the header states the file's true length:

    pjsua2 writes it last, some milliseconds after the release.
    """
    try:
        with path.open("rb") as file:
            head = file.read(WAV_HEADER_BYTES)
        length_bytes = path.stat().st_size
    except OSError:
        return False
    return len(head) == WAV_HEADER_BYTES and int.from_bytes(head[4:8], "little") + 8 == length_bytes
