"""The types of the fields that concern agents: what they dial, where they are, what they are told.

Invariant: as in `fields`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from ivr.messages import Prompt
from ivr.prompt import parse_prompts
from softswitch.call.settings import Target
from softswitch.call.whisper import DISPLAYED, VARIABLES, unknown_variables
from softswitch.config.fields import TargetField, Text


def _outside(target: Target) -> Target:
    if target.kind != "peer" or not target.number:
        raise ValueError(f"'{target}' is not a phone outside; write peer:NAME/NUMBER, or use extension")
    return target


OutsidePhone = Annotated[TargetField, AfterValidator(_outside)]
"""`peer:NAME/NUMBER`."""


def _pin(value: SecretStr) -> SecretStr:
    pin = value.get_secret_value()
    if pin and not (3 <= len(pin) <= 16 and pin.isascii() and pin.isdigit()):
        raise ValueError("a PIN has 3 to 16 digits, in quotes")
    return value


Pin = Annotated[SecretStr, AfterValidator(_pin)]
"""Digits that only the agent knows; empty: none are asked for."""


def _template(text: str, variables: Collection[str] = DISPLAYED) -> str:
    if unknown := unknown_variables(text, variables):
        known = ", ".join(f"{{{name}}}" for name in variables)
        raise ValueError(f"{unknown[0]} is no variable; there are {known}")
    return text


Template = Annotated[Text, AfterValidator(_template)]
"""A text with variables in braces."""


def _whisper(value: object) -> tuple[Prompt, ...]:
    prompts = () if value == () else parse_prompts(value)
    for prompt in prompts:
        _template(prompt.text, VARIABLES)
    return prompts


Whisper = Annotated[tuple[Prompt, ...], BeforeValidator(_whisper)]
"""Prompts whose texts may hold variables."""


def _reasons(value: object) -> object:
    """A list of reasons has no limits."""
    if not isinstance(value, list | tuple):
        return value
    names = [name if isinstance(name, str) else repr(name) for name in value]
    return dict.fromkeys(names, 0.0)


PauseReasons = Annotated[
    dict[str, Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]], BeforeValidator(_reasons)
]
"""Reason -> longest pause in seconds, 0 for no limit; or a list of reasons."""
