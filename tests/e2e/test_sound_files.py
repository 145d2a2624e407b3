"""A prompt from an MP3 file, faint and at 44.1 kHz, is heard by a caller, as loud as it should be."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from tests.e2e.conftest import SwitchMaker
from tests.support.audio import dominant_hz, read_wav, rms_dbfs, sine
from tests.support.phones import PhoneMaker

pytestmark = pytest.mark.e2e

FLOW = """
[flows.mp3]
start = "tone"

[flows.mp3.nodes.tone]
type = "play"
prompt = {{ file = "{file}" }}
next = "bye"

[flows.mp3.nodes.bye]
type = "hangup"

[[routes]]
number = "604"
to = "flow:mp3"
guests = true
"""


def write_mp3(path: Path, hz: float, seconds: float, dbfs: float) -> Path:
    """A tone as an MP3 file at 44.1 kHz."""
    samples = (sine(hz, seconds, 44_100, dbfs) * 32767).astype(np.int16)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mp3", rate=44_100, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate, frame.pts = 44_100, 0
        size = stream.codec_context.frame_size
        resampler = av.AudioResampler(stream.codec_context.format, "mono", 44_100, frame_size=size)
        for piece in (*resampler.resample(frame), *resampler.resample(None)):
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return path


async def test_an_mp3_is_heard(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    file = write_mp3(tmp_path / "faint.mp3", 660, 2.5, dbfs=-36)
    switch = await switches(extra=FLOW.format(file=file))
    heard = tmp_path / "heard.wav"
    caller = await phones(record=str(heard))
    await caller.call(switch.uri("604"))
    await caller.wait("ended", 20)
    record = await switch.record()
    assert record["path"] == ["mp3.tone", "mp3.bye"]
    await caller.close()
    rate, channels = read_wav(heard)
    middle = channels[0][rate // 2 : 2 * rate]
    assert dominant_hz(middle, rate) == pytest.approx(660, abs=5)
    # -20 LUFS is -17 dB of a full-scale sine; the file itself has -36.
    assert rms_dbfs(middle) == pytest.approx(-17, abs=3)
