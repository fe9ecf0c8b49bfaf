"""What came of a person's own component files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.views import figures
from bot.views.block_kit import context, header, message, section, table
from bot.views.conditions import Conditions, caveat, isolation, suite_words, tuned, warning
from bot.views.figures import NONE, count
from bot.views.message import Message, escape
from engine.score import Estimate
from sandbox.guest.components.kind import Kind

MOST_FILES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One file. Without win rates it was rejected or killed, and `reason` says why."""

    file: str
    outcome: str  # scored, rejected or killed
    reason: str | None = None
    effect: Estimate | None = None
    b_wr: Estimate | None = None
    bsota_wr: Estimate | None = None
    n_score: float | None = None
    nearest: str | None = None
    duplicate_of: str | None = None
    cost_ratio: float | None = None


def try_results(
    results: Sequence[Tried], kind: Kind, *, conditions: Conditions, baselines: int, request_id: str
) -> Message:
    scored = [tried for tried in results if tried.b_wr and tried.bsota_wr]
    blocks = [header(f"{len(scored):,} of {count(len(results), 'file')} scored ({kind.plural})")]
    if scored:
        blocks.append(table(_rows(scored[:MOST_FILES]), right=(1, 2, 3, 4, 5), wrapped=(0,)))
    lines = [f"• `{escape(tried.file, 80)}` {_remark(tried)}" for tried in results if _remark(tried)]
    if lines:
        more = len(lines) - MOST_FILES
        blocks.append(section("\n".join(lines[:MOST_FILES] + ([f"• and {more:,} more"] if more > 0 else []))))
    measured = conditions.measuring
    if scored:
        chance = figures.share(1 / (baselines + 1))
        blocks.append(
            context(
                f"A component exactly as good as the baselines ({baselines:,}) scores about .50 / {chance} "
                f"(B-WR / BSOTA-WR), and each setting is won by the better {measured.metric}. Intervals: 90 % over "
                f"seeds. Measured in {suite_words(measured)}{tuned(measured)}. {caveat(measured)}"
            )
        )
    blocks.append(context(f"Request `{escape(request_id)}` · run in {isolation(conditions.sandbox)}"))
    caution = warning(conditions.sandbox)
    return message(*blocks, *([context(caution)] if caution else []), request_id=request_id)


def _rows(scored: Sequence[Tried]) -> list[list[str]]:
    rows = [["File", "Effect", "B-WR", "BSOTA-WR", "N-score", "Cost"]]
    for tried in scored:
        rates = [figures.win_rate(rate) if rate else NONE for rate in (tried.b_wr, tried.bsota_wr)]
        effect = figures.effect(tried.effect) if tried.effect else NONE
        rows.append([tried.file, effect, *rates, figures.n_score(tried.n_score), figures.ratio(tried.cost_ratio)])
    return rows


def _remark(tried: Tried) -> str:
    if tried.duplicate_of:
        return f"is the same function as {escape(tried.duplicate_of, 100)}."
    if tried.outcome == "killed":
        return f"was ended: {escape(tried.reason or 'it ran into a limit', 100)}"
    if tried.outcome == "rejected":
        return f"was rejected: {escape(tried.reason or 'it broke its contract', 100)}"
    return ""
