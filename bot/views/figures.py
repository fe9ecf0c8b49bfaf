"""Numbers as people read them. Every view writes a figure the same way."""

from __future__ import annotations

from collections.abc import Sequence

from engine.score import Estimate, Score

NONE = "–"  # absent, not zero
_WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def share(value: float) -> str:
    """A win rate or another share of one: `.74`, `1.00`."""
    return f"{value:.2f}".removeprefix("0")


def win_rate(estimate: Estimate) -> str:
    """`.74 [.68, .80]`"""
    return f"{share(estimate.value)} [{share(estimate.low)}, {share(estimate.high)}]"


def signed(value: float) -> str:
    """Percent of a share, signed, without its unit: `+1.8`, `−0.4`, `+0.03` (which side of zero matters), `0.0`."""
    percent = 100 * value
    digits = f"{abs(percent):,.0f}" if abs(percent) >= 99.95 else f"{abs(percent):.1f}"
    if float(digits.replace(",", "")) == 0:
        digits = f"{abs(percent):.2f}"
    return ("+" if percent > 0 else "−") + digits if float(digits.replace(",", "")) else "0.0"


def effect(estimate: Estimate) -> str:
    """`+1.8 % [+0.3, +3.1]`; positive is better."""
    return f"{signed(estimate.value)} % [{signed(estimate.low)}, {signed(estimate.high)}]"


def n_score(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def ratio(value: float | None) -> str:
    """`1.3×`; `0.05×` where one decimal would say nothing."""
    if value is None:
        return NONE
    return f"{value:.2f}×" if value < 0.1 else f"{value:,.1f}×"


def diverged(score: Score) -> str:
    """`3 of 34 settings diverged`"""
    return f"{score.diverged:,} of {count(len(score.trials), 'setting')} diverged"


def duration(seconds: float) -> str:
    """`21 s`, `1 min 5 s`, `2 h 3 min`."""
    whole = max(0, round(seconds))
    if whole < 1:
        return "under 1 s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min" + (f" {whole % 60} s" if whole % 60 else "")
    minutes = whole // 60
    return f"{minutes // 60} h" + (f" {minutes % 60} min" if minutes % 60 else "")


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 outcome`, `1,200 outcomes`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def number_word(number: int) -> str:
    """`five`, `12`."""
    return _WORDS[number] if 0 <= number < len(_WORDS) else f"{number:,}"


def listed(items: Sequence[str], joint: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {joint} {items[-1]}"
