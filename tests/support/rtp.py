"""RTP by hand for tests: datagrams, batches of them, and an engine on a port pool that binds nothing."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from media.addresses import Addresses
from media.clips import ClipStore
from media.engine import Engine
from media.errors import ClipError
from media.messages import Allocate, Allocated, CodecName, Command, Event, Latched, SetRemote, SrtpKeys
from media.packet import STRIDE, Batch, Outgoing
from media.path import path_of, remote_of
from media.ports import PortPool
from media.recorder import Recorder
from media.sequence import MAX_MISORDER

SOUND = bytes(range(160))
PAYLOAD_TYPES = {"PCMU": 0, "PCMA": 8, "G722": 9, "OPUS": 107}
CLOCK_HZ = {"OPUS": 48000}


def rtp(
    sequence: int,
    timestamp: int,
    ssrc: int,
    payload_type: int = 0,
    payload: bytes = SOUND,
    marker: bool = False,
) -> bytes:
    """A plain RTP packet; numbers wrap by themselves."""
    second = payload_type | (0x80 if marker else 0)
    head = struct.pack(">BBHII", 0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc & 0xFFFFFFFF)
    return head + payload


def takes_leave(data: bytes) -> bool:
    """Does this RTCP end with the BYE of one source (RFC 3550 section 6.6)?"""
    return data[-8:-4] == b"\x81\xcb\x00\x01"


def event(code: int, duration: int, end: bool = False) -> bytes:
    """The payload of a telephone event."""
    return struct.pack(">BBH", code, 0x8A if end else 0x0A, duration)


@dataclass(frozen=True)
class Datagram:
    """A datagram with both ends; `port` is the local one of the switch."""

    data: bytes
    port: int
    address: str
    remote_port: int
    at: float = 0.0

    @property
    def sequence(self) -> int:
        return int.from_bytes(self.data[2:4], "big")

    @property
    def timestamp(self) -> int:
        return int.from_bytes(self.data[4:8], "big")

    @property
    def ssrc(self) -> int:
        return int.from_bytes(self.data[8:12], "big")

    @property
    def payload_type(self) -> int:
        return self.data[1] & 0x7F

    @property
    def marker(self) -> bool:
        return bool(self.data[1] & 0x80)

    @property
    def payload(self) -> bytes:
        return self.data[12:]


def batch_of(datagrams: Sequence[Datagram], addresses: Addresses | None = None) -> Batch:
    """The arrays that the I/O shell would make of them; `addresses` has those of IPv6."""
    count = len(datagrams)
    numbers = [_number(one, addresses) for one in datagrams]
    data = np.zeros((max(count, 1), STRIDE), np.uint8)
    for row, one in enumerate(datagrams):
        data[row, : len(one.data)] = np.frombuffer(one.data, np.uint8)
    return Batch(
        count,
        data,
        np.array(
            [len(one.data) if number else 0 for one, number in zip(datagrams, numbers, strict=True)], np.int32
        ),
        np.array(
            [
                path_of(one.port, number, one.remote_port)
                for one, number in zip(datagrams, numbers, strict=True)
            ],
            np.uint64,
        ),
        np.array([one.at for one in datagrams], np.float64),
    )


def _number(one: Datagram, addresses: Addresses | None) -> int:
    """Of the source; 0 for a stranger on IPv6 who is turned away."""
    parsed = ipaddress.ip_address(one.address)
    if isinstance(parsed, ipaddress.IPv4Address):
        return int(parsed)
    assert addresses is not None, "this test has no IPv6"
    name = np.frombuffer(parsed.packed + bytes(8), np.uint64)
    return int(addresses.read(name[None, :], one.port)[0])


def datagrams_of(outgoing: Outgoing, addresses: Addresses | None = None) -> Iterator[Datagram]:
    """What would be sent; `address` and `remote_port` are the destination."""
    for row, length, path in zip(
        outgoing.rows.tolist(), outgoing.lengths.tolist(), outgoing.paths.tolist(), strict=True
    ):
        address, port = remote_of(path)
        text = str(ipaddress.IPv4Address(address)) if addresses is None else addresses.text(address)
        yield Datagram(outgoing.data[row, :length].tobytes(), path & 0xFFFF, text, port)


class NoSockets:
    """A PortBinder on which every port outside `taken` can be opened."""

    def __init__(self, taken: set[int] | None = None) -> None:
        self.taken = taken or set()
        self.opened: set[int] = set()

    def open(self, port: int) -> bool:
        assert port not in self.opened
        if port in self.taken:
            return False
        self.opened.add(port)
        return True

    def close(self, port: int) -> None:
        self.opened.remove(port)


class EngineBench:
    """An engine with a clock that the test moves, and legs as the test's own phones."""

    def __init__(
        self,
        capacity: int = 64,
        ports: tuple[int, int] = (40000, 40199),
        media_timeout_s: float = 30.0,
        ipv6_address: str = "",
    ) -> None:
        self.now = 1_700_000_000.0
        self.binder = NoSockets()
        self.recorder = Recorder()
        self.engine = Engine(
            capacity,
            PortPool(*ports, self.binder),
            address="10.0.0.1",
            ipv6_address=ipv6_address,
            recorder=self.recorder,
            media_timeout_s=media_timeout_s,
            seed=7,
        )
        self.events: list[Event] = []
        self.clips = ClipStore()
        self.needed: list[str] = []
        """Clips that plays wait for; filled, and not loaded at once, while `slow_disk`."""
        self.slow_disk = False

    def load(self) -> list[Event]:
        """Load what is needed."""
        names, self.needed = self.needed, []
        for name in names:
            try:
                self.engine.loaded(name, self.clips.get(name))
            except ClipError as error:
                self.engine.loaded(name, error)
        found = self.engine.events()
        self.events += found
        return found

    def close(self) -> None:
        self.events += self.engine.close()

    def do(self, *commands: Command) -> list[Event]:
        """Commands; the events they cause (also kept in `events`)."""
        found: list[Event] = []
        for command in commands:
            some = self.engine.command(command, self.now)
            self.events += some
            self.needed += self.engine.needs()
            found += some if self.slow_disk else some + self.load()
        return found

    def receive(self, *datagrams: Datagram) -> list[Datagram]:
        """One batch; what goes out at once."""
        stamped = [Datagram(d.data, d.port, d.address, d.remote_port, self.now) for d in datagrams]
        addresses = self.engine.addresses
        addresses.make_room()  # as the shell does
        sent = list(datagrams_of(self.engine.ingest(batch_of(stamped, addresses), self.now), addresses))
        sent += self._answers()
        self.events += self.engine.events()
        return sent

    def tick(self, count: int = 1) -> list[Datagram]:
        """`count` times 20 ms; what goes out."""
        sent: list[Datagram] = []
        for _ in range(count):
            self.now += 0.02
            for outgoing in self.engine.tick(self.now):
                sent += datagrams_of(outgoing, self.engine.addresses)
            sent += self._answers()
            self.events += self.engine.events()
        return sent

    def _answers(self) -> list[Datagram]:
        answers = self.engine.answers()
        return [] if answers is None else list(datagrams_of(answers, self.engine.addresses))

    def take(self, kind: type[Event]) -> list[Event]:
        """The events of one kind so far, removed from `events`."""
        found = [one for one in self.events if isinstance(one, kind)]
        self.events = [one for one in self.events if not isinstance(one, kind)]
        return found

    def phone(
        self,
        leg: int,
        address: str = "10.1.0.5",
        port: int = 5004,
        *,
        codec: CodecName = "PCMU",
        events: int | None = 101,
        event_clock_hz: int = 8000,
        hint: bool = True,
        latched: bool = True,
        srtp: SrtpKeys | None = None,
        fmtp: str = "",
    ) -> Phone:
        """A leg and the phone at its other end, latched by one (plain) packet unless told otherwise."""
        answer = self.do(Allocate(leg, address, port) if hint else Allocate(leg))
        local = next(one.port for one in answer if isinstance(one, Allocated))
        payload_type = PAYLOAD_TYPES[codec]
        remote = SetRemote(
            leg,
            address,
            port,
            port + 1,
            codec,
            payload_type,
            events,
            event_clock_hz=event_clock_hz,
            srtp=srtp,
            fmtp=fmtp,
        )
        self.do(remote)
        phone = Phone(self, leg, local, address, port, remote, payload_type)
        if latched:
            phone.talk()
            assert any(isinstance(one, Latched) and one.leg == leg for one in self.events)
        return phone


