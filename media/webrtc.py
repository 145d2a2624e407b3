"""Browsers: what their legs need beside RTP. ICE and DTLS come to the same port as RTP does (RFC 7983); they
are told apart here by their first byte, on the whole batch, and handled one by one: there are a few a second.

A leg of a browser has no address until a check signed with its own password has come from there
(`media.ice`), and no audio in either direction until the keys are agreed upon (`media.dtls`). From then on it
is a leg like any other, which `media.srtp` has the keys of, and what it says is heard by every path that it
has checked (RFC 8445 12.2): browsers send by another before they nominate that. Invariants: what is not
signed costs a bounded part of the time and changes nothing; only a path that such a check came by may speak
DTLS or audio; nothing is sent to a browser that has not asked for it for CONSENT_S (RFC 7675).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np

from media.addresses import Addresses
from media.dtls import Association, Identity
from media.ice import MAX_PATHS, IceLite, read_check, user_of
from media.latching import Latching
from media.legs import Legs
from media.messages import Browser, IceCredentials
from media.packet import STRIDE, Batch, Bools, Index, Outgoing
from media.path import local_ports, remote_of
from media.srtp import Srtp

CONSENT_S = 30.0
"""Without a check for so long, nothing may be sent any more (RFC 7675 5.1)."""
MAX_CHECKS = 48
"""What is taken of one batch, from where checks have come before: a thousand browsers send three."""
MAX_STRANGE_CHECKS = 16
"""And from elsewhere."""
MAX_WAITING = 256
"""Answers that wait to be sent; the peers repeat what is lost."""
_DTLS = 20
_RTP = 64
"""First bytes below are STUN, and below are DTLS (RFC 7983); what lies between them is neither, and fails."""


@dataclass(slots=True)
class _Browser:
    ice: IceLite
    association: Association | None = None
    paths: dict[int, None] = field(default_factory=dict)
    """Where good checks came from, the oldest first."""


class WebRtc:
    """The browsers of a worker; `active` tells whether there are any."""

    def __init__(self, legs: Legs, latching: Latching, srtp: Srtp, addresses: Addresses) -> None:
        self._legs = legs
        self._latching = latching
        self._srtp = srtp
        self._addresses = addresses
        self._identity: Identity | None = None
        self._browsers: dict[int, _Browser] = {}
        self._by_user: dict[str, int] = {}
        self._by_path: dict[int, int] = {}
        self._shaking: set[int] = set()  # whose association is not complete
        self._waiting: list[tuple[bytes, int]] = []  # (datagram, path)
        self.checked_at = np.full(legs.capacity, np.inf)
        """When each leg's last good check came; never, for those that are no browsers."""
        self.active = False
        self.latched: list[int] = []
        """Slots that have been found, or found elsewhere, since this list was last cleared."""
        self.failed: list[tuple[int, str]] = []
        """(slot, why) of the associations that have failed, since this list was last cleared."""

    # ----- commands

    def allocate(self, slot: int, credentials: IceCredentials) -> str:
        """The slot is a browser's: the fingerprint of our certificate."""
        if self._identity is None:  # made when it is first needed, in about a millisecond
            self._identity = Identity.make()
        self._browsers[slot] = _Browser(IceLite(credentials, self._address_of))
        self._by_user[credentials.ufrag] = slot
        self.active = True
        return self._identity.fingerprint

    def set_remote(self, slot: int, settled: Browser) -> None:
        """What offer/answer settled, again at a re-INVITE."""
        browser = self._browsers.get(slot)
        if browser is None or self._identity is None:
            return
        before = browser.ice.users
        if browser.ice.restart(settled.ice):
            self._rename(slot, before, browser.ice.users)
        known = browser.association
        if known is None or known.failure or known.fingerprint != settled.fingerprint:
            # Its keys count until the new ones are there.
            browser.association = Association(self._identity, settled.fingerprint, client=settled.client)
            self._shaking.add(slot)
            self._begin(slot, browser)

    def _rename(self, slot: int, before: list[str], after: list[str]) -> None:
        """It is known by other names: a restart has begun, or has been followed."""
        for user in set(before) - set(after):
            self._by_user.pop(user, None)
        for user in set(after) - set(before):
            self._by_user[user] = slot

    def reset(self, slot: int) -> None:
        """The slot is free."""
        browser = self._browsers.pop(slot, None)
        if browser is None:
            return
        for user in browser.ice.users:
            self._by_user.pop(user, None)
        for path in browser.paths:
            self._forget(slot, path)
        self._shaking.discard(slot)
        self.failed = [failure for failure in self.failed if failure[0] != slot]
        self.checked_at[slot] = np.inf
        self.active = bool(self._browsers)

    def credentials(self) -> dict[int, IceCredentials]:
        """Ours for each slot that is a browser's, as they were settled last."""
        return {slot: browser.ice.credentials for slot, browser in self._browsers.items()}

    # ----- datagrams

    def take(self, batch: Batch, now: float) -> None:
        """Handle what is STUN or DTLS; it is no RTP, so that nobody else will look at it."""
        count = batch.count
        rows = np.flatnonzero(batch.data[:count, 0] < _RTP)
        if not rows.size:
            return
        rows = rows[local_ports(batch.paths[rows]) == self._latching.browsers_port]
        for row in self._some(batch, rows):
            datagram = batch.data[row, : int(batch.lengths[row])].tobytes()
            path = int(batch.paths[row])
            if len(datagram) == 0:  # longer than a row
                continue
            if datagram[0] < _DTLS:
                self._check(datagram, path, now)
            else:
                self._handshake(datagram, path)

    def _some(self, batch: Batch, rows: Index) -> list[int]:
        """Those that there is time for, in their order. Nobody fills it all: strangers have a part of their
        own, and of each browser the first is taken before the second of another."""
        known: dict[int, list[int]] = {}
        strange: list[int] = []
        for row, path in zip(rows.tolist(), batch.paths[rows].tolist(), strict=True):
            slot = self._by_path.get(path)
            (strange if slot is None else known.setdefault(slot, [])).append(row)
        turns = zip_longest(*known.values())
        some = [row for turn in turns for row in turn if row is not None]
        return sorted(some[:MAX_CHECKS] + strange[:MAX_STRANGE_CHECKS])

    def _check(self, datagram: bytes, path: int, now: float) -> None:
        slot = self._by_user.get(user_of(datagram))
        check = read_check(datagram) if slot is not None else None
        if slot is None or check is None:
            return
        browser = self._browsers[slot]
        users = browser.ice.users
        answer = browser.ice.check(check, path, now)
        if answer is None:
            return
        self._rename(slot, users, browser.ice.users)
        self.checked_at[slot] = now
        self._remember(slot, browser, path)
        self._say([answer], path)
        self._begin(slot, browser)
        self._follow(slot, browser)

    def _remember(self, slot: int, browser: _Browser, path: int) -> None:
        """DTLS and audio may come from here, unless it is another browser's: nobody takes that from him by a
        false source address."""
        if self._by_path.setdefault(path, slot) != slot:
            return
        browser.paths.pop(path, None)
        browser.paths[path] = None
        if len(browser.paths) > MAX_PATHS:
            oldest = next(iter(browser.paths))
            del browser.paths[oldest]
            self._forget(slot, oldest)

    def _forget(self, slot: int, path: int) -> None:
        """Nothing comes from there any more."""
        self._latching.expel(slot, path)
        if self._by_path.get(path) == slot:
            del self._by_path[path]

    def _begin(self, slot: int, browser: _Browser) -> None:
        """Send a client's first flight, as soon as there is a path."""
        if slot in self._shaking and browser.association is not None and browser.ice.path is not None:
            self._say(browser.association.begin(), browser.ice.path)

    def _handshake(self, datagram: bytes, path: int) -> None:
        slot = self._by_path.get(path)
        browser = self._browsers.get(slot) if slot is not None else None
        if slot is None or browser is None or browser.association is None:
            return
        pending = browser.association.pending
        self._say(browser.association.receive(datagram), path)
        if pending:
            self._settle(slot, browser)

    def _settle(self, slot: int, browser: _Browser) -> None:
        """The association may be complete now."""
        association = browser.association
        if association is None or association.pending:
            return
        self._shaking.discard(slot)
        if association.keys is None:
            self.failed.append((slot, association.failure))
            return
        self._srtp.set_keys(slot, association.keys)
        self._follow(slot, browser)

    def _follow(self, slot: int, browser: _Browser) -> None:
        """Where the browser wants to be, from when on there are keys."""
        path, legs = browser.ice.path, self._legs
        if path is None or not legs.secured[slot]:
            return
        if not (legs.latched[slot] and legs.path[slot] == path):
            if not self._latching.follow(slot, path):
                return
            self.latched.append(slot)
        for one in browser.paths:
            self._latching.admit(slot, one)

    # ----- time

    def tick(self) -> None:
        """Repeat what handshakes have lost."""
        for slot in list(self._shaking):
            browser = self._browsers[slot]
            if browser.association is not None and browser.ice.path is not None:
                self._say(browser.association.timer(), browser.ice.path)
                self._settle(slot, browser)

    def silent(self, now: float) -> Bools:
        """Whose consent has run out, bool[capacity]; nothing is sent to them until it is there again."""
        expired: Bools = now - self.checked_at > CONSENT_S
        for slot in np.flatnonzero(expired & (self._legs.address != 0)).tolist():
            self._latching.halt(slot)
        return expired

    def answers(self) -> Outgoing | None:
        """What is to be sent now, in an array of its own."""
        if not self._waiting:
            return None
        waiting, self._waiting = self._waiting, []
        count = len(waiting)
        data = np.zeros((count, STRIDE), np.uint8)
        lengths = np.zeros(count, np.int32)
        for row, (datagram, _) in enumerate(waiting):
            data[row, : len(datagram)] = np.frombuffer(datagram, np.uint8)
            lengths[row] = len(datagram)
        paths = np.array([path for _, path in waiting], np.uint64)
        return Outgoing(data, np.arange(count), lengths, paths, np.full(count, -1))

    def addresses(self) -> set[int]:
        """All addresses that are known of browsers."""
        return {remote_of(path)[0] for path in self._by_path}

    def _address_of(self, path: int) -> tuple[str, int]:
        address, port = remote_of(path)
        return self._addresses.text(address), port

    def _say(self, datagrams: list[bytes], path: int) -> None:
        room = MAX_WAITING - len(self._waiting)
        self._waiting += [(one, path) for one in datagrams[: max(room, 0)] if len(one) <= STRIDE]
