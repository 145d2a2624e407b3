"""What the signalling process orders of an engine: legs that come and go, who hears whom, what is played.

Invariant: every Allocate, Play, Record, StopRecord of a running recording, Release and Ping gets its answer;
a command for an unknown leg is ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from media.errors import CodecError, PortsExhaustedError
from media.legs import NO_EVENTS, NO_PEER
from media.messages import (
    Allocate,
    Allocated,
    AllocateFailed,
    Command,
    Connect,
    Disconnect,
    Join,
    Leave,
    PauseRecord,
    Ping,
    Play,
    Pong,
    Record,
    RecordFailed,
    RecordRoom,
    Release,
    Released,
    SendDigits,
    SetRemote,
    Stop,
    StopRecord,
    WatchSpeech,
)
from media.parts import Parts
from media.rooms import Change


class Commands:
    """One method a command; `address` and `ipv6_address` ("": there is none) are what Allocated tells."""

    def __init__(self, parts: Parts, address: str, ipv6_address: str) -> None:
        self._parts = parts
        self._address, self._ipv6_address = address, ipv6_address
        parts.addresses.ipv6 = bool(ipv6_address)
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

    def obey(self, command: Command, now: float) -> None:
        """Carry out one command. Its answers are among the events."""
        parts = self._parts
        parts.steady.pause()
        parts.addresses.make_room()
        self._handlers[type(command)](command, now)
        parts.changed()

    def _allocate(self, command: Allocate, now: float) -> None:
        parts = self._parts
        if command.leg in parts.slot_of:
            self._fail(command.leg, f"leg {command.leg} is allocated already")
            return
        if not parts.free:
            self._fail(
                command.leg,
                f"all {parts.legs.capacity} legs of this media worker are in use; raise its capacity",
            )
            return
        slot = parts.free[-1]
        number = parts.addresses.number(command.address)
        try:
            if command.ice is not None:
                port = parts.latching.allocate_for_browser(slot)
            else:
                port = parts.latching.allocate(slot, number, command.port if number else 0)
        except PortsExhaustedError as error:
            self._fail(command.leg, str(error))
            return
        parts.free.pop()
        ssrc, sequence, timestamp = parts.random.integers(1, 1 << 32, 3, np.uint32).tolist()
        parts.legs.reset(slot, ssrc, sequence & 0x7FFF, timestamp)
        parts.legs.used[slot] = True
        parts.legs.leg[slot] = command.leg
        parts.legs.local_port[slot] = port
        parts.reception.reset(slot)
        parts.reports.reset(slot)
        parts.inside.reset(slot)
        parts.noise.reset(slot)
        parts.srtp.reset(slot)
        parts.keys.reset(slot)
        parts.slot_of[command.leg] = slot
        fingerprint = parts.webrtc.allocate(slot, command.ice) if command.ice is not None else ""
        parts.events.append(Allocated(command.leg, self._address, port, fingerprint, self._ipv6_address))

    def _fail(self, leg: int, reason: str) -> None:
        self._parts.events.append(AllocateFailed(leg, reason))

    def _set_remote(self, command: SetRemote, now: float) -> None:
        parts = self._parts
        slot = parts.slot_of.get(command.leg)
        if slot is None:
            return
        legs = parts.legs
        number = parts.addresses.number(command.address)
        port = command.port if 0 < command.port < 65536 else 0
        nowhere = port == 0 or command.address == "0.0.0.0"  # hold as of RFC 2543
        if command.browser is not None:
            nowhere = False  # it will be found by its checks
            parts.webrtc.set_remote(slot, command.browser)
        else:
            parts.srtp.set_keys(slot, command.srtp)
        if command.receive and not legs.receive[slot]:
            legs.heard_at[slot] = now
        try:
            parts.coders.settle(slot, command.codec, command.fmtp)
        except CodecError as error:
            self._fail(command.leg, str(error))
            return
        legs.configured[slot] = True
        parts.reception.clock(slot, int(legs.scale[slot]))
        legs.payload_type[slot] = command.payload_type & 0x7F
        events = command.event_payload_type
        legs.event_type[slot] = NO_EVENTS if events is None else events & 0x7F
        legs.noise[slot] = command.comfort_noise
        legs.event_clock[slot] = 0 if events is None else command.event_clock_hz
        parts.keys.clock(slot, command.event_clock_hz)
        legs.send[slot] = command.send and not nowhere
        legs.receive[slot] = command.receive
        legs.settle(slot)
        if command.browser is None:
            parts.latching.signal(slot, number, port, now)
        legs.rtcp_mux[slot], legs.rtcp_xr[slot] = command.rtcp_mux, command.rtcp_xr
        legs.rtcp_reduced[slot] = command.rtcp_reduced
        if 0 < command.rtcp_port < 65536:
            legs.rtcp_port[slot] = command.rtcp_port
        self._listen_for_keys(slot)
        parts.reports.start(slot, now)

    def _listen_for_keys(self, slot: int) -> None:
        """The leg, its events or its peer have changed: are keys searched in its audio, and in its peer's?
        Not where both sides of a bridge have events: what they send goes across as it is."""
        parts, legs = self._parts, self._parts.legs
        for one in {slot, int(legs.peer[slot])} - {NO_PEER}:
            guarded = parts.guard.settle(one)
            bridged = legs.peer[one] != NO_PEER
            known = legs.used[one] and legs.configured[one] and not legs.opaque[one]
            spared = bridged and legs.event_type[one] != NO_EVENTS
            parts.inside.detect(one, bool(known and not guarded and not spared))

    def _connect(self, command: Connect, now: float) -> None:
        parts = self._parts
        a, b = parts.slot_of.get(command.a), parts.slot_of.get(command.b)
        if a is None or b is None:
            return
        for slot in (a, b):
            self._part(slot)
        parts.legs.peer[a], parts.legs.peer[b] = b, a
        self._listen_for_keys(a)
        for slot in {a, b}:
            parts.keys.bridged(slot)
            parts.events += parts.speech.stop(slot)

    def _disconnect(self, command: Disconnect, now: float) -> None:
        slot = self._parts.slot_of.get(command.leg)
        if slot is not None:
            self._part(slot)

    def _join(self, command: Join, now: float) -> None:
        parts = self._parts
        slot = parts.slot_of.get(command.leg)
        if slot is None:
            return
        if parts.rooms.inside(slot) != command.room:
            self._part(slot)
        self.rearrange(parts.rooms.join(slot, command))

    def _leave(self, command: Leave, now: float) -> None:
        parts = self._parts
        slot = parts.slot_of.get(command.leg)
        if slot is not None:
            self.rearrange(parts.rooms.leave(slot))

    def rearrange(self, change: Change) -> None:
        """What follows from a change of rooms."""
        parts = self._parts
        for slot, wanted in change.voices:
            parts.inside.voice(slot, wanted)
        for slot in change.peers:
            parts.keys.bridged(slot)
            self._listen_for_keys(slot)
        parts.changed()

    def _part(self, slot: int) -> None:
        """The leg is bridged and in a room no longer."""
        parts = self._parts
        self.rearrange(parts.rooms.leave(slot))
        peer = int(parts.legs.peer[slot])
        if peer != NO_PEER:
            parts.legs.peer[peer] = NO_PEER
            parts.legs.peer[slot] = NO_PEER
            self._listen_for_keys(slot)
            self._listen_for_keys(peer)

    def _play(self, command: Play, now: float) -> None:
        parts = self._parts
        slot = parts.slot_of.get(command.leg)
        if slot is not None:
            parts.events += parts.speech.play(slot, command)

    def _stop(self, command: Stop, now: float) -> None:
        parts = self._parts
        slot = parts.slot_of.get(command.leg)
        if slot is not None:
            parts.events += parts.speech.stop(slot)

    def _send_digits(self, command: SendDigits, now: float) -> None:
        parts = self._parts
        slot = parts.slot_of.get(command.leg)
        if slot is not None:
            parts.events += parts.speech.send_keys(slot, command.digits, command.duration_ms, command.gap_ms)

    def _record(self, command: Record, now: float) -> None:
        parts = self._parts
        left, right = parts.slot_of.get(command.left), parts.slot_of.get(command.right)
        if left is None or right is None:
            gone = command.left if left is None else command.right
            parts.events.append(RecordFailed(command.recording, command.path, f"leg {gone} does not exist"))
            return
        failed = parts.inside.start(command.recording, left, right, command.path, command.silence_s)
        if failed is not None:
            parts.events.append(failed)

    def _record_room(self, command: RecordRoom, now: float) -> None:
        parts = self._parts
        if not parts.rooms.has_place(command.room):
            reason = "all rooms of this media worker are in use; raise its capacity"
            parts.events.append(RecordFailed(command.recording, command.path, reason))
            return
        failed = parts.inside.start_room(command.recording, command.path)
        if failed is not None:
            parts.events.append(failed)
        else:
            self.rearrange(parts.rooms.record(command.room, command.recording))

    def _stop_record(self, command: StopRecord, now: float) -> None:
        parts = self._parts
        parts.inside.stop(command.recording)
        self.rearrange(parts.rooms.stop_record(command.recording))

    def _pause_record(self, command: PauseRecord, now: float) -> None:
        self._parts.recorder.pause(command.recording, command.paused)

    def _watch_speech(self, command: WatchSpeech, now: float) -> None:
        parts = self._parts
        slot = parts.slot_of.get(command.leg)
        if slot is not None:
            parts.inside.watch(slot, command.wanted)

    def _release(self, command: Release, now: float) -> None:
        parts = self._parts
        slot = parts.slot_of.pop(command.leg, None)
        if slot is None:
            return
        self._part(slot)
        parts.events += parts.speech.release(slot)
        parts.inside.stop_of(slot)
        parts.inside.watch(slot, False)
        parts.inside.detect(slot, False)
        parts.reports.release(slot)
        parts.latching.release(slot, now)
        (quality,) = parts.reports.qualities([slot])
        parts.events.append(Released(command.leg, quality))
        parts.webrtc.reset(slot)
        parts.srtp.reset(slot)
        parts.coders.release(slot)
        parts.legs.reset(slot, 0, 0, 0)
        parts.free.insert(0, slot)

    def _ping(self, command: Ping, now: float) -> None:
        parts = self._parts
        load, forwarded = parts.load.take(now), parts.steady.forwarded()
        parts.events.append(Pong(command.token, len(parts.slot_of), len(parts.ports), *load, forwarded))
