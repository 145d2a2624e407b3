"""baresip as a peer: a phone that we did not write, driven over its control socket (JSON netstrings).

Traps: `net_interface` must be the address; the end of the source file ends the call, so make files long
enough; it listens for SIP over TLS on its port + 1; without `stdio.so` it needs no terminal; `aubridge` is a
player that needs no sound card. Each recording is two files of `sndfile`, one a direction, complete only when
the call has ended.
"""

import asyncio
import contextlib
import json
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from tests.support.ports import free_port, free_rtp_port
from tests.support.processes import Program, ProgramError

MODULES = Path("/usr/lib/baresip/modules")
REPLY_S = 5.0
NETSTRING_BYTES = 65_536

CODECS = {
    "PCMU": ("PCMU/8000/1", "g711.so"),
    "PCMA": ("PCMA/8000/1", "g711.so"),
    "G722": ("G722/16000/1", "g722.so"),
    "GSM": ("GSM/8000/1", "gsm.so"),
    "L16": ("L16/16000/1", "l16.so"),
    "opus": ("opus/48000/2", "opus.so"),
}
"""As baresip names a codec, with the sampling rate of its audio, and the module that has it."""

CONFIG = """\
poll_method epoll
sip_listen {host}:{port}
call_local_timeout 120
call_max_calls 4
audio_source aufile,{source}
audio_player aubridge,player
audio_alert aubridge,alert
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels 1
auplay_channels 1
audio_buffer 20-160
rtp_tos 184
rtp_ports {rtp_first}-{rtp_last}
rtcp_mux no
jitter_buffer_delay 1-3
net_interface {interface}
module_path {modules}
{codec_modules}
module srtp.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
snd_path .
"""


