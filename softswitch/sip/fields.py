"""The header fields of one message: an ordered multi-map (RFC 3261 7.3.1).

Invariant: names are canonical (`v` and `VIA` are `Via`), the order is that of the wire, and a remembered
typed value (`cached`) is forgotten when its header changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar, cast

from softswitch.errors import PeerError
from softswitch.sip.headers import split_commas
from softswitch.sip.names import KNOWN, canonical

T = TypeVar("T")
HeaderItems = Iterable[tuple[str, str]]


class Headers:
    """An ordered multi-map from header name to unparsed value; names are matched without regard to case."""

    __slots__ = ("_cache", "_items")

    def __init__(self, items: HeaderItems = ()) -> None:
        self._items: list[tuple[str, str]] = [(canonical(name), value) for name, value in items]
        self._cache: dict[str, object] = {}

    @classmethod
    def of_canonical(cls, items: list[tuple[str, str]]) -> Headers:
        """Take over a list whose names are canonical already (the parser's)."""
        headers = cls.__new__(cls)
        headers._items = items
        headers._cache = {}
        return headers

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value under this name."""
        known = KNOWN.get(name)
        if known is not None:
            for key, value in self._items:
                if key == known:
                    return value
            return default
        found = self.all(name)
        return found[0] if found else default

    def all(self, name: str) -> list[str]:
        """Every value under this name, in order, a line each."""
        name = canonical(name)
        if name in KNOWN:
            return [value for key, value in self._items if key == name]
        name = name.lower()
        return [value for key, value in self._items if key.lower() == name]

    def values(self, name: str) -> list[str]:
        """Every element of a comma-separated header, over all its lines. Raises PeerError 400."""
        return [value for line in self.all(name) for value in split_commas(line)]

    def add(self, name: str, value: str) -> None:
        """Append a header."""
        name = canonical(name)
        self._items.append((name, value))
        self._cache.pop(name, None)

    def prepend(self, name: str, value: str) -> None:
        """Put a header before all others (Via, Record-Route)."""
        name = canonical(name)
        self._items.insert(0, (name, value))
        self._cache.pop(name, None)

    def set(self, name: str, value: str) -> None:
        """Replace every header of this name by one, at the place of the first."""
        name = canonical(name)
        lower = name.lower()
        self._cache.pop(name, None)
        places = [index for index, (key, _) in enumerate(self._items) if key.lower() == lower]
        if not places:
            self._items.append((name, value))
            return
        self._items[places[0]] = (name, value)
        for index in reversed(places[1:]):
            del self._items[index]

    def remove(self, name: str) -> None:
        """Take away every header of this name, if there is any."""
        lower = canonical(name).lower()
        self._cache.pop(canonical(name), None)
        self._items = [item for item in self._items if item[0].lower() != lower]

    def replace_first(self, name: str, value: object) -> None:
        """Replace the first element of the first line of this name; the elements after its comma stay.

        A typed `value` is remembered as what the header says.
        """
        name = canonical(name)
        for index, (key, line) in enumerate(self._items):
            if key == name:
                rest = split_commas(line)[1:] if "," in line else []
                text = str(value)
                self._items[index] = (name, ", ".join([text, *rest]) if rest else text)
                if isinstance(value, str):
                    self._cache.pop(name, None)
                else:
                    self._cache[name] = value
                return

    def copy(self) -> Headers:
        """An independent copy."""
        return Headers.of_canonical(list(self._items))

    def typed(self, name: str, parse: Callable[[str], T]) -> T:
        """The typed value of the first header `name` (canonical), parsed the first time.

        Raises PeerError 400 when it is missing, and what `parse` raises.
        """
        found = self._cache.get(name)
        if found is None:
            text = self.get(name)
            if text is None:
                raise PeerError(400, f"Missing {name}")
            found = self._cache[name] = parse(text)
        return cast(T, found)

    def cached(self, name: str, read: Callable[[], T]) -> T:
        """The typed value of header `name` (canonical), made by `read` the first time."""
        found = self._cache.get(name)
        if found is None:
            found = self._cache[name] = read()
        return cast(T, found)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.all(name))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self._items == other._items

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({self._items!r})"
