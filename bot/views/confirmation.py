"""A confirmation as people see it: how far it is, and what came of it, screened beside confirmed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.views import figures
from bot.views.block_kit import actions, button, context, header, message, section, table
from bot.views.figures import NONE, count, duration, listed, number_word
from bot.views.finding import export_button
from bot.views.hypothesis_card import STEP_SIZE_EFFECT
from bot.views.message import Block, Message, escape
from bot.views.progress import STOP, Ending
from engine.finding import Confirmation, Origin, Round
from engine.hypothesis import Hypothesis
from engine.ranking import Place
from sandbox.guest.components.kind import Kind

_MOST_PARTS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirming:
    """How far a round is."""

    planned: Round
    titles: Sequence[str]
    trained: int  # arms, baselines on the seeds that choose the best one included
    of: int
    elapsed_seconds: float
    ending: Ending | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """One hypothesis of a round that was decided. `place` is None where the ranking no longer holds it."""

    hypothesis: Hypothesis
    found: Confirmation
    place: Place | None


def confirming(state: Confirming) -> Message:
    planned = state.planned
    names = escape(listed(list(state.titles)), 300)
    spent = duration(state.elapsed_seconds)
    match state.ending:
        case Ending.DONE:
            head = f"Evaluated in full in {spent}: {names}"
        case Ending.STOPPED:
            head = f"Stopped evaluating {names} in full after {spent}"
        case Ending.FAILED:
            head = f"Evaluating {names} in full failed after {spent}"
        case None:
            head = f"Evaluating in full: {names} · {spent}"
    blocks: list[Block] = [section(f"*{head}*")]
    if state.ending is None:
        told = f"{state.trained:,} of {state.of:,} arms trained, each at its best of the same grid"
        blocks.append(section(f"{_bar(state.trained, state.of)} {told}"))
    if state.detail:
        blocks.append(section(escape(state.detail, 500)))
    blocks.append(context(_plan(planned)))
    if state.ending is None:
        blocks.append(actions(button("Stop", STOP, planned.id)))
    return message(*blocks, request_id=planned.id)


def _plan(planned: Round) -> str:
    why = "asked for by a person" if planned.asked_by else "because it looks promising"
    family = "one hypothesis" if len(planned.family) == 1 else f"{len(planned.family)} hypotheses as one family"
    return (
        f"Decided before looking ({why}): {family}, {count(len(planned.seeds), 'seed')} never used before, "
        f"{count(len(planned.data_sets), 'data set')}, margin {figures.signed(planned.margin)} %, "
        f"level {_p(planned.alpha)}. It is tested once. `{escape(planned.id)}`, round {planned.number:,}"
    )


def _bar(done: int, total: int) -> str:
    cells = 12
    filled = min(cells, max(cells * done // max(total, 1), 1 if done else 0))
    return "▰" * filled + "▱" * (cells - filled)


def confirmed(
    planned: Round, found: Sequence[Confirmed], kind: Kind, *, metric: str, uses: Mapping[str, int], again: bool = False
) -> Message:
    """What came of a round. `uses`: how often each of its data sets was used so far, this round included.

    `again`: it was asked for once more, and this is the first answer.
    """
    number = sum(one.found.finding for one in found)
    blocks: list[Block] = [header(_headline(found, number))]
    if again:
        blocks.append(section("This was tested before, and a test is not repeated until it passes. Its answer was:"))
    blocks.append(table(_rows(found), right=(2, 3, 4)))
    best = planned.closing.best if planned.closing and planned.closing.best else "the best baseline"
    blocks += [section(_verdict(planned, one, best, metric)) for one in found]
    buttons = [export_button(one.hypothesis.title, one.hypothesis.id) for one in found if one.found.finding]
    if buttons:
        blocks.append(actions(*buttons))
    split = all(one.found.split for one in found)
    blocks.append(context(_legend(planned, kind, best), _data(planned, uses, split=split)))
    return message(*blocks, request_id=planned.id)


def _headline(found: Sequence[Confirmed], number: int) -> str:
    if len(found) == 1:
        title = found[0].hypothesis.title or "untitled"
        return f"A finding: {title} holds" if number else f"Not confirmed: {title}"
    return f"{number:,} of {len(found):,} confirmed: {count(number, 'finding')}"


def _rows(found: Sequence[Confirmed]) -> list[list[str]]:
    rows = [["Component", "Measured", "Effect", "B-WR", "BSOTA-WR"]]
    for one in found:
        title = one.hypothesis.title or "untitled"
        if one.place is not None:
            score = one.place.score
            rates = [figures.win_rate(score.b_wr), figures.win_rate(score.bsota_wr)]
            rows.append([title, "screened, raw", figures.effect(score.effect), *rates])
            rows.append(["↳", "screened, as ranked", figures.effect(one.place.effect), NONE, NONE])
            if one.place.rerun is not None:
                again = one.place.rerun
                rates = [figures.win_rate(again.b_wr), figures.win_rate(again.bsota_wr)]
                rows.append(["↳", "re-run", figures.effect(again.effect), *rates])
        result = one.found
        shown = [
            figures.effect(result.effect) if result.effect else NONE,
            figures.win_rate(result.b_wr) if result.b_wr else NONE,
            figures.win_rate(result.bsota_wr) if result.bsota_wr else NONE,
        ]
        mark = "✓" if result.finding else "✗"
        rows.append(["↳" if one.place else title, f"{mark} in full", *shown])
    return rows


def _verdict(planned: Round, one: Confirmed, best: str, metric: str) -> str:
    result, title = one.found, escape(one.hypothesis.title or "untitled", 150)
    if result.mean is None:
        reason = escape(result.fault, 300).rstrip(".")
        return f"✗ *{title}* was not confirmed: it could not be trained in full ({reason}). That counts as a loss."
    against = f"{escape(best)}, the best baseline"
    mean = figures.effect(result.mean)
    margin = f"{figures.signed(planned.margin).removeprefix('+')} %"
    family = f", after Holm's correction for {number_word(len(planned.family))}" if len(planned.family) > 1 else ""
    p = f"p = {_p(result.adjusted_p)}{family}; at most {_p(planned.alpha)} was asked for"
    said = f"Mean difference in {escape(metric)} from {against}: {mean}, positive is better"
    if result.finding:
        told = f"✓ *{title}* is a finding. {said}. That is more than {margin} ({p})."
    else:
        told = (
            f"✗ *{title}* was not confirmed. {said}. That it is more than {margin} could not be shown ({p}). This is a "
            "result too; it is not tested again."
        )
    unseen = f" On the data sets that no screening uses: {figures.effect(result.unseen)}." if result.unseen else ""
    step = f" ⚠️ {STEP_SIZE_EFFECT[:1].upper()}{STEP_SIZE_EFFECT[1:]}." if result.step_size_effect else ""
    return told + unseen + step


def _legend(planned: Round, kind: Kind, best: str) -> str:
    return (
        "*Effect*: median of the relative differences from the best baseline, with 90 % intervals over seeds, not over "
        f"new data sets; what is tested is their mean. Every arm, {escape(best)} and the other "
        f"{len(kind.baselines) - 1} baselines included, was trained longer than in a screening and took its best of "
        f"the same grid of {escape(kind.conditions.grid_of)}s."
    )


def _data(planned: Round, uses: Mapping[str, int], *, split: bool) -> str:
    used = ", ".join(f"{escape(name)} {uses.get(name, 0):,}×" for name in planned.data_sets)
    apart = (
        "The candidate ran in a process apart from the training loop that was read."
        if split
        else "The candidate ran in the same sandboxed process as its training loop."
    )
    return (
        f"Data sets, and how often each was used to confirm this kind so far: {used}. {apart}\n"
        f"Round {planned.number:,} of all, level {_p(planned.alpha)} by LORD++ (at most 5 % of the rounds with "
        f"findings are expected to hold a false one). `{escape(planned.id)}`"
    )


def _p(value: float) -> str:
    """`.012`, `.0004`, `2e-07`"""
    if value >= 0.9995:
        return "1"
    return f"{value:.3f}"[1:] if value >= 0.01 else f"{value:.1e}" if value < 1e-4 else f"{value:.4f}"[1:]


def origin(hypothesis: Hypothesis, told: Origin) -> Message:
    """Where a gain comes from: the blend test and the ablation."""
    title = escape(hypothesis.title or "untitled", 150)
    lines = [f"*Where the gain of {title} comes from* (on the screening suite)"]
    if told.whole:
        lines.append(f"• as it is: effect {figures.effect(told.whole)}")
    for part in told.parts[:_MOST_PARTS]:
        effect = figures.effect(part.effect) if part.effect else f"does not train ({escape(part.fault, 100)})"
        lines.append(f"• without {escape(part.without, 100)}: {f'effect {effect}' if part.effect else effect}")
    if told.share:
        share = figures.win_rate(told.share)
        lines.append(
            f"• mixed with {escape(told.mixed_with)} by a gate that is learned in each layer, it keeps a share of "
            f"{share} (.50 at the start, interval over seeds)"
        )
    return message(section("\n".join(lines)), request_id=hypothesis.request_id)
