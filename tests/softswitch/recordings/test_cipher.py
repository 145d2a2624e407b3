"""Encryption at rest: what comes out is what went in, or an error."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.errors import LocalError
from softswitch.recordings.cipher import HEADER_BYTES, PIECE_BYTES, Key, decrypted, encrypted, read_key

KEY, OTHER = Key(bytes(range(32))), Key(bytes(32))
SALT = bytes(range(100, 132))


def locked(plain: bytes, size: int = PIECE_BYTES) -> bytes:
    pieces = [plain[at : at + size] for at in range(0, len(plain), size)]
    return b"".join(encrypted(pieces, KEY, SALT))


def opened(data: bytes, *keys: Key) -> bytes:
    return b"".join(decrypted(io.BytesIO(data), keys or (KEY,)))


@given(st.integers(0, 3), st.integers(-2, 2), st.integers(1, 3 * PIECE_BYTES))
def test_any_length_in_any_pieces(pieces: int, more: int, size: int) -> None:
    plain = os.urandom(max(0, pieces * PIECE_BYTES + more))
    data = locked(plain, size)
    assert opened(data, OTHER, KEY) == plain
    assert plain[:100] not in data or len(plain) < 16


@given(st.data())
def test_a_changed_bit_is_found(data: st.DataObject) -> None:
    file = bytearray(locked(b"sound" * 20_000))
    at = data.draw(st.integers(0, len(file) - 1))
    file[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(LocalError):
        opened(bytes(file))


@given(st.data())
def test_a_file_that_was_cut_off_is_found(data: st.DataObject) -> None:
    file = locked(b"sound" * 40_000)
    with pytest.raises(LocalError):
        opened(file[: data.draw(st.integers(0, len(file) - 1))])


def test_a_piece_that_is_missing_at_the_end_is_found() -> None:
    file = locked(bytes(3 * PIECE_BYTES))
    with pytest.raises(LocalError, match="changed or cut off"):
        opened(file[: HEADER_BYTES + 2 * (PIECE_BYTES + 16)])


def test_pieces_that_changed_places_are_found() -> None:
    file = locked(bytes(3 * PIECE_BYTES))
    size = PIECE_BYTES + 16
    head, first, second = file[:HEADER_BYTES], file[HEADER_BYTES:][:size], file[HEADER_BYTES + size :][:size]
    with pytest.raises(LocalError, match="piece 1"):
        opened(head + second + first + file[HEADER_BYTES + 2 * size :])


def test_the_key_that_is_needed_is_named() -> None:
    with pytest.raises(LocalError, match=KEY.name.hex()):
        opened(locked(b"sound"), OTHER)
    assert KEY.secret.hex() not in repr(KEY)


def test_keys_in_files(tmp_path: Path) -> None:
    file = tmp_path / "key"
    for content, mode, said in (
        (base64.b64encode(KEY.secret) + b"\n", 0o644, "chmod 600"),
        (b"not base64!", 0o600, "make one with"),
        (base64.b64encode(b"short"), 0o600, "make one with"),
    ):
        file.write_bytes(content)
        file.chmod(mode)
        with pytest.raises(LocalError, match=said):
            read_key(file)
    file.write_bytes(base64.b64encode(KEY.secret) + b"\n")
    assert read_key(file) == KEY
    with pytest.raises(LocalError, match="cannot be read"):
        read_key(tmp_path / "none")
