"""The scene: a directory that begins empty, the configuration with the address and port of this run, the
spoken lines as WAV files.

Invariant: only a directory that a demo made (or an empty one) is ever emptied, and never under a running
switch.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from cli.demo.story import AGENTS, CALLERS, Voice
from cli.softphone.client import ROOT as ROOT_NAME
from media import wav
from softswitch.api.client import ApiClient, NotRunning
from softswitch.errors import LocalError

ROOT = Path(ROOT_NAME)
SOURCE = ROOT / "examples" / "demo.toml"
RATE_HZ = 8000
SPEAK_S = 20.0
PAUSE_S = 0.8  # after each line, so that a looped one does not run into itself
_MARK = ".made-by-cc-demo"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is. `lines` has the WAV file of each person by his name."""

    directory: Path
    config: Path
    address: str
    port: int
    lines: Mapping[str, Path]

    @property
    def server(self) -> str:
        """host:port of the SIP side."""
        return f"{self.address}:{self.port}"

    @property
    def log(self) -> Path:
        """What the switch writes."""
        return self.directory / "switch.log"

    def uri(self, number: str) -> str:
        """What a phone dials."""
        return f"sip:{number}@{self.server}"


def check_programs() -> None:
    """Whether what the demo needs is there. Raises LocalError with the remedy."""
    if not SOURCE.is_file():
        raise LocalError(f"cc demo runs from a clone of the repository: there is no {SOURCE}")
    if find_spec("pjsua2") is None:
        raise LocalError(
            "cc demo needs pjsua2 for its phones: `make setup` or `pip install 'cc-softswitch[phone]'` "
            "adds it (CPython 3.11 or 3.12 on x86-64 Linux)"
        )
    if shutil.which("espeak-ng") is None:
        raise LocalError(
            "cc demo needs espeak-ng for its voices: `make demo` installs it, or run as root: "
            "apt-get install espeak-ng"
        )


def free_port(address: str, wanted: int | None, usual: int) -> int:
    """The wanted port; without one the usual port or, if that is taken, any free one. Raises LocalError."""
    if wanted is not None:
        if not _is_free(address, wanted):
            raise LocalError(
                f"{address}:{wanted} is taken, or not of this machine: name another --port or --address"
            )
        return wanted
    if _is_free(address, usual):
        return usual
    for _ in range(20):
        with socket.socket() as probe:
            try:
                probe.bind((address, 0))
            except OSError as error:
                raise LocalError(
                    f"{address} cannot be listened on: {error.strerror}; name an address of this machine"
                ) from error
            port = int(probe.getsockname()[1])
        if _is_free(address, port):
            return port
    raise LocalError(f"no port of {address} is free for UDP and TCP: name one with --port")


def _is_free(address: str, port: int) -> bool:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:  # a port whose last connections still time out is free
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def set_up(directory: Path | None, address: str, port: int) -> Stage:
    """An empty directory, its configuration, its voices. Raises LocalError."""
    directory = (directory or ROOT / "var" / "demo").resolve()
    try:
        _empty(directory)
        config = directory / "cc.toml"
        config.write_text(adapted(SOURCE.read_text(encoding="utf-8"), address, port), encoding="utf-8")
        lines = {}
        for person in (*AGENTS, *CALLERS):
            path = lines[person.name] = directory / f"{person.name.lower()}-says.wav"
            _speak(person.says, person.voice, path)
    except OSError as error:
        raise LocalError(
            f"{directory} cannot be used: {error.strerror}; name a writable one with --directory"
        ) from error
    return Stage(directory, config, address, port, lines)


def adapted(text: str, address: str, port: int) -> str:
    """The configuration of examples/demo.toml for another directory, address and port."""
    prompts = json.dumps(str(ROOT / "var" / "prompts"))
    for old, new in (
        ('"udp:127.0.0.1:5060"', f'"udp:{address}:{port}"'),
        ('"tcp:127.0.0.1:5060"', f'"tcp:{address}:{port}"'),
        ('address = "127.0.0.1"', f'address = "{address}"'),
        ('"../var/cc.db"', '"cc.db"'),
        ('"../var/cc.sock"', '"cc.sock"'),
        ('"../var/recordings"', '"recordings"'),
        ('"../var/prompts"', prompts),
    ):
        if text.count(old) != 1:
            raise LocalError(
                f"{SOURCE} does not contain {old} exactly once, which cc demo replaces: restore it"
            )
        text = text.replace(old, new)
    return text


def _empty(directory: Path) -> None:
    if directory.is_dir():
        _refuse_if_running(directory / "cc.sock")
        if any(directory.iterdir()) and not (directory / _MARK).is_file():
            raise LocalError(f"{directory} holds files that no demo made: name an empty --directory")
        shutil.rmtree(directory)
    directory.mkdir(parents=True)
    (directory / _MARK).touch()


def _refuse_if_running(control: Path) -> None:
    try:
        status = ApiClient(control).get("status")
    except NotRunning:
        return
    raise LocalError(
        f"a switch runs in {control.parent}: end it (kill {status['pid']}), or name another --directory"
    )


def _speak(text: str, voice: Voice, path: Path) -> None:
    """One line as an 8 kHz WAV file, so that what is sent is what the file holds, sample by sample."""
    command = [
        "espeak-ng",
        "-v",
        voice.name,
        "-p",
        str(voice.pitch),
        "-s",
        str(voice.speed_wpm),
        "-w",
        str(path),
    ]
    try:
        done = subprocess.run(
            [*command, "--stdin"], input=text, capture_output=True, text=True, timeout=SPEAK_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise LocalError(
            f"espeak-ng took over {SPEAK_S:g} s for one line: is the machine overloaded?"
        ) from None
    if done.returncode or not path.is_file():
        raise LocalError(f"espeak-ng cannot speak with the voice {voice.name}: {done.stderr.strip()[:200]}")
    rate_hz, spoken = wav.decode(path.name, path.read_bytes())
    line = np.append(wav.resample(spoken, rate_hz, RATE_HZ), np.zeros(round(PAUSE_S * RATE_HZ)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.clip(np.rint(line), -32768, 32767).astype("<i2").tobytes())
