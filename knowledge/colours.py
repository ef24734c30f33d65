"""A site's accent colour, and every tone that follows from it.

Promise: pure. The tones of a scheme come from one accent, and a scheme is only made of an accent that people can
read: `problem_with` says what is wrong with one and which nearby tone would do.

Method: relative luminance and contrast ratio as WCAG 2.2 defines them (1..21); 4.5 is its level AA for text.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MINIMUM_CONTRAST: Final = 4.5
_HERO_CONTRAST: Final = 8.0  # of white text: the hero is large and dark
_HEX: Final = re.compile(r"#[0-9a-fA-F]{6}")

_BLACK: Final = "#000000"
_WHITE: Final = "#ffffff"


class Scheme(StrEnum):
    LIGHT = "light"
    DARK = "dark"


# The grounds that accent-coloured text stands on; as in site.css.
_GROUNDS: Final[Mapping[Scheme, tuple[str, ...]]] = {
    Scheme.LIGHT: ("#ffffff", "#f4f7f6", "#ebf1ef"),
    Scheme.DARK: ("#162120", "#0e1615", "#1d2b29"),
}
_SOFT_SHARE: Final = {Scheme.LIGHT: 0.11, Scheme.DARK: 0.14}


@dataclass(frozen=True)
class Unreadable:
    """An accent without enough contrast, and the nearest one that has it."""

    contrast: float  # 1..21, the worst among the grounds it stands on
    suggestion: str  # #rrggbb


def is_colour(text: str) -> bool:
    return _HEX.fullmatch(text) is not None


def contrast(first: str, second: str) -> float:
    """1 (the same) to 21 (black on white)."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def problem_with(accent: str, scheme: Scheme) -> Unreadable | None:
    found = _worst(accent, scheme)
    return None if found >= MINIMUM_CONTRAST else Unreadable(found, _nearest(accent, scheme))


def tones(accent: str, scheme: Scheme) -> dict[str, str]:
    """Custom properties of site.css, by name, for a readable accent."""
    away = _BLACK if scheme is Scheme.LIGHT else _WHITE
    hero = accent
    while contrast(hero, _WHITE) < _HERO_CONTRAST:
        hero = _mix(hero, _BLACK, 0.06)
    if scheme is Scheme.DARK:
        hero = _mix(hero, _BLACK, 0.3)
    return {
        "--accent": accent,
        "--accent-strong": _mix(accent, away, 0.25),
        "--on-accent": max((_WHITE, "#0b1212"), key=lambda text: contrast(text, accent)),
        "--accent-soft": _soft(accent, scheme),
        "--hero": hero,
        "--hero-glow": _mix(hero, _WHITE, 0.14),
        "--brand": accent if scheme is Scheme.LIGHT else hero,
    }


def _worst(accent: str, scheme: Scheme) -> float:
    return min(contrast(accent, ground) for ground in (*_GROUNDS[scheme], _soft(accent, scheme)))


def _soft(accent: str, scheme: Scheme) -> str:
    return _mix(_GROUNDS[scheme][0], accent, _SOFT_SHARE[scheme])


def _nearest(accent: str, scheme: Scheme) -> str:
    away = _BLACK if scheme is Scheme.LIGHT else _WHITE
    steps = (_mix(accent, away, step / 100) for step in range(1, 101))
    return next(tone for tone in steps if _worst(tone, scheme) >= MINIMUM_CONTRAST)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _mix(colour: str, other: str, share: float) -> str:
    """`share` (0..1) of the other colour in the first."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(mine + (its - mine) * share):02x}" for mine, its in pairs)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
