"""Agents, as far as it concerns other sections: their phones outside, and the codes that they log in by.

Invariant: as in `checks`.
"""

from __future__ import annotations

from collections.abc import Iterator

from softswitch.config.check_calls import target_fault
from softswitch.config.draft import Draft, Fault


def check_agents(draft: Draft) -> Iterator[Fault]:
    """Phones outside, numbers and PINs."""
    of_number: dict[str, str] = {}
    for name, agent in draft.config.agents.items():
        if agent.phone and (message := target_fault(draft, agent.phone)):
            yield ("agents", name, "phone"), message
        if agent.pin.get_secret_value() and not agent.number:
            message = "a PIN is asked for at log-ins by number; give agents.{}.number too, or remove it"
            yield ("agents", name, "pin"), message.format(name)
        if not agent.number:
            continue
        if agent.number in of_number:
            message = f"{agent.number} is the number of {of_number[agent.number]!r} already"
            yield ("agents", name, "number"), f"{message}; give each his own"
        of_number.setdefault(agent.number, name)
        if message := _code_taken(draft, agent.number):
            yield ("agents", name, "number"), message


def _code_taken(draft: Draft, number: str) -> str:
    """What else the log-in code with this agent's number means; empty if nothing."""
    config = draft.config
    login = config.feature_codes.login
    if not login:
        return ""
    code = login + number
    others: dict[str, str] = config.feature_codes.model_dump()
    for verb, other in others.items():
        if other == code:
            return f"{code} would log him in, and is the code of {verb!r}; choose another number"
    if config.feature_codes.pause and code.startswith(config.feature_codes.pause):
        digit = code.removeprefix(config.feature_codes.pause)
        if digit in [str(n) for n in range(1, len(config.pauses.reasons) + 1)]:
            return f"{code} would log him in, and is a pause code with its reason; choose another number"
    return ""
