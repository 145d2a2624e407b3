"""linphonec as a peer: SIP over TLS and SRTP of another maker, driven by what is typed into it.

Traps: ~/.local/share/linphone must exist; mbedTLS knows no IP addresses in certificates, so it calls
`localhost`; what it plays must be chosen before a call, and its recording is complete when it has ended.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal

from tests.support.ports import free_rtp_port
from tests.support.processes import Program

CONFIG = """\
[sip]
sip_port=-1
sip_tcp_port=-1
sip_tls_port=-1
use_ipv6=0
media_encryption={srtp}
media_encryption_mandatory={mandatory}
root_ca={ca}
verify_server_certs=1
verify_server_cn=1
default_proxy=0
[net]
mtu=1300
[rtp]
audio_rtp_port={rtp}
[sound]
echocancellation=0
[video]
enabled=0
[proxy_0]
reg_proxy=<sip:localhost:{port};transport=tls>
reg_route=<sip:localhost:{port};transport=tls>
reg_identity=sip:{user}@localhost:{port}
reg_expires=300
reg_sendregister=1
publish=0
[auth_info_0]
username={user}
passwd={password}
realm=test
domain=localhost
"""


class Linphone(Program):
    """One linphonec, registered over TLS at a switch on this machine."""

    def __init__(
        self,
        directory: Path,
        *,
        user: str,
        password: str,
        port: int,
        ca: Path,
        source: Path,
        srtp: Literal["none", "srtp"] = "srtp",
        mandatory: bool = True,
        answer: bool = False,
    ) -> None:
        home = directory / f"linphone-{user}"
        (home / ".local/share/linphone").mkdir(parents=True)
        self.heard = directory / f"linphone-{user}-heard.wav"
        self._source = source
        self._port = port
        config = home / "linphonerc"
        values = {"user": user, "password": password, "port": port, "ca": ca, "srtp": srtp}
        config.write_text(CONFIG.format(mandatory=int(mandatory), rtp=free_rtp_port(), **values))
        arguments: list[str | Path] = ["-c", config, "-d", "0", *(["-a"] if answer else [])]
        super().__init__("linphonec", *arguments, env={"HOME": str(home)}, typed=True)

    async def start(self) -> None:
        """Starts it, with files for a microphone and a loudspeaker."""
        await super().start()
        await self.type("soundcard use files")
        await self.wait_line("Using wav files", 10)
        await self.type(f"play {self._source}")
        await self.type(f"record {self.heard}")

    async def dial(self, number: str) -> None:
        """Calls a number of the switch."""
        await self.type(f"call sip:{number}@localhost:{self._port}")

    async def hang_up(self) -> None:
        """Ends the call."""
        await self.type("terminate")

    async def stop(self) -> None:
        """Ends it; the recording is complete afterwards."""
        with contextlib.suppress(ConnectionError, AssertionError):
            await self.type("quit")
            await self.wait(5)
        await super().stop()
