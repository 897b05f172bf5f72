"""Names for people and for compilers: whatever Python calls a value, in letters that MLIR and C take too.

    θ, self.γ, x̂, Δx, потеря     ->     theta, gamma, x_hat, Delta_x, poterya

The one rule for names that are not ASCII. Two names may come out alike (`θ` and `theta`); the printers of IR and of C
number what is alike.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_SPELLINGS = {"lamda": "lambda"}  # Unicode's own
_MARKS = {"\u0302": "hat", "\u0304": "bar", "\u0305": "bar", "\u0303": "tilde", "\u0307": "dot"}
"""Of mathematics, over letters that have no such accent in any language."""
_CYRILLIC = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
        "a b v g d e yo zh z i y k l m n o p r s t u f kh ts ch sh shch - y - e yu ya".replace("-", "").split(" "),
        strict=True,
    )
)
"""How passports spell it: the names of the letters would make words that nobody can read."""
_KIND = re.compile(r".*?\b(?:LETTER|SYLLABLE|LIGATURE|IDEOGRAPH)\b[ -]|.*(?=-[0-9A-F]{4,}$)")
_VARIANT = re.compile(r" (?:WITH|SYMBOL|SIGN)\b.*")
_NOT_A_NAME = re.compile(r"[^A-Za-z0-9_]+")


def to_ascii(text: str) -> str:
    """The text with every character that is not ASCII spelled out; what has no name becomes `?`."""
    return text if text.isascii() else _spelled(text)


def identifier(text: str) -> str:
    """An identifier of ASCII letters, digits and underscores that resembles the text; empty where nothing is left."""
    name = _NOT_A_NAME.sub(" ", to_ascii(text)).strip().replace(" ", "_")
    return f"x{name}" if name[:1].isdigit() else name


@lru_cache(maxsize=4096)
def _spelled(text: str) -> str:
    parts: list[str] = []
    apart = False
    """Whether a letter that follows now would seem to belong to the word before."""
    for character in unicodedata.normalize("NFKC", text):
        word, is_word = _word(character)
        if word and word[0].isalpha() and (apart or (is_word and word in _MARKS.values())):
            parts.append("_")
        parts.append(word)
        if word:
            apart = is_word
    return "".join(parts)


def _word(character: str) -> tuple[str, bool]:
    """What stands for a character, and whether that is a word rather than a letter or two."""
    if character.isascii():
        return character, False
    if character in _MARKS:
        return _MARKS[character], True
    if unicodedata.combining(character):
        return "", False
    lower = character.lower()
    if lower in _CYRILLIC:
        spelled = _CYRILLIC[lower]
        return (spelled if character == lower else spelled.capitalize()), False
    plain = unicodedata.normalize("NFKD", character)[0]
    if plain.isascii():
        return plain, False
    if (digit := unicodedata.digit(character, None)) is not None:
        return str(digit), False
    name = unicodedata.name(character, "")
    if not name:
        return "?", False
    if name.startswith("CJK"):
        return f"u{ord(character):x}", True
    word = _NOT_A_NAME.sub("_", _VARIANT.sub("", _KIND.sub("", name)).lower())
    word = _SPELLINGS.get(word, word)
    return (word.capitalize() if character.isupper() else word), len(word) > 2
