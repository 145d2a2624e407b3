"""What every codec must do, for the tests of those who write one.

    def test_mine() -> None:
        check_codec(MY_CODEC)

An AssertionError says what is wrong.
"""

from __future__ import annotations

import numpy as np

from media.codecs.codec import MAX_PACKET_MS, SAMPLES_A_MS, Codec, Decoder, Samples
from media.errors import CodecError

TONE_HZ = 800
_RATE = 8000


def check_codec(codec: Codec, *, seed: int = 1) -> None:
    """Record, audio, state, and whatever the network may send."""
    assert not codec.missing(), codec.missing()
    assert codec.name.isascii() and codec.name.isprintable() and "/" not in codec.name, "name: see RFC 8866"
    assert codec.payload_type is None or 0 <= codec.payload_type < 96, (
        "payload_type: static ones are below 96"
    )
    for packet_ms in codec.packet_ms:
        _check_tone(codec, packet_ms)
    _check_state(codec)
    _check_garbage(codec.make_decoder(), np.random.default_rng(seed))
    for fmtp in ("", ";;;", "a=b; c", "x=" + "9" * 100, codec.fmtp):
        assert codec.make_encoder(fmtp).encode(_tone(20)), f"nothing is encoded with fmtp {fmtp[:20]!r}"


def _tone(length_ms: int, begin: int = 0) -> Samples:
    at = begin + np.arange(length_ms * SAMPLES_A_MS)
    samples: Samples = np.rint(6000.0 * np.sin(2 * np.pi * TONE_HZ / _RATE * at)).astype(np.int16)
    return samples


def _check_tone(codec: Codec, packet_ms: int) -> None:
    encoder, decoder = codec.make_encoder(codec.fmtp), codec.make_decoder()
    size = packet_ms * SAMPLES_A_MS
    heard = []
    for begin in range(0, _RATE, size):
        payload = encoder.encode(_tone(packet_ms, begin))
        assert 0 < len(payload) <= 1000, f"{packet_ms} ms of a tone become {len(payload)} octets"
        samples = decoder.decode(payload)
        assert samples.dtype == np.int16 and samples.shape == (size,), f"{packet_ms} ms: {samples.shape}"
        heard.append(samples)
    line = np.concatenate(heard)[_RATE // 4 :].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(line * np.hanning(line.size)))
    found = float(spectrum.argmax()) * _RATE / line.size
    assert abs(found - TONE_HZ) < 8, f"{packet_ms} ms packets: {TONE_HZ} Hz are heard as {found:.0f} Hz"
    level = float(np.sqrt(np.mean(line**2))) / (6000.0 / np.sqrt(2.0))
    assert 0.5 < level < 2.0, f"{packet_ms} ms packets: the tone comes {level:.2f} times as loud"


def _check_state(codec: Codec) -> None:
    """Two legs do not disturb one another."""
    alone, beside = codec.make_encoder(""), codec.make_encoder("")
    other = codec.make_encoder("")
    for begin in range(0, 1600, 160):
        other.encode(_tone(20, 77 * begin))
        assert alone.encode(_tone(20, begin)) == beside.encode(_tone(20, begin)), "encoders share a state"


def _check_garbage(decoder: Decoder, random: np.random.Generator) -> None:
    for _ in range(500):
        payload = random.bytes(int(random.integers(1, 1077)))
        for recovering in (True, False):
            try:
                samples = decoder.recover(payload, 160) if recovering else decoder.decode(payload)
            except CodecError:
                continue
            assert samples.dtype == np.int16 and samples.size <= MAX_PACKET_MS * SAMPLES_A_MS
