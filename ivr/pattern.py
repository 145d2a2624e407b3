"""Regular expressions that may see what strangers send.

Each repetition multiplies the time by the length of the text, and so does a beginning that may lie anywhere.
Invariant: those in which a repeated group holds another repetition, an option or a choice, which some texts
make take for ever, are refused, and so are more than MAX_REPEATS repetitions (a beginning without `^` counts
as one) or MAX_OPTIONS options. Who uses one cuts the text at MAX_INPUT.
"""

from __future__ import annotations

import re

MAX_INPUT = 256
MAX_PATTERN = 200
MAX_REPEATS = 3
MAX_OPTIONS = 8


def safe_pattern(text: str, *, whole: bool = False) -> re.Pattern[str]:
    """A regular expression that takes no unreasonable time on MAX_INPUT characters; ValueError. `whole`: the
    text is to match from its beginning to its end (`fullmatch`).
    """
    if not text or len(text) > MAX_PATTERN:
        raise ValueError(f"a regular expression has 1 to {MAX_PATTERN} characters")
    try:
        pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    repeats = options = 0
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
        elif char == "?" and place and plain[place - 1] not in "(*+}?":
            groups[-1] = True
            options += 1
        elif char in "*+" or re.match(r"\{\d*,\d*\}|\{\d+\}", plain[place:]):
            if place and plain[place - 1] == ")" and closed:
                message = "a repeated group holds a repetition or a choice, which can take for ever"
                raise ValueError(f"{text!r}: {message}; write it without, or as a set such as [ab]")
            if char in "*+" or "," in plain[place : plain.find("}", place)]:
                groups[-1] = True
                repeats += not (char == "+" and place and plain[place - 1] in "*+}")
    begins = whole or (text.startswith("^") and "|" not in plain)
    most = MAX_REPEATS if begins else MAX_REPEATS - 1
    if repeats > most:
        raise ValueError(
            f"{text!r} has {repeats} repetitions; at most {MAX_REPEATS} after a ^ at its beginning, else "
            f"{MAX_REPEATS - 1}; {{n}} is none"
        )
    if options > MAX_OPTIONS:
        raise ValueError(f"{text!r} has {options} parts with a ?; at most {MAX_OPTIONS}")
    return pattern
