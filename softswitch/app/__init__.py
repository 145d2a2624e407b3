"""The composition root: from a configuration to a running switch. The only maker of the distributor, the
menus and the media."""

from softswitch.app.server import Server, run

__all__ = ["Server", "run"]
