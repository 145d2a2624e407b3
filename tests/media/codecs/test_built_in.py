"""The built-in codecs by the conformance test, and what each of them does beyond it."""

from __future__ import annotations

import sys
from importlib import import_module

import numpy as np
import pytest

from media.codecs import BUILT_IN, as_codec
from media.codecs.codec import Codec, parameters
from media.codecs.conformance import check_codec
from media.codecs.g722 import G722
from media.codecs.opus import OPUS
from media.errors import CodecError


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_conforms(name: str) -> None:
    check_codec(BUILT_IN[name])


def speech(seconds: float) -> np.ndarray:
    """Something between a voice and noise, loud and soft in turn: int16, 8 kHz."""
    at = np.arange(int(8000 * seconds)) / 8000
    random = np.random.default_rng(7)
    voice = 5000 * np.sin(2 * np.pi * 210 * at) + 2500 * np.sin(2 * np.pi * 1300 * at)
    return (voice * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * at)) + random.normal(0, 200, at.size)).astype(
        np.int16
    )


def packets(fmtp: str, samples: np.ndarray) -> list[bytes]:
    encoder = OPUS.make_encoder(fmtp)
    return [encoder.encode(samples[at : at + 160]) for at in range(0, samples.size, 160)]


def test_opus_hears_of_a_lost_packet_in_the_next() -> None:
    sent = packets("useinbandfec=1", speech(2.0))
    steady, lossy = OPUS.make_decoder(), OPUS.make_decoder()
    heard = recovered = 0.0
    for number, payload in enumerate(sent):
        whole = steady.decode(payload).astype(float)
        if number % 5 == 3:
            lost = whole
            continue
        if number % 5 == 4 and (found := lossy.recover(payload, 160)).size:
            assert found.size == 160
            heard += float(np.sum(lost**2))
            recovered += float(np.sum((found - lost) ** 2))
        lossy.decode(payload)
    assert heard > 0
    assert recovered < 0.5 * heard  # silence in its place would be 1


def test_opus_sends_no_redundancy_to_those_who_do_not_use_it() -> None:
    decoder = OPUS.make_decoder()
    assert not any(decoder.recover(payload, 160).size for payload in packets("", speech(1.0)))


def test_opus_sends_no_silence_to_those_who_like_that() -> None:
    quiet = np.zeros(8000, np.int16)
    assert sum(not payload for payload in packets("usedtx=1", quiet)) > 25
    assert all(packets("", quiet))


def test_opus_keeps_to_the_rate_that_the_peer_takes() -> None:
    usual = sum(map(len, packets("", speech(2.0))))
    least = sum(map(len, packets("maxaveragebitrate=8000", speech(2.0))))
    assert least < 0.7 * usual
    assert packets("maxaveragebitrate=99999999999999999999", speech(0.1))


def test_opus_stereo_is_heard_as_mono() -> None:
    import opuslib_next

    encoder = opuslib_next.Encoder(48000, 2, "audio")
    at = np.arange(48000) / 48000
    both = np.stack([9000 * np.sin(2 * np.pi * 440 * at)] * 2, axis=1).astype(np.int16)
    decoder = OPUS.make_decoder()
    heard = np.concatenate(
        [decoder.decode(encoder.encode(both[i : i + 960].tobytes(), 960)) for i in range(0, 48000, 960)]
    )
    assert heard.size == 8000
    assert np.abs(np.fft.rfft(heard[2000:6000])).argmax() == 220  # 440 Hz in half a second


def test_opus_packets_of_120_ms_are_refused() -> None:
    import opuslib_next

    frame = opuslib_next.Encoder(48000, 1, "voip").encode(np.repeat(speech(0.02), 6).tobytes(), 960)
    assert frame[0] & 3 == 0

    def packed(count: int) -> bytes:
        return bytes([frame[0] | 3, count]) + frame[1:] * count  # RFC 6716 3.2.5: so many frames of one size

    assert OPUS.make_decoder().decode(packed(3)).size == 480
    with pytest.raises(CodecError, match="Opus packet"):
        OPUS.make_decoder().decode(packed(6))


def test_g722_is_the_recommendations_both_ways_with_a_wideband_peer() -> None:
    """The whole coder at 16 kHz is the peer: what it says is heard here and the other way round."""
    library = import_module("G722")

    at = np.arange(16000) / 16000
    tone = (6000 * np.sin(2 * np.pi * 1000 * at)).astype(np.int16)
    coded = library.G722(16000, 64000).encode(tone)
    heard = G722.make_decoder().decode(coded[:480])
    assert heard.size == 480
    narrow = tone[::2][:480]
    wide = np.asarray(library.G722(16000, 64000).decode(G722.make_encoder("").encode(narrow)), float)
    assert wide.size == 960
    assert np.abs(np.fft.rfft(wide * np.hanning(960))).argmax() == 60  # 1 kHz in 60 ms


def test_a_library_that_is_not_there_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, codec, package in (
        ("G722", G722, "pip install G722"),
        ("opuslib_next", OPUS, "pip install opuslib-next-bundled"),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        assert package in codec.missing()
        with pytest.raises(CodecError, match=package):
            codec.make_encoder("")


def test_records_that_the_engine_cannot_serve() -> None:
    with pytest.raises(CodecError, match="multiple of 8000"):
        Codec("odd", 44100, 44100, None, (20,), G722.make_decoder, G722.make_encoder)
    with pytest.raises(CodecError, match="20 in it"):
        Codec("odd", 8000, 8000, None, (30,), G722.make_decoder, G722.make_encoder)
    with pytest.raises(TypeError, match=r"no media\.codecs\.codec\.Codec"):
        as_codec(object())


def test_parameters_of_a_peer() -> None:
    assert parameters("useinbandfec=1; Stereo=0;x;=;maxptime=60") == {
        "useinbandfec": "1", "stereo": "0", "": "", "maxptime": "60"
    }  # fmt: skip
    assert len(parameters(";".join(f"p{n}={n}" for n in range(1000)))) <= 32
