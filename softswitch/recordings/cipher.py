"""Recordings encrypted at rest: AES-256-GCM in pieces, so that a file of any length takes little memory.

A file is `CCREC1\\n`, the first 8 octets of the key's SHA-256 (which key it needs), 32 random octets, then
pieces of 64 KiB, each with its tag. The file's own key is HKDF-SHA256 (RFC 5869) of the key and those random
octets; the nonce of a piece is its number and whether it is the last (the STREAM construction of Hoang,
Reyhanitabar, Rogaway, Vizar, 2015). Invariant: what `decrypted` gives is what `encrypted` took: a piece that
was changed, moved, or left out, at the end too, is an error.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from softswitch.errors import LocalError

MAGIC = b"CCREC1\n"
KEY_BYTES = 32
SALT_BYTES = 32
NAME_BYTES = 8
TAG_BYTES = 16
PIECE_BYTES = 64 << 10
MOST_PIECES = 1 << 32
HEADER_BYTES = len(MAGIC) + NAME_BYTES + SALT_BYTES
MAKE_KEY = "make one with: (umask 077; head -c 32 /dev/urandom | base64 > FILE)"


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """The 32 octets; `repr` does not show them."""

    secret: bytes

    @property
    def name(self) -> bytes:
        """By which a file says that it needs this one."""
        return hashlib.sha256(b"name of the key\0" + self.secret).digest()[:NAME_BYTES]

    def __repr__(self) -> str:
        return f"Key({self.name.hex()})"


def read_key(path: Path) -> Key:
    """Raises LocalError: not there, not a key, or open to others."""
    try:
        mode = path.stat().st_mode
        text = path.read_bytes()[:1000].strip()
    except OSError as error:
        raise LocalError(
            f"the key file {path} cannot be read: {error.strerror}; check its permissions, or {MAKE_KEY}"
        ) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise LocalError(f"the key file {path} can be read by others: chmod 600 {path}")
    try:
        secret = base64.b64decode(text, validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != KEY_BYTES:
        raise LocalError(f"the key file {path} does not hold {KEY_BYTES} octets in base64; {MAKE_KEY}")
    return Key(secret)


def encrypted(pieces: Iterable[bytes], key: Key, salt: bytes) -> Iterator[bytes]:
    """The file, from plain bytes in pieces of any size. `salt`: 32 random octets, never used twice."""
    yield MAGIC + key.name + salt
    box = _box(key, salt)
    number = 0
    waiting = b""
    for piece in pieces:
        waiting += piece
        while len(waiting) > PIECE_BYTES:  # the last piece must be known to be the last
            yield box.encrypt(_nonce(number, last=False), waiting[:PIECE_BYTES], None)
            waiting = waiting[PIECE_BYTES:]
            number += 1
    yield box.encrypt(_nonce(number, last=True), waiting, None)


def decrypted(file: BinaryIO, keys: Sequence[Key]) -> Iterator[bytes]:
    """The plain bytes. Raises LocalError: not encrypted by us, another key, changed, cut off."""
    header = file.read(HEADER_BYTES)
    if len(header) != HEADER_BYTES or not header.startswith(MAGIC):
        raise LocalError("it is no encrypted recording, or cut off at its beginning; restore it from a copy")
    name = header[len(MAGIC) : len(MAGIC) + NAME_BYTES]
    key = next((key for key in keys if key.name == name), None)
    if key is None:
        raise LocalError(
            f"it needs the key {name.hex()}, which is in no key file; name it in recordings.old_key_files"
        )
    box = _box(key, header[-SALT_BYTES:])
    number = 0
    piece = file.read(PIECE_BYTES + TAG_BYTES)
    while True:
        following = file.read(PIECE_BYTES + TAG_BYTES)
        try:
            yield box.decrypt(_nonce(number, last=not following), piece, None)
        except InvalidTag:
            raise LocalError(
                f"it was changed or cut off (piece {number + 1}); restore it from a copy"
            ) from None
        if not following:
            return
        piece = following
        number += 1


def _box(key: Key, salt: bytes) -> AESGCM:
    derived = HKDF(SHA256(), KEY_BYTES, salt, b"softswitch recording").derive(key.secret)
    return AESGCM(derived)


def _nonce(number: int, *, last: bool) -> bytes:
    if number >= MOST_PIECES:
        raise LocalError("it is too long to be encrypted")
    return number.to_bytes(11, "big") + (b"\1" if last else b"\0")
