"""What the switch itself says to callers and agents, in every language that it speaks.

Invariant: every language has every sentence. Numbers are written as digits after a colon, so that the
sentence is right by grammar for each of them in each language.
"""

# ruff: noqa: RUF001 - the letters of four languages look like one another

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ivr.messages import Prompt
from softswitch.agent_prompts import SENTENCES as TO_AGENTS
from softswitch.errors import LocalError
from softswitch.voicemail_prompts import voicemail_texts
from softswitch.waiting_prompts import waiting_texts

MAX_POSITION = 50
"""The last place in a queue that is announced by its number."""

_SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "position": "You are number {n} in the queue.",
        "position-more": "More than {n} callers are in the queue before you.",
        "logged-in": "You are logged in.",
        "logged-out": "You are logged out.",
        "ready": "You are ready.",
        "paused": "You are paused.",
        "not-logged-in": "You are not logged in.",
        "not-an-agent": "No agent works at this phone.",
        "not-possible": "This is not possible now.",
        "unknown-code": "This code is unknown.",
        "unknown-number": "This number is not in service.",
        "unavailable": "The person you are calling is not available.",
        "try-later": "We cannot take your call now. Please try again later.",
        "goodbye": "Thank you for calling. Goodbye.",
    },
    "ru": {
        "position": "Ваш номер в очереди: {n}.",
        "position-more": "Перед вами в очереди больше абонентов, чем {n}.",
        "logged-in": "Вы вошли в систему.",
        "logged-out": "Вы вышли из системы.",
        "ready": "Вы готовы принимать звонки.",
        "paused": "Вы на перерыве.",
        "not-logged-in": "Вы не вошли в систему.",
        "not-an-agent": "За этим телефоном не закреплён оператор.",
        "not-possible": "Сейчас это невозможно.",
        "unknown-code": "Неизвестный код.",
        "unknown-number": "Набранный номер не обслуживается.",
        "unavailable": "Вызываемый абонент сейчас недоступен.",
        "try-later": "Сейчас мы не можем ответить. Пожалуйста, перезвоните позже.",
        "goodbye": "Спасибо за звонок. До свидания.",
    },
    "tr": {
        "position": "Kuyruktaki sıra numaranız: {n}.",
        "position-more": "Kuyrukta sizden önce bekleyenlerin sayısı şundan fazla: {n}.",
        "logged-in": "Oturumunuz açıldı.",
        "logged-out": "Oturumunuz kapatıldı.",
        "ready": "Çağrı almaya hazırsınız.",
        "paused": "Moladasınız.",
        "not-logged-in": "Oturumunuz açık değil.",
        "not-an-agent": "Bu telefonda kayıtlı bir temsilci yok.",
        "not-possible": "Bu işlem şu anda yapılamıyor.",
        "unknown-code": "Bilinmeyen kod.",
        "unknown-number": "Aradığınız numara kullanılmamaktadır.",
        "unavailable": "Aradığınız kişiye şu anda ulaşılamıyor.",
        "try-later": "Şu anda yanıt veremiyoruz. Lütfen daha sonra tekrar arayın.",
        "goodbye": "Aradığınız için teşekkür ederiz. Hoşça kalın.",
    },
    "ro": {
        "position": "Numărul dumneavoastră la rând: {n}.",
        "position-more": "Numărul celor care așteaptă înaintea dumneavoastră este mai mare de: {n}.",
        "logged-in": "V-ați conectat.",
        "logged-out": "V-ați deconectat.",
        "ready": "Sunteți gata să primiți apeluri.",
        "paused": "Sunteți în pauză.",
        "not-logged-in": "Nu sunteți conectat.",
        "not-an-agent": "La acest telefon nu lucrează niciun agent.",
        "not-possible": "Acest lucru nu este posibil acum.",
        "unknown-code": "Cod necunoscut.",
        "unknown-number": "Numărul format nu este alocat.",
        "unavailable": "Persoana apelată nu este disponibilă.",
        "try-later": "Nu vă putem răspunde acum. Vă rugăm să sunați mai târziu.",
        "goodbye": "Vă mulțumim pentru apel. La revedere.",
    },
}

LANGUAGES = frozenset(_SENTENCES)
"""The languages that the switch speaks of itself."""


def system_prompts(language: str) -> Mapping[str, Prompt]:
    """Name -> prompt: `position-1` to `position-50`, `position-more`, `logged-in`, `ready`, `not-possible`
    ...

    LocalError if the switch does not speak the language.
    """
    if language not in _SENTENCES:
        known = ", ".join(sorted(LANGUAGES))
        raise LocalError(f"the switch has no announcements in {language!r}; choose one of {known}")
    prompts = {
        name: Prompt(text=text.format(n=MAX_POSITION), language=language)
        for name, text in _SENTENCES[language].items()
        if name != "position"
    }
    for n in range(1, MAX_POSITION + 1):
        prompts[f"position-{n}"] = Prompt(
            text=_SENTENCES[language]["position"].format(n=n), language=language
        )
    more = waiting_texts(language) | dict(TO_AGENTS[language]) | voicemail_texts(language)
    for name, text in more.items():
        prompts[name] = Prompt(text=text, language=language)
    return MappingProxyType(prompts)
