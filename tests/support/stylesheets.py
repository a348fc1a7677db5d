"""Colours of the pages' style sheets, and how well one can be told from another (WCAG 2, contrast ratio)."""

from __future__ import annotations

import re
from importlib import resources

Colour = tuple[float, float, float]


def style(name: str) -> str:
    """A style sheet of the pages: `base.css`, which all have, `trace.css`, `report.css`."""
    return resources.files("nsreason.pages").joinpath("templates", name).read_text(encoding="utf-8")


def themes() -> list[dict[str, Colour]]:
    """The colours of all pages by name, without their dashes: by day, and by night."""
    parts = style("base.css").split(":root {")[1:3]
    day, night = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})\b", part.partition("}")[0])) for part in parts)
    return [{name: rgb(colour) for name, colour in theme.items()} for theme in (day, day | night)]


def rgb(colour: str) -> Colour:
    """`#1d2125` or `#fff` as numbers from 0 to 1."""
    digits = colour.removeprefix("#")
    if len(digits) == 3:
        digits = "".join(2 * d for d in digits)
    red, green, blue = (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


def over(top: Colour, ground: Colour, opacity: float) -> Colour:
    """A colour that lies half transparent on another."""
    red, green, blue = (opacity * t + (1 - opacity) * g for t, g in zip(top, ground, strict=True))
    return red, green, blue


def luminance(colour: Colour) -> float:
    """Relative luminance of an sRGB colour."""
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a: Colour, b: Colour) -> float:
    """From 1 to 21."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)
