"""The media engine: all legs of a worker, moved by commands, batches of datagrams and a 20 ms tick.

It has no clock and no socket: `now` (seconds, never going back) comes with every call, datagrams come and
go as arrays. Invariants: every Allocate, Play, Record, StopRecord of a running recording, Release and Ping
gets its answer; a command for an unknown leg is ignored; nothing that arrives from the network raises.
IPv4; an address is a 32-bit number in the arrays, so that IPv6 needs an interning table in the I/O shell
and `_address_of` here, and nothing else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from media.clips import Clip
from media.codecs import BUILT_IN
from media.codecs.codec import Codec
from media.coders import Coders
from media.comfort_noise import ComfortNoise
from media.errors import ClipError, CodecError, PortsExhaustedError
from media.inside import JITTER_FRAMES, Inside
from media.key_press import KeyPresses
from media.latching import Latching
from media.legs import NO_EVENTS, NO_PEER, Legs
from media.listen import AUDIO, EVENT, Arrived, Listener, Seen
from media.load import Load
from media.messages import (
    Allocate,
    Allocated,
    AllocateFailed,
    Command,
    Connect,
    Digit,
    Disconnect,
    Event,
    Flash,
    HandshakeFailed,
    Join,
    Latched,
    Leave,
    Measured,
    MediaLost,
    PauseRecord,
    Ping,
    Play,
    Pong,
    Record,
    RecordFailed,
    RecordRoom,
    Rejoined,
    Release,
    Released,
    SendDigits,
    SetRemote,
    Speaking,
    Stop,
    StopRecord,
    WatchSpeech,
)
from media.noise_relay import NoiseRelay
from media.packet import U8, Batch, Bools, Index, Outgoing, empty_outgoing, joined
from media.ports import PortPool
from media.recorder import Recorder
from media.relay import Relay
from media.reports import Reports
from media.rooms import Change, Rooms
from media.sequence import Reception
from media.speech import KEYS, Speech
from media.srtp import Srtp
from media.steady import Steady
from media.telephone_event import FLASH
from media.tone_guard import ToneGuard
from media.webrtc import WebRtc

LOST_CHECK_TICKS = 25
RELAYED_KEY_MS, RELAYED_GAP_MS = 100, 60


class Engine:
    """All legs of one worker.

    `address` is what Allocated tells; `media_timeout_s` is the silence after which MediaLost is reported;
    `seed` fixes SSRCs and starting numbers (tests), None takes them from the system. `jitter_frames` of 20 ms
    are the longest delay of the jitter buffers, 4 to 64. `codecs` are those that are spoken besides G.711.
    """

    def __init__(
        self,
        capacity: int,
        ports: PortPool,
        *,
        address: str,
        recorder: Recorder,
        media_timeout_s: float = 30.0,
        seed: int | None = None,
        jitter_frames: int = JITTER_FRAMES,
        load: Load | None = None,
        codecs: Mapping[str, Codec] = BUILT_IN,
    ) -> None:
        self._legs = legs = Legs(capacity)
        self._ports = ports
        self._address = address
        self._media_timeout_s = media_timeout_s
        self._random = np.random.default_rng(seed)
        cname = self._random.bytes(8).hex().encode()
        self._reception = Reception(capacity)
        self._latching = Latching(legs, ports)
        self._listener = Listener(legs, self._latching, self._reception)
        self._slot_of: dict[int, int] = {}
        self._coders = Coders(legs, codecs)
        self._rooms = Rooms(legs, self._slot_of, self._coders)
        self._noise = ComfortNoise(capacity, self._random, legs.silent)
        self._inside = Inside(legs, recorder, self._rooms, self._noise, jitter_frames)
        self._srtp = Srtp(legs, self._latching)
        self._webrtc = WebRtc(legs, self._latching, self._srtp)
        self._reports = Reports(legs, self._reception, cname, self._random, self._srtp, self._inside.heard)
        self._recorder = recorder
        self._speech = Speech(legs, self._coders)
        self._keys = KeyPresses(capacity)
        self._relay = Relay(legs, self._coders)
        self._noise_relay = NoiseRelay(legs, self._noise, self._relay, self._coders)
        self._guard = ToneGuard(legs, self._inside.detector)
        self._coders.guarded = self._guard.on
        self._steady = Steady(legs, self._reception, self._relay, self._guard.on)
        self._free = list(range(capacity - 1, -1, -1))
        self._events: list[Event] = []
        self._ticks = 0
        self.load = load or Load()
        """What Pong tells; the owner of the clock notes the lateness of ticks there."""
        self._handlers: dict[type[Any], Callable[[Any, float], None]] = {
            Allocate: self._allocate,
            SetRemote: self._set_remote,
            Connect: self._connect,
            Disconnect: self._disconnect,
            Join: self._join,
            Leave: self._leave,
            Play: self._play,
            Stop: self._stop,
            SendDigits: self._send_digits,
            Record: self._record,
            RecordRoom: self._record_room,
            StopRecord: self._stop_record,
            PauseRecord: self._pause_record,
            WatchSpeech: self._watch_speech,
            Release: self._release,
            Ping: self._ping,
        }

    def __len__(self) -> int:
        """Legs."""
        return len(self._slot_of)

    # ----- commands

    def command(self, command: Command, now: float) -> list[Event]:
        """Carry out one command; everything that happened up to now, as by `events`."""
        self._steady.settle()
        self._handlers[type(command)](command, now)
        self._changed()
        return self.events()

    def events(self) -> list[Event]:
        """What happened since the last call."""
        found, self._events = self._events, []
        return found

    def needs(self) -> list[str]:
        """Names of clips that Plays wait for, each told once; the shell loads them and calls `loaded`."""
        return self._speech.needs()

    def loaded(self, name: str, clip: Clip | ClipError) -> None:
        """A clip that was needed, or why it cannot be had."""
        self._steady.settle()
        self._events += self._speech.loaded(name, clip)
        self._changed()

    def _changed(self) -> None:
        """Something that decides who hears what may have changed; what was noted is settled first."""
        self._steady.settle()
        self._relay.changed()
        self._steady.changed()

    def _allocate(self, command: Allocate, now: float) -> None:
        if command.leg in self._slot_of:
            self._fail(command.leg, f"leg {command.leg} is allocated already")
            return
        if not self._free:
            self._fail(
                command.leg,
                f"all {self._legs.capacity} legs of this media worker are in use; raise its capacity",
            )
            return
        slot = self._free[-1]
        number = _address_of(command.address)
        try:
            if command.ice is not None:
                port = self._latching.allocate_for_browser(slot)
            else:
                port = self._latching.allocate(slot, number, command.port if number else 0)
        except PortsExhaustedError as error:
            self._fail(command.leg, str(error))
            return
        self._free.pop()
        ssrc, sequence, timestamp = self._random.integers(1, 1 << 32, 3, np.uint32).tolist()
        self._legs.reset(slot, ssrc, sequence & 0x7FFF, timestamp)
        self._legs.used[slot] = True
        self._legs.leg[slot] = command.leg
        self._legs.local_port[slot] = port
        self._reception.reset(slot)
        self._reports.reset(slot)
        self._inside.reset(slot)
        self._noise.reset(slot)
        self._srtp.reset(slot)
        self._keys.reset(slot)
        self._slot_of[command.leg] = slot
        fingerprint = self._webrtc.allocate(slot, command.ice) if command.ice is not None else ""
        self._events.append(Allocated(command.leg, self._address, port, fingerprint))

    def _fail(self, leg: int, reason: str) -> None:
        self._events.append(AllocateFailed(leg, reason))

    def _set_remote(self, command: SetRemote, now: float) -> None:
        slot = self._slot_of.get(command.leg)
        if slot is None:
            return
        legs = self._legs
        number = _address_of(command.address)
        port = command.port if 0 < command.port < 65536 else 0
        nowhere = port == 0 or command.address == "0.0.0.0"  # hold as of RFC 2543
        if command.browser is not None:
            nowhere = False  # it will be found by its checks
            self._webrtc.set_remote(slot, command.browser)
        else:
            self._srtp.set_keys(slot, command.srtp)
        if command.receive and not legs.receive[slot]:
            legs.heard_at[slot] = now
        try:
            self._coders.settle(slot, command.codec, command.fmtp)
        except CodecError as error:
            self._fail(command.leg, str(error))
            return
        legs.configured[slot] = True
        self._reception.clock(slot, int(legs.scale[slot]))
        legs.payload_type[slot] = command.payload_type & 0x7F
        events = command.event_payload_type
        legs.event_type[slot] = NO_EVENTS if events is None else events & 0x7F
        legs.noise[slot] = command.comfort_noise
        legs.event_clock[slot] = 0 if events is None else command.event_clock_hz
        self._keys.clock(slot, command.event_clock_hz)
        legs.send[slot] = command.send and not nowhere
        legs.receive[slot] = command.receive
        legs.settle(slot)
        if command.browser is None:
            self._latching.signal(slot, number, port, now)
        legs.rtcp_mux[slot], legs.rtcp_xr[slot] = command.rtcp_mux, command.rtcp_xr
        legs.rtcp_reduced[slot] = command.rtcp_reduced
        if 0 < command.rtcp_port < 65536:
            legs.rtcp_port[slot] = command.rtcp_port
        self._listen_for_keys(slot)
        self._reports.start(slot, now)

    def _listen_for_keys(self, slot: int) -> None:
        """The leg, its events or its peer have changed: are keys searched in its audio, and in its peer's?
        Not where both sides of a bridge have events: what they send goes across as it is."""
        legs = self._legs
        for one in {slot, int(legs.peer[slot])} - {NO_PEER}:
            guarded = self._guard.settle(one)
            bridged = legs.peer[one] != NO_PEER
            known = legs.used[one] and legs.configured[one] and not legs.opaque[one]
            spared = bridged and legs.event_type[one] != NO_EVENTS
            self._inside.detect(one, bool(known and not guarded and not spared))

    def _connect(self, command: Connect, now: float) -> None:
        a, b = self._slot_of.get(command.a), self._slot_of.get(command.b)
        if a is None or b is None:
            return
        for slot in (a, b):
            self._part(slot)
        self._legs.peer[a], self._legs.peer[b] = b, a
        self._listen_for_keys(a)
        for slot in {a, b}:
            self._keys.bridged(slot)
            self._events += self._speech.stop(slot)

    def _disconnect(self, command: Disconnect, now: float) -> None:
        slot = self._slot_of.get(command.leg)
        if slot is not None:
            self._part(slot)

    def _join(self, command: Join, now: float) -> None:
        slot = self._slot_of.get(command.leg)
        if slot is None:
            return
        if self._rooms.inside(slot) != command.room:
            self._part(slot)
        self._rearrange(self._rooms.join(slot, command))

    def _leave(self, command: Leave, now: float) -> None:
        slot = self._slot_of.get(command.leg)
        if slot is not None:
            self._rearrange(self._rooms.leave(slot))

    def _rearrange(self, change: Change) -> None:
        for slot, wanted in change.voices:
            self._inside.voice(slot, wanted)
        for slot in change.peers:
            self._keys.bridged(slot)
            self._listen_for_keys(slot)
        self._changed()

    def _part(self, slot: int) -> None:
        """The leg is bridged and in a room no longer."""
        self._rearrange(self._rooms.leave(slot))
        peer = int(self._legs.peer[slot])
        if peer != NO_PEER:
            self._legs.peer[peer] = NO_PEER
            self._legs.peer[slot] = NO_PEER
            self._listen_for_keys(slot)
            self._listen_for_keys(peer)

    def _play(self, command: Play, now: float) -> None:
        slot = self._slot_of.get(command.leg)
        if slot is not None:
            self._events += self._speech.play(slot, command)

    def _stop(self, command: Stop, now: float) -> None:
        slot = self._slot_of.get(command.leg)
        if slot is not None:
            self._events += self._speech.stop(slot)

    def _send_digits(self, command: SendDigits, now: float) -> None:
        slot = self._slot_of.get(command.leg)
        if slot is not None:
            self._events += self._speech.send_keys(slot, command.digits, command.duration_ms, command.gap_ms)

    def _record(self, command: Record, now: float) -> None:
        left, right = self._slot_of.get(command.left), self._slot_of.get(command.right)
        if left is None or right is None:
            gone = command.left if left is None else command.right
            self._events.append(RecordFailed(command.recording, command.path, f"leg {gone} does not exist"))
            return
        failed = self._inside.start(command.recording, left, right, command.path, command.silence_s)
        if failed is not None:
            self._events.append(failed)

    def _record_room(self, command: RecordRoom, now: float) -> None:
        failed = self._inside.start_room(command.recording, command.path)
        if failed is not None:
            self._events.append(failed)
        else:
            self._rearrange(self._rooms.record(command.room, command.recording))

    def _stop_record(self, command: StopRecord, now: float) -> None:
        self._inside.stop(command.recording)
        self._rearrange(self._rooms.stop_record(command.recording))

    def _pause_record(self, command: PauseRecord, now: float) -> None:
        self._recorder.pause(command.recording, command.paused)

    def _watch_speech(self, command: WatchSpeech, now: float) -> None:
        slot = self._slot_of.get(command.leg)
        if slot is not None:
            self._inside.watch(slot, command.wanted)

    def _release(self, command: Release, now: float) -> None:
        slot = self._slot_of.pop(command.leg, None)
        if slot is None:
            return
        self._part(slot)
        self._events += self._speech.release(slot)
        self._inside.stop_of(slot)
        self._inside.watch(slot, False)
        self._inside.detect(slot, False)
        self._reports.release(slot)
        self._latching.release(slot, now)
        self._events.append(Released(command.leg, self._reports.quality(slot)))
        self._webrtc.reset(slot)
        self._srtp.reset(slot)
        self._coders.release(slot)
        self._legs.reset(slot, 0, 0, 0)
        self._free.insert(0, slot)

    def _ping(self, command: Ping, now: float) -> None:
        self._events.append(Pong(command.token, len(self), len(self._ports), *self.load.take(now)))

    # ----- datagrams

    def ingest(self, batch: Batch, now: float) -> Outgoing:
        """Take datagrams that arrived; what is to be sent at once, in rows of the same `data`."""
        if batch.count == 0:
            return empty_outgoing(batch.data)
        if self._srtp.active or self._webrtc.active:
            self._take_secrets(batch, now)
        seen = self._listener.look(batch)
        sent = self._steady.relay(batch, seen, now)
        if seen.left is not None:
            sent = self._take_long_way(batch, seen, sent, now)
        return self._srtp.protect(sent) if self._srtp.active else sent

    def _take_long_way(self, batch: Batch, seen: Seen, swift: Outgoing, now: float) -> Outgoing:
        """Deal with the datagrams that are left; what is to be sent, `swift` included."""
        self._steady.settle()
        parts = [swift, *(self._take(arrived, now) for arrived in self._listener.listen(batch, seen, now))]
        if self._listener.control.size:
            self._reports.receive(batch, self._listener.control)
        if self._reception.begun or self._relay.begun or self._noise.changed:
            self._reception.begun = self._relay.begun = self._noise.changed = False
            self._steady.changed()
        return joined([part for part in parts if part is not None and part.rows.size], batch.data)

    def _take_secrets(self, batch: Batch, now: float) -> None:
        """What browsers need before they can speak; and plain RTP is made of what is encrypted."""
        if self._webrtc.active:
            self._webrtc.take(batch, now)
            if self._webrtc.latched:
                self._listener.latched += self._webrtc.latched
                self._webrtc.latched.clear()
                self._announce_latched()
        if self._srtp.active:
            self._srtp.unprotect(batch)

    def answers(self) -> Outgoing | None:
        """What ICE and DTLS have to say at once; to be asked for after `ingest` and `tick`."""
        return self._webrtc.answers() if self._webrtc.active else None

    def _take(self, arrived: Arrived, now: float) -> Outgoing | None:
        """One packet of each of some legs."""
        if self._listener.latched:
            self._announce_latched()
        allowed = None if arrived.kinds is None else self._take_keys(arrived, arrived.kinds == EVENT, now)
        if arrived.kinds is not None or self._noise.busy:
            self._noise_relay.hear(arrived)
        listening = self._inside.wanted
        if self._coders.busy:
            self._coders.pair()
            arrived, allowed, aside = self._coders.hear(arrived, allowed, listening)
            if aside is not None:
                self._listen(aside)
            if not arrived.slots.size:
                return None
            if listening is not None:
                listening = listening & ~self._coders.paired
        if listening is not None:
            heard = listening[arrived.slots]
            if arrived.kinds is not None:
                heard &= arrived.kinds == AUDIO
            if heard.any():
                self._listen(arrived.select(heard))
        if self._guard.busy:
            self._guard_tones(arrived, now)
        return self._relay.relay(arrived, allowed, now)

    def _listen(self, audio: Arrived) -> None:
        self._inside.put(audio.slots, audio.rows, audio.lengths, audio.timestamps, audio.data, audio.streams)

    def _guard_tones(self, arrived: Arrived, now: float) -> None:
        """Take the keys out of the audio of legs whose peers want them in another way."""
        guarded = self._guard.on[arrived.slots]
        guarded &= self._legs.receive[arrived.slots]
        if arrived.kinds is not None:
            guarded &= arrived.kinds == AUDIO
        if guarded.any():
            slots, codes = self._guard.hear(arrived.select(guarded))
            if slots.size:
                self._report_tones(slots, codes, now)

    def _announce_latched(self) -> None:
        legs = self._legs
        for slot in self._listener.latched:
            if legs.port[slot] != legs.signalled_port[slot]:  # NAT: the signalled RTCP port is as wrong
                legs.rtcp_port[slot] = min(int(legs.port[slot]) + 1, 65535)
            address = str(ipaddress.IPv4Address(int(legs.address[slot])))
            self._events.append(Latched(int(legs.leg[slot]), address, int(legs.port[slot])))
        self._listener.latched.clear()
        self._changed()

    def _take_keys(self, arrived: Arrived, events: Bools, now: float) -> Bools:
        """Report new presses; `events` bool[n]. Returns bool[n]: may be relayed, audio among them."""
        slots, codes, relayable = self._keys.receive(arrived.select(events), now)
        self._report_keys(slots, codes, inband=False)
        allowed = ~events
        allowed[events] = relayable & ~self._guard.on[arrived.slots[events]]
        return allowed

    def _report_tones(self, slots: Index, codes: U8, now: float) -> None:
        """Report keys heard as tones, if no event has told of them."""
        untold = self._keys.heard(slots, codes, now)
        self._report_keys(slots[untold], codes[untold], inband=True)

    def _report_keys(self, slots: Index, codes: U8, inband: bool) -> None:
        """Tell of pressed keys, and send them to peers that want them in another way than they came."""
        legs = self._legs
        for slot, code in zip(slots.tolist(), codes.tolist(), strict=True):
            leg = int(legs.leg[slot])
            if code == FLASH:
                self._events.append(Flash(leg))
            else:
                self._events.append(Digit(leg, KEYS[code], "inband" if inband else "rfc4733"))
            peer = int(legs.peer[slot])
            if not self._guard.on[slot] or not legs.receive[slot]:
                continue
            if not legs.playing[peer] or self._speech.sounding(peer):
                self._events += self._speech.send_keys(peer, KEYS[code], RELAYED_KEY_MS, RELAYED_GAP_MS)
                self._changed()

    # ----- time

    def tick(self, now: float) -> list[Outgoing]:
        """20 ms have passed: what is to be sent. The arrays are good until the next tick."""
        self._steady.settle()
        if self._speech.busy:  # somebody's clip or key may end with this tick
            self._changed()
        spoken, played = self._speech.tick(now)
        self._events += played
        outgoing = [spoken]
        if self._noise.busy:
            self._noise.tick(self._legs.listened())
            outgoing.append(self._noise_relay.tick(now))
            if self._noise.changed:
                self._noise.changed = False
                self._steady.changed()
        slots, codes = self._inside.tick(self._speech.aside)
        if slots.size:
            self._report_tones(slots, codes, now)
        for ended in self._inside.ended():
            if isinstance(ended, RecordFailed):
                self._rearrange(self._rooms.stop_record(ended.recording))
            self._events.append(ended)
        for slot, speaking in self._inside.spoke():
            self._events.append(Speaking(int(self._legs.leg[slot]), speaking))
        outgoing.append(self._rooms.packets(now))
        self._ticks += 1
        if self._webrtc.active:
            self._webrtc.tick()
            for slot, reason in self._webrtc.failed:
                self._events.append(HandshakeFailed(int(self._legs.leg[slot]), reason))
            self._webrtc.failed.clear()
        if self._ticks % LOST_CHECK_TICKS == 0:
            self._find_lost(now)
        reports = self._reports.tick(now)
        for slot in self._reports.measured():
            self._events.append(Measured(int(self._legs.leg[slot]), self._reports.quality(slot)))
        if self._srtp.active:
            outgoing = [self._srtp.protect(one) for one in outgoing]
        return [*outgoing, reports]

    def _find_lost(self, now: float) -> None:
        legs = self._legs
        silent = legs.used & legs.configured & legs.receive
        silent &= now - legs.heard_at > self._media_timeout_s
        since = legs.heard_at
        if self._webrtc.active:
            since = np.minimum(since, self._webrtc.checked_at)
            silent |= self._webrtc.silent(now)
            self._changed()  # nothing more goes to some of them
        lost = np.flatnonzero(silent & ~legs.loss_reported)
        legs.loss_reported[:] = silent
        for slot in lost.tolist():
            self._events.append(MediaLost(int(legs.leg[slot]), round(now - float(since[slot]), 3)))

    def present(self) -> Rejoined:
        """What is there, for another signalling process."""
        return Rejoined(tuple(self._slot_of), self._inside.running)

    def close(self) -> list[Event]:
        """The worker goes down: end the recordings, close the ports. Returns the last events."""
        self._events += self._inside.close()
        self._ports.close()
        return self.events()


def _address_of(text: str) -> int:
    """The IPv4 address as a number; 0 for anything else, which then can only be learned by latching."""
    try:
        return int(ipaddress.IPv4Address(text))
    except ValueError:
        return 0