class Phone:
    """The far end of a leg: sends a proper stream, whatever it is asked."""

    def __init__(
        self,
        bench: EngineBench,
        leg: int,
        local: int,
        address: str,
        port: int,
        remote: SetRemote,
        payload_type: int,
    ) -> None:
        self.bench = bench
        self.leg = leg
        self.local = local
        self.address = address
        self.port = port
        self.remote = remote
        self.payload_type = payload_type
        self.ssrc = 0x1000 + leg
        self.sequence = 100
        self.timestamp = 16000
        self.clock_hz = CLOCK_HZ.get(remote.codec, 8000)

    def wrap(self, data: bytes) -> Datagram:
        """A datagram from this phone to its leg."""
        return Datagram(data, self.local, self.address, self.port)

    def next(self, payload: bytes = SOUND, payload_type: int | None = None, ms: int = 20) -> Datagram:
        """The next packet of the stream, `ms` long, not yet handed in."""
        kind = self.payload_type if payload_type is None else payload_type
        made = self.wrap(rtp(self.sequence, self.timestamp, self.ssrc, kind, payload))
        self.sequence += 1
        self.timestamp += self.clock_hz * ms // 1000
        return made

    def talk(self, payload: bytes = SOUND) -> list[Datagram]:
        """Hand in the next packet; what goes out at once."""
        return self.bench.receive(self.next(payload))

    def key(self, code: int, duration: int, start: int, end: bool = False) -> Datagram:
        """An event packet; `start` is the timestamp of the press."""
        assert self.remote.event_payload_type is not None
        made = self.wrap(
            rtp(self.sequence, start, self.ssrc, self.remote.event_payload_type, event(code, duration, end))
        )
        self.sequence += 1
        return made

    def hears(self, sent: Sequence[Datagram]) -> list[Datagram]:
        """The RTP among `sent` that is meant for this phone."""
        return [
            one
            for one in sent
            if (one.address, one.remote_port, one.port) == (self.address, self.port, self.local)
        ]


def packet_of(phone: Phone, kind: str) -> Datagram:
    """The next packet of the phone, or what can become of it."""
    if kind == "lost":
        phone.next()
    elif kind == "jump":
        phone.sequence += 20000
    elif kind == "leap":
        return phone.wrap(rtp(phone.sequence + 2900, phone.timestamp, phone.ssrc, 0, bytes(160)))
    elif kind == "jump back":
        phone.sequence -= 20000
    elif kind == "source":
        phone.ssrc += 0x1000
    elif kind == "event":
        return phone.key(5, 160, phone.timestamp)
    elif kind == "empty":
        return phone.wrap(rtp(phone.sequence, phone.timestamp, phone.ssrc, 0, b""))
    back = {"late": 3, "again": 1, "too late": MAX_MISORDER + 6}.get(kind)
    if back is not None:
        return phone.wrap(
            rtp(phone.sequence - back, phone.timestamp - 160 * back, phone.ssrc, 0, bytes([back]) * 160)
        )
    made = phone.next(bytes([phone.sequence & 0xFF]) * 160)
    if kind == "marker":
        return phone.wrap(made.data[:1] + bytes([made.data[1] | 0x80]) + made.data[2:])
    return made
