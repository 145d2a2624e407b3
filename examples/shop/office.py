"""The carrier and the office of the example `shop`, played by a small web server: it knows when parcels
arrive, and prints what the menus tell it.

    python examples/shop/office.py
"""

from __future__ import annotations

import contextlib
import datetime
import json
from http.server import BaseHTTPRequestHandler, HTTPServer

ADDRESS = ("127.0.0.1", 8901)


class Office(BaseHTTPRequestHandler):
    """GET /parcels/NUMBER, POST /cancelled."""

    def do_GET(self) -> None:
        """When a parcel arrives: the day after tomorrow."""
        if self.path.startswith("/parcels/P"):
            day = datetime.datetime.now().astimezone().date() + datetime.timedelta(days=2)
            self._answer(200, {"delivery": {"day": day.isoformat()}})
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        """A message from a menu; docs/menus.md tells how its signature is checked."""
        length = min(int(self.headers.get("Content-Length", 0)), 65_536)
        print("told:", self.rfile.read(length).decode(errors="replace"), flush=True)
        self._answer(200, {})

    def _answer(self, status: int, what: object) -> None:
        body = json.dumps(what).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    print(f"listening on http://{ADDRESS[0]}:{ADDRESS[1]}; Ctrl-C ends it")
    with contextlib.suppress(KeyboardInterrupt):
        HTTPServer(ADDRESS, Office).serve_forever()
