"""What the switch says to those who wait: how long it will take, and the offer to be called back.

Invariant: every language has every sentence. Numbers and keys stand after a colon, or the sentence has a form
of its own for one, so that it is right by grammar for each of them.
"""

# ruff: noqa: RUF001 - the letters of four languages look like one another

from __future__ import annotations

from collections.abc import Mapping

MAX_WAIT_MINUTES = 60
"""The longest wait that is announced by its number of minutes."""

KEYS = "0123456789*#"

SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "wait": "Your estimated waiting time is {n} minutes.",
        "wait-1": "Your estimated waiting time is one minute.",
        "wait-less": "Your estimated waiting time is less than one minute.",
        "wait-more": "Your estimated waiting time is more than one hour.",
        "callback-offer": "If you want us to call you back and keep your place in the queue, press {key}.",
        "callback-number": "We will call you back at this number:",
        "callback-confirm": "If this is right, press 1. To give another number, press 2. "
        "To go on waiting, press the star key.",
        "callback-type": "Please enter the number, then press the hash key.",
        "callback-thanks": "Thank you. You keep your place in the queue, and we will call you back. Goodbye.",
        "callback-already": "We have noted already that you want to be called back.",
        "callback-impossible": "This number cannot be called back.",
        "callback-hello": "This is the call that you asked for. Please hold the line.",
        "plus": "plus",
        "key-star": "the star key",
        "key-hash": "the hash key",
    },
    "ru": {
        "wait": "Примерное время ожидания в минутах: {n}.",
        "wait-1": "Примерное время ожидания: одна минута.",
        "wait-less": "Примерное время ожидания: меньше минуты.",
        "wait-more": "Примерное время ожидания: больше часа.",
        "callback-offer": "Чтобы мы перезвонили вам и сохранили ваше место в очереди, нажмите: {key}.",
        "callback-number": "Мы перезвоним вам по номеру:",
        "callback-confirm": "Если номер верный, нажмите: 1. Чтобы указать другой номер, нажмите: 2. "
        "Чтобы остаться на линии, нажмите звёздочку.",
        "callback-type": "Наберите номер и нажмите решётку.",
        "callback-thanks": "Спасибо. Ваше место в очереди сохранено, мы вам перезвоним. До свидания.",
        "callback-already": "Мы уже записали, что вам нужно перезвонить.",
        "callback-impossible": "По этому номеру перезвонить невозможно.",
        "callback-hello": "Вы просили перезвонить. Пожалуйста, оставайтесь на линии.",
        "plus": "плюс",
        "key-star": "звёздочка",
        "key-hash": "решётка",
    },
    "tr": {
        "wait": "Tahmini bekleme süresi, dakika olarak: {n}.",
        "wait-1": "Tahmini bekleme süresi: bir dakika.",
        "wait-less": "Tahmini bekleme süresi: bir dakikadan az.",
        "wait-more": "Tahmini bekleme süresi: bir saatten fazla.",
        "callback-offer": "Sıranızı koruyarak sizi geri aramamızı isterseniz şu tuşa basın: {key}.",
        "callback-number": "Sizi şu numaradan geri arayacağız:",
        "callback-confirm": "Numara doğruysa şu tuşa basın: 1. Başka bir numara vermek için: 2. "
        "Beklemeye devam etmek için yıldız tuşuna basın.",
        "callback-type": "Lütfen numarayı tuşlayın, sonra kare tuşuna basın.",
        "callback-thanks": "Teşekkür ederiz. Sıranız korunuyor, sizi geri arayacağız. Hoşça kalın.",
        "callback-already": "Geri aranmak istediğiniz zaten kaydedildi.",
        "callback-impossible": "Bu numara geri aranamıyor.",
        "callback-hello": "İstediğiniz geri arama için arıyoruz. Lütfen hatta kalın.",
        "plus": "artı",
        "key-star": "yıldız",
        "key-hash": "kare",
    },
    "ro": {
        "wait": "Timpul de așteptare estimat, în minute: {n}.",
        "wait-1": "Timpul de așteptare estimat: un minut.",
        "wait-less": "Timpul de așteptare estimat: mai puțin de un minut.",
        "wait-more": "Timpul de așteptare estimat: mai mult de o oră.",
        "callback-offer": "Dacă doriți să vă sunăm noi și să vă păstrăm locul la rând, apăsați tasta: {key}.",
        "callback-number": "Vă vom suna la acest număr:",
        "callback-confirm": "Dacă numărul este corect, apăsați tasta: 1. Pentru alt număr, apăsați tasta: 2. "
        "Pentru a aștepta în continuare, apăsați steluța.",
        "callback-type": "Vă rugăm să introduceți numărul, apoi apăsați diez.",
        "callback-thanks": "Vă mulțumim. Vă păstrăm locul la rând și vă vom suna. La revedere.",
        "callback-already": "Am notat deja că doriți să vă sunăm.",
        "callback-impossible": "Acest număr nu poate fi sunat.",
        "callback-hello": "Acesta este apelul pe care l-ați cerut. Vă rugăm să rămâneți pe fir.",
        "plus": "plus",
        "key-star": "steluță",
        "key-hash": "diez",
    },
}

_FORMS = frozenset(("wait", "callback-offer", "key-star", "key-hash"))


def waiting_texts(language: str) -> dict[str, str]:
    """Name -> text: `wait-1` to `wait-60`, `callback-offer-9`, `digit-0` to `digit-9`, `plus` ..."""
    sentences = SENTENCES[language]
    texts = {name: text for name, text in sentences.items() if name not in _FORMS}
    for minutes in range(2, MAX_WAIT_MINUTES + 1):
        texts[f"wait-{minutes}"] = sentences["wait"].format(n=minutes)
    names = {"*": sentences["key-star"], "#": sentences["key-hash"]}
    for key in KEYS:
        texts[f"callback-offer-{key}"] = sentences["callback-offer"].format(key=names.get(key, key))
    return texts | {f"digit-{digit}": digit for digit in "0123456789"}


def wait_name(estimate_s: float) -> str:
    """The name of the prompt that announces a wait; minutes are rounded up."""
    if estimate_s < 60:
        return "wait-less"
    minutes = -int(-estimate_s // 60)
    return f"wait-{minutes}" if minutes <= MAX_WAIT_MINUTES else "wait-more"


def spell(number: str) -> tuple[str, ...]:
    """The names of the prompts that say a number digit by digit; other characters are left out."""
    names = {"+": "plus"} | {digit: f"digit-{digit}" for digit in "0123456789"}
    return tuple(names[char] for char in number if char in names)
