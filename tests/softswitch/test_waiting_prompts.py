"""What those who wait are told, in every language."""

import string

import pytest

from softswitch.system_prompts import LANGUAGES, system_prompts
from softswitch.waiting_prompts import SENTENCES, spell, wait_name, waiting_texts


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_language_has_every_sentence_with_the_same_variables() -> None:
    assert set(SENTENCES) == LANGUAGES
    english = {name: fields(text) for name, text in SENTENCES["en"].items()}
    for sentences in SENTENCES.values():
        assert {name: fields(text) for name, text in sentences.items()} == english


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_all_of_it_can_be_spoken_ahead(language: str) -> None:
    texts = waiting_texts(language)
    assert not any("{" in text for text in texts.values())
    assert {f"wait-{minutes}" for minutes in range(1, 61)} <= texts.keys()
    assert {f"callback-offer-{key}" for key in "0123456789*#"} <= texts.keys()
    assert texts.keys() <= system_prompts(language).keys()


@pytest.mark.parametrize(
    ("estimate_s", "name"),
    [
        (0.0, "wait-less"),
        (59.9, "wait-less"),
        (60.0, "wait-1"),
        (60.1, "wait-2"),
        (119.0, "wait-2"),
        (3600.0, "wait-60"),
        (3600.1, "wait-more"),
    ],
)
def test_minutes_are_rounded_up(estimate_s: float, name: str) -> None:
    assert wait_name(estimate_s) == name


def test_a_number_is_spelt() -> None:
    assert spell("+7 (0)a#") == ("plus", "digit-7", "digit-0")
