"""How the sound of a call was, told leg by leg, for the log's page of one call.

Invariant: what is not known is not told; the short form is one line a direction.
"""

from __future__ import annotations

from collections.abc import Sequence

from media.messages import Quality
from softswitch.call.record import LegRecord, loss_percent


def quality_lines(legs: Sequence[LegRecord]) -> list[str]:
    """What came from each leg, and how the leg heard us, a line each; none where nothing came."""
    return [line for leg in legs if leg.quality is not None for line in _of_leg(leg, leg.quality)]


def encryption_lines(legs: Sequence[LegRecord]) -> list[str]:
    """By what the signalling of each leg came, and how its audio is encrypted; none where none was agreed."""
    return [
        f"{leg.role} {leg.party}".strip() + f": {leg.srtp or 'plain audio'}, {leg.address.partition(':')[0]}"
        for leg in legs
        if leg.codec
    ]


def codecs_spoken(legs: Sequence[LegRecord]) -> str:
    """`caller 300 OPUS, agent anna PCMU`: what was agreed with each leg; empty while nothing is."""
    return ", ".join(f"{leg.role} {leg.party}".strip() + f" {leg.codec}" for leg in legs if leg.codec)


def _of_leg(leg: LegRecord, quality: Quality) -> list[str]:
    who = f"{leg.role} {leg.party}".strip()
    lines = []
    loss = loss_percent(quality)
    if loss is not None:
        lines.append(f"from {who}: " + ", ".join(_from(quality, loss)))
    if quality.remote_lost >= 0 or quality.remote_mos >= 1.0:
        lines.append(f"to {who}: " + ", ".join(_to(quality)))
    return lines


def _from(quality: Quality, loss: float) -> list[str]:
    parts = [f"MOS {quality.mos:.1f}"] if quality.mos >= 1.0 else []
    parts.append(f"{loss:.1f} % lost")
    for count, what in (
        (quality.packets_late, "late"),
        (quality.packets_reordered, "out of order"),
        (quality.packets_duplicated, "twice"),
        (quality.packets_refused, "refused (not authentic)"),
    ):
        if count:
            parts.append(f"{count} {what}")
    if quality.concealed_ms:
        parts.append(f"{quality.concealed_ms} ms concealed")
    parts.append(f"jitter {quality.jitter_ms:.1f} ms (at most {quality.max_jitter_ms:.1f})")
    if quality.buffer_ms >= 0:
        parts.append(f"buffered {quality.buffer_ms:.0f} ms")
    return parts


def _to(quality: Quality) -> list[str]:
    parts = [f"MOS {quality.remote_mos:.1f}"] if quality.remote_mos >= 1.0 else []
    if quality.remote_lost >= 0:
        parts.append(f"{quality.remote_lost} of {quality.packets_sent} packets lost")
    if quality.remote_jitter_ms >= 0:
        parts.append(f"jitter {quality.remote_jitter_ms:.1f} ms")
    if quality.round_trip_ms >= 0:
        parts.append(f"round trip {quality.round_trip_ms:.0f} ms")
    return parts
