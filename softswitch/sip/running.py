"""The running transactions: how they are found, and when their timers fire.

Invariant: a transaction is in every index from `open` to `close` and in none after it. Of its timers the
heap may hold outdated entries; they are swept when they are the larger part.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from softswitch.sip.flow import Flow
from softswitch.sip.message import Request
from softswitch.sip.transactions import Input, Key, Table, Transaction

_HEAP_SLACK = 1024


class Running:
    """All transactions of one layer. `bytes_kept` is the size of all that they keep to be sent again."""

    def __init__(self) -> None:
        self.by_id: dict[int, Transaction] = {}
        self.by_key: dict[Key, Transaction] = {}
        self.merged: dict[Key, int] = {}
        self.bytes_kept = 0
        self._by_flow: dict[Flow, set[int]] = {}
        self._heap: list[tuple[float, int, Input]] = []
        self._next_id = 1

    def __len__(self) -> int:
        return len(self.by_id)

    def open(self, table: Table, key: Key, request: Request, flow: Flow, out_flow: Flow) -> Transaction:
        """A new transaction under a number that is never used again."""
        transaction = Transaction(self._next_id, table, key, request, flow, out_flow)
        self._next_id += 1
        self.by_id[transaction.id] = transaction
        self.by_key[key] = transaction
        self._by_flow.setdefault(flow, set()).add(transaction.id)
        return transaction

    def close(self, transaction: Transaction) -> None:
        """Forget a transaction."""
        self.keep(transaction, b"")
        del self.by_id[transaction.id]
        del self.by_key[transaction.key]
        same_flow = self._by_flow[transaction.flow]
        same_flow.discard(transaction.id)
        if not same_flow:
            del self._by_flow[transaction.flow]
        self.forget_merge(transaction)

    def note_merge(self, transaction: Transaction, key: Key) -> None:
        """The same request by another way is found by this key (8.2.2.2)."""
        transaction.merge_key = key
        self.merged[key] = transaction.id

    def forget_merge(self, transaction: Transaction) -> None:
        """An equal request is a new one from now on."""
        if transaction.merge_key is not None and self.merged.get(transaction.merge_key) == transaction.id:
            del self.merged[transaction.merge_key]

    def keep(self, transaction: Transaction, data: bytes) -> None:
        """Remember what the transaction sent last; b"" for nothing."""
        self.bytes_kept += len(data) - len(transaction.sent)
        transaction.sent = data

    def on_flow(self, flow: Flow) -> list[Transaction]:
        """The transactions of a flow, oldest first."""
        return [self.by_id[number] for number in sorted(self._by_flow.get(flow, ()))]

    def start(self, transaction: Transaction, timer: Input, when: float) -> None:
        """Let a timer fire at `when`; it replaces one of the same name."""
        transaction.due[timer] = when
        heappush(self._heap, (when, transaction.id, timer))
        if len(self._heap) > 4 * len(self.by_id) + _HEAP_SLACK:
            self._heap = [entry for entry in self._heap if self._is_live(*entry)]
            heapify(self._heap)

    def deadline(self) -> float | None:
        """When the next timer fires; None when nothing waits."""
        heap = self._heap
        while heap:
            when, number, timer = heap[0]
            if self._is_live(when, number, timer):
                return when
            heappop(heap)
        return None

    def take_due(self, now: float) -> tuple[Transaction, Input] | None:
        """The next timer that is due at `now`, taken off; None when none is."""
        when = self.deadline()
        if when is None or when > now:
            return None
        _, number, timer = heappop(self._heap)
        transaction = self.by_id[number]
        del transaction.due[timer]
        return transaction, timer

    def _is_live(self, when: float, number: int, timer: Input) -> bool:
        transaction = self.by_id.get(number)
        return (
            transaction is not None
            and transaction.due.get(timer) == when
            and timer in transaction.table[transaction.state]
        )
