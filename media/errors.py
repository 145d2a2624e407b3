"""What can go wrong in the media process, as exceptions that name the culprit and the remedy.

Invariant: nothing that comes from the network raises; these are for files, ports and the control socket.
"""

from __future__ import annotations


class MediaError(Exception):
    """Base of all errors of `media`."""


class ClipError(MediaError):
    """A prompt or tone cannot be played: the message names the clip and says what to do."""


class CaptureError(MediaError):
    """A file is no capture, or cannot be read: the message names it and the cause."""


class RecordError(MediaError):
    """A recording cannot be made or continued: the message names the file and the cause."""


class PortsExhaustedError(MediaError):
    """The configured range has no free RTP port left: the message names the range."""


class DescriptorsExhaustedError(PortsExhaustedError):
    """The process has no file descriptor left for a socket: the message names the limit."""


class PortRefusedError(PortsExhaustedError):
    """The system refuses the address or the port as such: the message names them and the cause."""


class ControlError(MediaError):
    """The other end of the control socket broke the framing; the connection cannot go on."""


class ControlClosedError(ControlError):
    """The other end of the control socket has closed it; what it said before can still be read."""


class CodecError(MediaError):
    """What arrived is no packet of its codec, or a codec cannot be used: the message names it and the
    remedy."""
