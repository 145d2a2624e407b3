"""The composition root: from a configuration to a running switch. The only maker of the distributor, the
menus and the media."""

from softswitch.app.running import run
from softswitch.app.server import Server

__all__ = ["Server", "run"]
