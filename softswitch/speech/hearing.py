"""All callers to whom one recogniser listens: their streams, and what becomes of them. Sans-IO.

A caller is announced by `expect` (which phrases) and by his stream (`opened`, with its token), in either
order. Invariant: each ask that was expected has exactly one result (`take_results`); at most `at_once` are
expected; a stream holds a few seconds of audio, and one that nobody expects is closed after EXPECT_S.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from softswitch.speech.endpointing import Endpointer

EXPECT_S = 5.0
MAX_TOKEN = 32

Recognise = Callable[[bytes, Sequence[str]], tuple[str, float]]
IsSpeech = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an ask: a phrase and how sure it is; or why there is none."""

    ask: int
    phrase: str = ""
    confidence: float = 0.0
    error: str = ""


@dataclass(slots=True)
class _Expected:
    phrases: tuple[str, ...]
    until: float


@dataclass(slots=True)
class _Stream:
    """`ask` is 0 until its first line is there."""

    endpointer: Endpointer
    until: float
    ask: int = 0
    line: bytes = b""


@dataclass(slots=True)
class Hearing:
    """One recogniser. Streams are named by the number that the shell gives them."""

    recognise: Recognise
    is_speech: IsSpeech
    at_once: int
    _expected: dict[int, _Expected] = field(default_factory=dict)
    _streams: dict[int, _Stream] = field(default_factory=dict)
    _results: list[Result] = field(default_factory=list)
    _closing: list[int] = field(default_factory=list)

    def expect(self, ask: int, phrases: Sequence[str], now: float) -> None:
        """This caller will be heard."""
        if len(self._expected) >= self.at_once:
            self._results.append(Result(ask, error=f"{self.at_once} callers are listened to already"))
            return
        self._expected[ask] = _Expected(tuple(phrases), now + EXPECT_S)

    def opened(self, stream: int, now: float) -> None:
        """A stream begins; its first line is the number of the ask."""
        if len(self._streams) >= 2 * self.at_once:
            self._closing.append(stream)
            return
        self._streams[stream] = _Stream(Endpointer(self.is_speech), now + EXPECT_S)

    def received(self, stream: int, data: bytes) -> None:
        """Some of its octets."""
        found = self._streams.get(stream)
        if found is None:
            return
        if not found.ask:
            found.line += data
            line, end, data = found.line.partition(b"\n")
            if not end and len(found.line) <= MAX_TOKEN:
                return
            if not end or not line.isdigit() or len(line) > MAX_TOKEN:
                self._end(stream)
                return
            found.ask, found.line = int(line), b""
        utterance = found.endpointer.put(data) if data else None
        expected = self._expected.get(found.ask)
        if utterance is None or expected is None:
            return
        phrase, confidence = self.recognise(utterance, expected.phrases)
        del self._expected[found.ask]
        self._results.append(Result(found.ask, phrase, confidence))
        self._end(stream)

    def closed(self, stream: int) -> None:
        """The stream is over: nobody wants to know any more, or the caller is gone."""
        found = self._streams.pop(stream, None)
        if found is not None and self._expected.pop(found.ask, None) is not None:
            self._results.append(Result(found.ask, error="the audio ended"))

    def deadline(self) -> float | None:
        """When `handle_timer` is due."""
        held = {stream.ask for stream in self._streams.values()}
        times = [one.until for ask, one in self._expected.items() if ask not in held]
        times += [one.until for one in self._streams.values() if one.ask not in self._expected]
        return min(times, default=None)

    def handle_timer(self, now: float) -> None:
        """Give up those whose other half never came."""
        held = {stream.ask for stream in self._streams.values()}
        for ask in [ask for ask, one in self._expected.items() if ask not in held and one.until <= now]:
            del self._expected[ask]
            self._results.append(Result(ask, error="no audio came"))
        for stream, one in list(self._streams.items()):
            if one.ask not in self._expected and one.until <= now:
                self._end(stream)

    def take_results(self) -> list[Result]:
        """What became of asks since the last time."""
        results, self._results = self._results, []
        return results

    def take_closing(self) -> list[int]:
        """Streams to be closed."""
        closing, self._closing = self._closing, []
        return closing

    def _end(self, stream: int) -> None:
        del self._streams[stream]
        self._closing.append(stream)
