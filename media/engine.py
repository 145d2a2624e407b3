"""The media engine: all legs of a worker, moved by commands, batches of datagrams and a 20 ms tick.

It has no clock and no socket: `now` (seconds, never going back) comes with every call, datagrams come and
go as arrays. What it consists of is in `media.parts`, what it is ordered in `media.commands`; here is the way
of the datagrams, and what every tick brings. Invariant: nothing that arrives from the network raises.
An address is a number of 32 bits in the arrays, whatever its family (`media.addresses`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from media.clips import Clip
from media.codecs import BUILT_IN
from media.codecs.codec import Codec
from media.commands import Commands
from media.errors import ClipError
from media.forwarding import Forwarding
from media.inside import JITTER_FRAMES
from media.listen import AUDIO, EVENT, Arrived, Seen
from media.load import Load
from media.messages import (
    Command,
    Event,
    HandshakeFailed,
    Latched,
    Measured,
    MediaLost,
    RecordFailed,
    Rejoined,
    Speaking,
)
from media.packet import Batch, Outgoing, empty_outgoing, joined
from media.parts import Parts
from media.ports import PortPool
from media.pressed import Pressed
from media.recorder import Recorder

SETTLE_TICKS = 5
"""Divides the next, and `media.reports.LOOK_EVERY_TICKS`: both read what is settled."""
LOST_CHECK_TICKS = 25


class Engine:
    """All legs of one worker.

    `address` is what Allocated tells, and `ipv6_address`, without which there is no IPv6 ("");
    `media_timeout_s` is the silence after which MediaLost is reported; `seed` fixes SSRCs and starting
    numbers (tests), None takes them from the system. `jitter_frames` of 20 ms are the longest delay of the
    jitter buffers, 4 to 64. `codecs` are those that are spoken besides G.711.
    """

    def __init__(
        self,
        capacity: int,
        ports: PortPool,
        *,
        address: str,
        ipv6_address: str = "",
        recorder: Recorder,
        media_timeout_s: float = 30.0,
        seed: int | None = None,
        jitter_frames: int = JITTER_FRAMES,
        load: Load | None = None,
        codecs: Mapping[str, Codec] = BUILT_IN,
        forwarding: Forwarding | None = None,
    ) -> None:
        self._parts = Parts(capacity, ports, recorder, seed, jitter_frames, load, codecs, forwarding)
        self._commands = Commands(self._parts, address, ipv6_address)
        self.addresses = self._parts.addresses
        """The numbers of IPv6 addresses, which the owner of the sockets makes and reads."""
        self._pressed = Pressed(self._parts)
        self._media_timeout_s = media_timeout_s
        self._ticks = 0
        self._quiet = False
        """Does nobody say, mix or listen to anything here? Until a command, or a packet on the long way."""
        self.load = self._parts.load
        """What Pong tells; the owner of the clock notes the lateness of ticks there."""

    def __len__(self) -> int:
        """Legs."""
        return len(self._parts.slot_of)

    # ----- commands

    def command(self, command: Command, now: float) -> list[Event]:
        """Carry out one command; everything that happened up to now, as by `events`."""
        self._quiet = False
        self._commands.obey(command, now)
        return self.events()

    def events(self) -> list[Event]:
        """What happened since the last call."""
        parts = self._parts
        found, parts.events = parts.events, []
        return found

    def needs(self) -> list[str]:
        """Names of clips that Plays wait for, each told once; the shell loads them and calls `loaded`."""
        return self._parts.speech.needs()

    def loaded(self, name: str, clip: Clip | ClipError) -> None:
        """A clip that was needed, or why it cannot be had."""
        parts = self._parts
        self._quiet = False
        parts.steady.pause()
        parts.events += parts.speech.loaded(name, clip)
        parts.changed()

    # ----- datagrams

    def ingest(self, batch: Batch, now: float) -> Outgoing:
        """Take datagrams that arrived; what is to be sent at once, in rows of the same `data`."""
        if batch.count == 0:
            return empty_outgoing(batch.data)
        parts = self._parts
        if parts.srtp.active or parts.webrtc.active:
            self._take_secrets(batch, now)
        seen = parts.listener.look(batch)
        sent = parts.steady.relay(batch, seen, now)
        if not seen.done:
            sent = self._take_long_way(batch, seen, sent, now)
        return parts.srtp.protect(sent) if parts.srtp.active else sent

    def _take_long_way(self, batch: Batch, seen: Seen, swift: Outgoing, now: float) -> Outgoing:
        """Deal with the datagrams that are left; what is to be sent, `swift` included."""
        parts = self._parts
        self._quiet = False
        parts.steady.settle()
        sent = [swift, *(self._take(arrived, now) for arrived in parts.listener.listen(batch, seen, now))]
        if parts.listener.latched:  # by packets that went no further
            self._announce_latched()
        if parts.listener.control.size:
            parts.reports.receive(batch, parts.listener.control)
        if parts.reception.begun or parts.relay.begun or parts.noise.changed:
            parts.reception.begun = parts.relay.begun = parts.noise.changed = False
            parts.steady.changed()
        return joined([one for one in sent if one is not None and one.rows.size], batch.data)

    def _take_secrets(self, batch: Batch, now: float) -> None:
        """What browsers need before they can speak; and plain RTP is made of what is encrypted."""
        parts = self._parts
        if parts.webrtc.active:
            parts.webrtc.take(batch, now)
            if parts.webrtc.latched:
                parts.listener.latched += parts.webrtc.latched
                parts.webrtc.latched.clear()
                self._announce_latched()
        if parts.srtp.active:
            parts.srtp.unprotect(batch)

    @property
    def paused(self) -> bool:
        """Could the kernel forward, if only what has come were worked off, and `resume` called?"""
        return self._parts.steady.paused

    def look(self) -> None:
        """What has come will be worked off now, before `resume`."""
        self._parts.steady.look()

    def resume(self) -> None:
        """From now on the kernel may forward what goes on as before."""
        self._parts.steady.resume()

    def answers(self) -> Outgoing | None:
        """What ICE and DTLS have to say at once; to be asked for after `ingest` and `tick`."""
        webrtc = self._parts.webrtc
        return webrtc.answers() if webrtc.active else None

    def _take(self, arrived: Arrived, now: float) -> Outgoing | None:
        """One packet of each of some legs."""
        parts = self._parts
        if parts.listener.latched:
            self._announce_latched()
        allowed = (
            None if arrived.kinds is None else self._pressed.receive(arrived, arrived.kinds == EVENT, now)
        )
        if arrived.kinds is not None or parts.noise.busy:
            parts.noise_relay.hear(arrived)
        listening = parts.inside.wanted
        if parts.coders.busy:
            parts.coders.pair()
            arrived, allowed, aside = parts.coders.hear(arrived, allowed, listening)
            if aside is not None:
                self._listen(aside)
            if not arrived.slots.size:
                return None
            if listening is not None:
                listening = listening & ~parts.coders.paired
        if listening is not None:
            heard = listening[arrived.slots]
            if arrived.kinds is not None:
                heard &= arrived.kinds == AUDIO
            if heard.any():
                self._listen(arrived.select(heard))
        if parts.guard.busy:
            self._pressed.guard(arrived, now)
        return parts.relay.relay(arrived, allowed, now)

    def _listen(self, audio: Arrived) -> None:
        put = self._parts.inside.put
        put(audio.slots, audio.rows, audio.lengths, audio.timestamps, audio.data, audio.streams)

    def _announce_latched(self) -> None:
        parts, legs = self._parts, self._parts.legs
        for slot in parts.listener.latched:
            if legs.port[slot] != legs.signalled_port[slot]:  # NAT: the signalled RTCP port is as wrong
                legs.rtcp_port[slot] = min(int(legs.port[slot]) + 1, 65535)
            address = parts.addresses.text(int(legs.address[slot]))
            parts.events.append(Latched(int(legs.leg[slot]), address, int(legs.port[slot])))
        parts.listener.latched.clear()
        parts.changed()

    # ----- time

    def tick(self, now: float) -> list[Outgoing]:
        """20 ms have passed: what is to be sent. The arrays are good until the next tick."""
        parts = self._parts
        self._ticks += 1
        parts.listener.tick(now)
        parts.steady.tick()
        if self._ticks % SETTLE_TICKS == 0:
            parts.steady.settle()
        outgoing = [] if self._quiet else self._speak(now)
        for ended in parts.inside.ended():
            if isinstance(ended, RecordFailed):
                self._quiet = False
                self._commands.rearrange(parts.rooms.stop_record(ended.recording))
            parts.events.append(ended)
        if self._ticks % LOST_CHECK_TICKS == 0:
            self._find_lost(now)
        reports = parts.reports.tick(now)
        if measured := parts.reports.measured():
            qualities = parts.reports.qualities(measured)
            legs = parts.legs.leg[measured].tolist()
            parts.events += (Measured(*one) for one in zip(legs, qualities, strict=True))
        if parts.srtp.active:
            outgoing = [parts.srtp.protect(one) for one in outgoing]
        return [*outgoing, reports]

    def _speak(self, now: float) -> list[Outgoing]:
        """20 ms of what is said, mixed and listened to here."""
        parts = self._parts
        spoken, played = parts.speech.tick(now)
        if parts.speech.ceased:
            parts.speech.ceased = False
            parts.changed()
        parts.events += played
        outgoing = spoken
        if parts.noise.busy:
            parts.noise.tick(parts.legs.listened())
            outgoing.append(parts.noise_relay.tick(now))
            if parts.noise.changed:
                parts.noise.changed = False
                parts.steady.changed()
        slots, codes = parts.inside.tick(parts.speech.aside)
        if slots.size:
            self._pressed.report_tones(slots, codes, now)
        for slot, speaking in parts.inside.spoke():
            parts.events.append(Speaking(int(parts.legs.leg[slot]), speaking))
        outgoing.append(parts.rooms.packets(now))
        if parts.webrtc.active:
            parts.webrtc.tick()
            for slot, reason in parts.webrtc.failed:
                parts.events.append(HandshakeFailed(int(parts.legs.leg[slot]), reason))
            parts.webrtc.failed.clear()
        self._quiet = not (
            parts.speech.busy
            or parts.noise.busy
            or parts.rooms.busy
            or parts.webrtc.active
            or parts.inside.wanted is not None
        )
        return outgoing

    def _find_lost(self, now: float) -> None:
        parts, legs = self._parts, self._parts.legs
        silent = legs.used & legs.configured & legs.receive
        silent &= now - legs.heard_at > self._media_timeout_s
        since = legs.heard_at
        if parts.webrtc.active:
            since = np.minimum(since, parts.webrtc.checked_at)
            silent |= parts.webrtc.silent(now)
            parts.changed()  # nothing more goes to some of them
        lost = np.flatnonzero(silent & ~legs.loss_reported)
        legs.loss_reported[:] = silent
        for slot in lost.tolist():
            parts.events.append(MediaLost(int(legs.leg[slot]), round(now - float(since[slot]), 3)))

    def present(self) -> Rejoined:
        """What is there, for another signalling process."""
        parts = self._parts
        leg, ice = parts.legs.leg, parts.webrtc.credentials()
        return Rejoined(
            tuple(parts.slot_of),
            parts.inside.running,
            {int(leg[slot]): keys for slot, keys in parts.srtp.keys().items() if slot not in ice},
            {int(leg[slot]): one for slot, one in ice.items()},
        )

    def close(self) -> list[Event]:
        """The worker goes down: end the recordings, close the ports. Returns the last events."""
        parts = self._parts
        parts.events += parts.inside.close()
        parts.ports.close()
        return self.events()
