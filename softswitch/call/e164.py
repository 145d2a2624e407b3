"""National numbers as E.164 knows them, by the numbering plans that libphonenumber publishes.

Invariant: pure, and bounded: at most REMEMBERED answers are kept. What is no valid number of the country
gives an empty text, never an error.
"""

from __future__ import annotations

from functools import lru_cache

import phonenumbers

REMEMBERED = 50_000
SHORTEST, LONGEST = 8, 18
"""Digits of what is looked up: shorter ones are extensions, emergency and service numbers."""


@lru_cache(maxsize=REMEMBERED)
def e164(digits: str, country: str) -> str:
    """`88005550100` in country `7` is `+78005550100`; empty if it is no valid number there."""
    if not SHORTEST <= len(digits) <= LONGEST:
        return ""
    region = region_of(country)
    try:
        number = phonenumbers.parse(digits, region) if region else None
    except phonenumbers.NumberParseException:
        return ""
    if number is None or not phonenumbers.is_valid_number(number):
        return ""
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@lru_cache(maxsize=256)
def region_of(country: str) -> str:
    """The region that a country code is first of all: `7` is `RU`; empty for none."""
    if not country.isascii() or not country.isdigit():
        return ""
    region = str(phonenumbers.region_code_for_country_code(int(country)))
    return "" if region in ("ZZ", "001") else region


@lru_cache(maxsize=256)
def trunk_of(country: str) -> str:
    """What is dialled before a number of another area: `8` in country `7`; empty where nothing is."""
    region = region_of(country)
    plan = phonenumbers.PhoneMetadata.metadata_for_region(region) if region else None
    return str(plan.national_prefix or "") if plan is not None else ""