class Baresip(Program):
    """One baresip with one account. Events are baresip's own names (`CALL_ESTABLISHED` ...), see `event`.

    async with Baresip(tmp_path, source=tone_wav, answer="auto") as phone:
        await phone.event("CALL_ESTABLISHED", 10)
    """

    def __init__(
        self,
        directory: Path,
        source: Path,
        *,
        user: str = "baresip",
        server: str | None = None,
        password: str = "",
        transport: Literal["udp", "tcp", "tls"] = "udp",
        answer: Literal["auto", "manual"] = "manual",
        codecs: tuple[str, ...] = ("PCMU", "PCMA"),
        dtmf: Literal["rtpevent", "info"] = "rtpevent",
        display_name: str = "",
        rate: int = 8000,
        ca: Path | None = None,
        srtp: Literal["", "srtp", "srtp-mand", "srtp-mandf"] = "",
        ipv6: bool = False,
    ) -> None:
        """`source` is a mono 16-bit WAV file of `rate` samples a second, and so is what it records. With
        `server` (host:port) it registers there at once. `ca`: whom it believes over TLS; `srtp`: keys in its
        SDP, offered beside plain audio, demanded, or by RTP/SAVP. With `ipv6` it is on ::1 alone, else on
        127.0.0.1."""
        self.port = free_port()
        self.host = "[::1]" if ipv6 else "127.0.0.1"
        self.control_port = free_port()
        self.user = user
        self.recordings = directory / f"baresip-{self.port}-recordings"
        self.recordings.mkdir()
        self._events: list[dict[str, Any]] = []
        self._taken: set[int] = set()
        self._arrived = asyncio.Condition()
        self._writer: asyncio.StreamWriter | None = None
        self._control: asyncio.Task[None] | None = None
        self._token = 0
        home = directory / f"baresip-{self.port}"
        home.mkdir()
        rtp = free_rtp_port(8)
        config = CONFIG.format(
            host=self.host,
            interface=self.host.strip("[]"),
            port=self.port,
            source=source,
            rtp_first=rtp,
            rtp_last=rtp + 15,
            modules=MODULES,
            control=self.control_port,
            rate=rate,
            codec_modules="\n".join(f"module {name}" for name in sorted({CODECS[one][1] for one in codecs})),
        )
        if ca is not None:
            config += f"sip_cafile {ca}\n"
        (home / "config").write_text(config)
        (home / "contacts").write_text("")
        address = f"<sip:{user}@{server or f'{self.host}:{self.port}'};transport={transport}>"
        settings = {
            "regint": "60" if server else "0",
            "answermode": answer,
            "audio_codecs": ",".join(CODECS[name][0] for name in codecs),
            "dtmfmode": dtmf,
            "ptime": "20",
        }
        if srtp:
            settings["mediaenc"] = srtp
        if password:
            settings |= {"auth_user": user, "auth_pass": password}
        tail = "".join(f";{name}={value}" for name, value in settings.items())
        shown = f'"{display_name}" ' if display_name else ""
        self._account = f"{shown}{address}{tail}"
        (home / "accounts").write_text("")
        # Relative, because sndfile cuts longer paths off at 127 characters.
        family = ("-6",) if ipv6 else ()
        super().__init__("baresip", *family, "-f", home, cwd=self.recordings, env={"HOME": str(home)})

    @property
    def uri(self) -> str:
        """Where it can be called directly."""
        return f"sip:{self.user}@{self.host}:{self.port}"

    async def start(self) -> None:
        """Starts it, connects to its control socket, and gives it its account, which registers at once."""
        await super().start()
        await self.wait_line(r"^baresip is ready", 10)
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self.control_port)
        self._control = asyncio.create_task(self._listen(reader))
        # Only now, so that no event of its registration comes before somebody listens.
        await self.register()

    async def stop(self) -> None:
        """Ends it; recordings are complete afterwards."""
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(ConnectionError):
                await self._writer.wait_closed()
            self._writer = None
        if self._control is not None:
            await self._control
            self._control = None
        await super().stop()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await super().__aexit__(kind, error, trace)
        if error is not None:
            print("\n".join(json.dumps(event) for event in self._events))

    async def command(self, command: str, parameters: str = "") -> str:
        """Runs one of baresip's long commands; ProgramError when baresip refuses it."""
        assert self._writer is not None, "baresip was not started"
        self._token += 1
        token = f"t{self._token}"
        text = json.dumps({"command": command, "params": parameters, "token": token}).encode()
        self._writer.write(b"%d:%b," % (len(text), text))
        await self._writer.drain()
        reply = await self._first(lambda event: event.get("token") == token, REPLY_S, f"a reply to {command}")
        if not reply["ok"]:
            raise ProgramError(f"baresip: {command} {parameters}: {reply.get('data')}")
        return str(reply.get("data", ""))

    async def register(self) -> None:
        """Registers by its account, once more if it has done so before."""
        await self.command("uanew", self._account)

    async def dial(self, uri: str) -> None:
        """Calls a SIP URI."""
        await self.command("dial", uri)

    async def accept(self) -> None:
        """Answers the incoming call."""
        await self.command("accept")

    async def hangup(self) -> None:
        """Ends the call."""
        await self.command("hangup")

    async def digits(self, digits: str) -> None:
        """Presses keys, in the way that the account was given."""
        await self.command("sndcode", digits)

    async def event(self, kind: str, timeout_s: float) -> dict[str, Any]:
        """The next event of this type that nobody has waited for yet; it may have come already."""
        return await self._first(lambda event: event.get("type") == kind, timeout_s, kind)

    def heard(self) -> list[Path]:
        """What came from the far end, one file a call, the oldest first."""
        return sorted(self.recordings.glob("*-dec.wav"))

    def said(self) -> list[Path]:
        """What it sent, one file a call, the oldest first."""
        return sorted(self.recordings.glob("*-enc.wav"))

    async def _first(self, wanted: Any, timeout_s: float, label: str) -> dict[str, Any]:
        def found() -> int | None:
            for index, event in enumerate(self._events):
                if index not in self._taken and wanted(event):
                    return index
            return None

        async with self._arrived:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._arrived.wait_for(lambda: found() is not None)
            index = found()
            if index is None:
                raise ProgramError(
                    f"baresip: {label} did not come in {timeout_s:g} s; it sent {self._events}"
                )
            self._taken.add(index)
            return self._events[index]

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                length = int((await reader.readuntil(b":"))[:-1])
                assert length < NETSTRING_BYTES
                message = json.loads(await reader.readexactly(length))
                await reader.readexactly(1)
                async with self._arrived:
                    self._events.append(message)
                    self._arrived.notify_all()
