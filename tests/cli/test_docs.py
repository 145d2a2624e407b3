"""docs/cli.md and docs/api.md say what the program does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from softswitch.api import types
from softswitch.api.doctor import DoctorRoutes, no_doctor
from softswitch.api.orders import OrderRoutes
from softswitch.api.recordings import NoRecordings, RecordingRoutes, RecordingStatus, Verified
from softswitch.api.rehearsal import RehearsalRoutes, no_rehearsal
from softswitch.api.routes import LiveRoutes, LogRoutes
from softswitch.api.voicemail import MailboxStatus, MessageStatus, NoMailboxes, VoicemailRoutes
from softswitch.call.record import CallRecord, Disposition
from softswitch.call.rehearsal import RouteAnswer, RouteQuestion, RouteStep
from softswitch.client_report import ClientReport
from softswitch.diagnosis import Diagnosis, Finding
from softswitch.explanation import Explained, ExplainedOffer
from softswitch.report import AgentReport, QueueReport
from softswitch.store import StoredEvent

ROOT = Path(__file__).parents[2]


def test_the_commands_page_is_up_to_date() -> None:
    check = [sys.executable, str(ROOT / "scripts" / "gen_cli_docs.py"), "--check"]
    done = subprocess.run(check, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_api_page_names_every_route_and_every_key() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    routes = [*LiveRoutes(None).routes(), *LogRoutes(None, None, {}, None).routes()]  # type: ignore[arg-type]
    routes += [*OrderRoutes(None).routes(), *DoctorRoutes(no_doctor).routes()]  # type: ignore[arg-type]
    routes += VoicemailRoutes(NoMailboxes()).routes()
    routes += RehearsalRoutes(no_rehearsal).routes()
    routes += RecordingRoutes(NoRecordings()).routes()
    for route in routes:
        path = route.path.replace("{name}", "NAME").replace("{call:path}", "ID")
        methods = (route.methods or set()) - {"HEAD"}
        assert all(f"`{method} {path}`" in page for method in methods), (methods, path)
    answers: list[type[msgspec.Struct]] = [
        kind for kind in vars(types).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    ]
    answers += [CallRecord, StoredEvent, QueueReport, AgentReport, Diagnosis, Finding]
    answers += [Explained, ExplainedOffer, MailboxStatus, MessageStatus]
    answers += [RecordingStatus, Verified]
    answers += [RouteQuestion, RouteAnswer, RouteStep, ClientReport]
    for kind in answers:
        for field in msgspec.structs.fields(kind):
            assert f"`{field.name}`" in page, f"{kind.__name__}.{field.name}"
    for disposition in Disposition:
        assert f"`{disposition.value}`" in page
