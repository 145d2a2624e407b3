"""`say`: a value in words, by the grammar of the caller's language: "twenty-one euros and five cents"."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from ivr.messages import Prompt
from ivr.node import Edge, Go, Node, Prompts, Visit, Wait, Walk
from ivr.prompt import LANGUAGE
from ivr.saying import FORMATS, GENDERS, KINDS, grammar, spoken
from ivr.template import Template

_FORMS = sorted({form for forms in FORMATS.values() for form in forms})


class Say(Node):
    """Say a value in words, by the grammar of the caller's language."""

    kind: Literal["number", "ordinal", "money", "date", "time", "digits", "text"] = Field(
        description="what the value is"
    )
    value: Template = Field(min_length=1, max_length=500, description="the value, such as `{balance}`")
    prompt: Prompts = Field((), description="what is said before it, such as `Your balance is`")
    currency: str = Field(
        "", pattern=r"^([A-Z]{3})?$", description="of money, such as `EUR`, where the value does not name it"
    )
    gender: Literal["", "m", "f", "n"] = Field("", description="of what is counted, where the language asks")
    noun: str = Field(
        "", max_length=200, description="what is counted, in its forms: `call|calls`, `звонок|звонка|звонков`"
    )
    form: str = Field("", description=f"another form of the kind: {', '.join(f'`{one}`' for one in _FORMS)}")
    language: str = Field("", description="the language to say it in; the one in force if empty")
    barge_in: bool = Field(True, description="whether a key cuts it short; the key is kept for the next menu")
    next: str = Field(description="the node that follows")
    otherwise: str = Field("", description="where to go if the value cannot be said so; `next` if empty")

    @field_validator("form")
    @classmethod
    def _known_form(cls, form: str) -> str:
        if form and form not in _FORMS:
            raise ValueError(f"{form!r} is not a form; known: {', '.join(_FORMS)}")
        return form

    @field_validator("language")
    @classmethod
    def _known_language(cls, language: str) -> str:
        if language:
            if not LANGUAGE.fullmatch(language):
                raise ValueError(f"{language!r} is not a language tag such as en, ru or en-GB")
            grammar(language)
        return language

    def visit(self, walk: Walk) -> Visit:
        """Say it, or go the other way if it is not what it should be."""
        language = self.language or walk.language
        value = walk.render(self.value)
        try:
            words = self._words(value, language)
        except ValueError:
            return Go(self.otherwise or self.next, {"invalid": value[:64]})
        if not (self.barge_in and walk.has_keys):
            walk.play((*self.prompt, Prompt(text=words, language=language, live=True)))
            yield Wait(keys=False, barge_in=self.barge_in)
            walk.stop()
        return Go(self.next)

    def _words(self, value: str, language: str) -> str:
        """ValueError if there are none."""
        if not value:
            raise ValueError("there is no value")
        for kind in KINDS:
            if kind == self.kind:
                return spoken(
                    kind,
                    value,
                    language or "en",
                    currency=self.currency,
                    gender=self.gender if self.gender in GENDERS else "",
                    noun=self.noun,
                    form=self.form,
                )
        return value

    def edges(self) -> tuple[Edge, ...]:
        """What follows, and what follows if it cannot be said."""
        other = (Edge("otherwise", self.otherwise),) if self.otherwise else ()
        return (Edge("next", self.next), *other)
