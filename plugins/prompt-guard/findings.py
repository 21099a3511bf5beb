# SPDX-License-Identifier: Apache-2.0
"""Where personal data stands in a text. Every function takes time in proportion to the text, whatever it holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Span = tuple[int, int]  # first character, and the one behind the last

# Bounded everywhere, and tried only where a word begins: no text makes it search the same characters over and over.
EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![\w-])"
)
# Digits with at most one space or hyphen between them.
DIGIT_RUN = re.compile(r"(?<!\d)\d(?:[ -]?\d)*", re.ASCII)
IBAN_START = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}", re.ASCII)
PHONES = (
    # With the country: +49 (0)30 123456
    re.compile(r"(?<![\w+])(?:\+|00)[1-9]\d{0,2}(?:[ ./-]?\(?\d{1,4}\)?){2,7}(?!\d)", re.ASCII),
    # North America's: (555) 123-4567
    re.compile(r"(?<![\w(+-])\(?[2-9]\d{2}\)?[ .-]\d{3}[ .-]\d{4}(?![\d-])", re.ASCII),
)
PHONE_DIGITS = range(7, 16)

CARD_DIGITS = range(13, 20)
CARD_FIRST_DIGITS = "23456"

# Characters of an IBAN, by country.
IBAN_LENGTHS = dict(
    part.split("=")
    for part in [
        "AD=24",
        "AE=23",
        "AL=28",
        "AT=20",
        "AZ=28",
        "BA=20",
        "BE=16",
        "BG=22",
        "BH=22",
        "BR=29",
        "BY=28",
        "CH=21",
        "CR=22",
        "CY=28",
        "CZ=24",
        "DE=22",
        "DK=18",
        "DO=28",
        "EE=20",
        "EG=29",
        "ES=24",
        "FI=18",
        "FO=18",
        "FR=27",
        "GB=22",
        "GE=22",
        "GI=23",
        "GL=18",
        "GR=27",
        "GT=28",
        "HR=21",
        "HU=28",
        "IE=22",
        "IL=23",
        "IQ=23",
        "IS=26",
        "IT=27",
        "JO=30",
        "KW=30",
        "KZ=20",
        "LB=28",
        "LC=32",
        "LI=21",
        "LT=20",
        "LU=20",
        "LV=21",
        "LY=25",
        "MC=27",
        "MD=24",
        "ME=22",
        "MK=19",
        "MR=27",
        "MT=31",
        "MU=30",
        "NL=18",
        "NO=15",
        "PK=24",
        "PL=28",
        "PS=29",
        "PT=25",
        "QA=29",
        "RO=24",
        "RS=22",
        "SA=24",
        "SC=31",
        "SD=18",
        "SE=24",
        "SI=19",
        "SK=24",
        "SM=27",
        "ST=25",
        "SV=28",
        "TL=23",
        "TN=24",
        "TR=26",
        "UA=29",
        "VA=22",
        "VG=24",
        "XK=20",
    ]
)


def passes_luhn(digits: str) -> bool:
    """The check digit of card numbers."""
    total = 0
    for i, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + i % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def passes_mod_97(iban: str) -> bool:
    """The check digits of IBANs."""
    return int("".join(str(int(character, 36)) for character in iban[4:] + iban[:4])) % 97 == 1


def find_emails(text: str) -> Iterator[Span]:
    for match in EMAIL.finditer(text):
        yield match.span()


def find_cards(text: str) -> Iterator[Span]:
    """Whole groups of digits only: a number inside a longer group is part of something else."""
    for run in DIGIT_RUN.finditer(text):
        places = [at for at in range(*run.span()) if text[at].isdigit()]
        first = 0
        while first + CARD_DIGITS.start <= len(places):
            count = card_length(text, places[first : first + CARD_DIGITS.stop])
            if count:
                yield places[first], places[first + count - 1] + 1
            first += count or 1


def card_length(text: str, places: list[int]) -> int:
    """The digits of the card number that begins at the first of `places`; 0 where there is none."""
    if text[places[0]] not in CARD_FIRST_DIGITS or text[places[0] - 1 : places[0]].isdigit():
        return 0
    for count in reversed(CARD_DIGITS):
        if count > len(places) or text[places[count - 1] + 1 : places[count - 1] + 2].isdigit():
            continue
        if passes_luhn("".join(text[at] for at in places[:count])):
            return count
    return 0


def find_ibans(text: str) -> Iterator[Span]:
    for start in IBAN_START.finditer(text):
        length = int(IBAN_LENGTHS.get(start[0][:2].upper(), "0"))
        characters, at = "", start.start()
        while len(characters) < length and at < len(text):
            if text[at].isascii() and text[at].isalnum():
                characters += text[at]
            elif text[at] != " " or text[at - 1] == " ":
                break
            at += 1
        ends_there = not text[at : at + 1].isalnum()
        if 0 < length == len(characters) and ends_there and passes_mod_97(characters):
            yield start.start(), at


def find_phones(text: str) -> Iterator[Span]:
    for pattern in PHONES:
        for match in pattern.finditer(text):
            if sum(character.isdigit() for character in match[0]) in PHONE_DIGITS:
                yield match.span()


# By the name that the config uses; an IBAN or a card number may look like a phone number, so these come first.
FINDERS: dict[str, Callable[[str], Iterator[Span]]] = {
    "iban": find_ibans,
    "card": find_cards,
    "email": find_emails,
    "phone": find_phones,
}
