"""Regular expressions that may see what strangers send.

Invariant: those in which a repeated group holds another repetition or a choice, which some texts make take
for ever, are refused, and so are more than MAX_REPEATS repetitions. Who uses one cuts the text at MAX_INPUT.
"""

from __future__ import annotations

import re

MAX_INPUT = 256
MAX_PATTERN = 200
MAX_REPEATS = 3


def safe_pattern(text: str) -> re.Pattern[str]:
    """A regular expression that takes no unreasonable time on MAX_INPUT characters; ValueError."""
    if not text or len(text) > MAX_PATTERN:
        raise ValueError(f"a regular expression has 1 to {MAX_PATTERN} characters")
    try:
        pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    repeats = 0
    groups: list[bool] = [False]  # whether each open group holds a repetition or a choice
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", text)  # escapes and sets are one character each
    closed = False
    for place, char in enumerate(plain):
        if char == "(":
            groups.append(False)
        elif char == ")":
            closed = groups.pop()
            groups[-1] |= closed
            continue
        elif char == "|":
            groups[-1] = True
        elif char in "*+" or re.match(r"\{\d*,\d*\}|\{\d+\}", plain[place:]):
            if place and plain[place - 1] == ")" and closed:
                message = "a repeated group holds a repetition or a choice, which can take for ever"
                raise ValueError(f"{text!r}: {message}; write it without, or as a set such as [ab]")
            if char in "*+" or "," in plain[place : plain.find("}", place)]:
                groups[-1] = True
                repeats += not (char == "+" and place and plain[place - 1] in "*+}")
    if repeats > MAX_REPEATS:
        raise ValueError(f"{text!r} has {repeats} repetitions; at most {MAX_REPEATS}, {{n}} is none")
    return pattern
