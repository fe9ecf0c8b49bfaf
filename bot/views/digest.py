"""The best of everything so far, in one message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.views import figures
from bot.views.block_kit import actions, button, context, header, message, section
from bot.views.figures import count
from bot.views.message import Block, Message, escape
from engine.guards import Guards
from engine.score import Estimate
from engine.votes import Blind, Move

DIGEST_OFF = "digest_off"  # value: the channel's id
MOST = 8  # a group
MOST_MOVES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestItem:
    hypothesis_id: str
    kind: str  # as people read it
    title: str
    effect: Estimate | None = None  # None: it has no score
    b_wr: Estimate | None = None
    thumbs_up: int = 0
    thumbs_down: int = 0
    best: str = ""  # the baseline that a finding was tested against
    refuted: bool = False  # promising, and then not confirmed
    reason: str = ""  # why it failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    channel: str
    proposed: int
    measured: int
    promising: Sequence[DigestItem]  # best first
    liked: Sequence[DigestItem]  # most liked first
    failed: Sequence[DigestItem]  # newest first
    failures: int  # all of them; `failed` may be a part
    subscription: str | None  # "09:00"; None: not subscribed
    findings: Sequence[DigestItem] = ()  # newest first; `effect` is the tested mean
    warnings: Sequence[str] = ()  # why figures of late may flatter, one sentence each
    moves: Sequence[Move] = ()  # the farthest first within a kind
    blind: Blind | None = None
    guards: Sequence[tuple[str, Guards]] = ()  # by the plural of the kind, where something was measured


def digest(told: Digest) -> Message:
    if not told.proposed:
        return message(
            header("Digest"),
            section(
                "Nothing has been proposed yet. Ask for something first, and the next digest has something to say."
            ),
            *_subscription(told),
        )
    groups = [
        ("Findings", told.findings, _finding, len(told.findings), "Nothing was confirmed yet."),
        ("Promising", told.promising, _promising, len(told.promising), "Nothing is promising yet."),
        ("Liked", told.liked, _liked, len(told.liked), "Nobody has voted yet."),
        ("Failed", told.failed, _failed, told.failures, ""),
    ]
    totals = f"{count(told.proposed, 'hypothesis', 'hypotheses')} so far, {told.measured:,} measured"
    return message(
        header(f"Digest: {totals}"),
        *(section(_group(*group)) for group in groups if group[1] or group[4]),
        context(
            "Findings held when they were evaluated in full, on fresh seeds and with data that no screening uses. "
            "Promising: all of the interval of its effect is above zero, in a short test on small data sets."
        ),
        *_votes(told),
        *(context(words) for words in [_guarded(told.guards)] if words),
        *(context(f"⚠️ {escape(warning)}: scores may have come to fit the seeds.") for warning in told.warnings),
        *_subscription(told),
    )


def digest_subscribed(*, time: str, timezone: str, next_on: str) -> Message:
    """`next_on` as people read it, for example `Monday, 3 March`."""
    return message(
        section(
            f"This channel gets a digest every day at *{escape(time)}* ({escape(timezone)}), next on "
            f"{escape(next_on)}. `digest off` ends it, `digest now` shows one right away."
        )
    )


def digest_ended(*, was_subscribed: bool) -> Message:
    if was_subscribed:
        return message(section("This channel gets no more digests. `digest daily 09:00` starts them again."))
    return message(
        section("This channel gets no digests, so there is nothing to end. `digest daily 09:00` starts them.")
    )


def digest_not_understood(text: str) -> Message:
    return message(
        section(
            f"I did not understand “{escape(text, 100)}”. Say `digest now`, `digest daily 09:00` (24 hours, two digits "
            "each) or `digest off`."
        )
    )


def _group(name: str, items: Sequence[DigestItem], line: Callable[[DigestItem], str], number: int, empty: str) -> str:
    if not items:
        return f"*{name}*\n{empty}"
    lines = [f"• {escape(item.title or 'untitled', 80)} ({escape(item.kind, 40)}){line(item)}" for item in items[:MOST]]
    more = number - len(lines)
    return "\n".join([f"*{name} ({number:,})*", *lines, *([f"• and {more:,} more"] if more > 0 else [])])


def _finding(item: DigestItem) -> str:
    return f", on average {figures.effect(item.effect)} against {escape(item.best, 60)}" if item.effect else ""


def _promising(item: DigestItem) -> str:
    effect = f", effect {figures.effect(item.effect)}" if item.effect else ""
    told = effect + (f", B-WR {figures.win_rate(item.b_wr)}" if item.b_wr else "")
    return told + (", *not confirmed* when evaluated in full" if item.refuted else "")


def _liked(item: DigestItem) -> str:
    votes = f", 👍 {item.thumbs_up}" + (f" 👎 {item.thumbs_down}" if item.thumbs_down else "")
    return votes + (f", B-WR {figures.win_rate(item.b_wr)}" if item.b_wr else "")


def _failed(item: DigestItem) -> str:
    return f": {escape(item.reason, 150)}" if item.reason else ""


def _votes(told: Digest) -> list[Block]:
    """What votes did, as people can check it."""
    lines = []
    if told.moves:
        farthest = sorted(told.moves, key=lambda move: -abs(move.place - move.without_votes))[:MOST_MOVES]
        named = [f"{escape(m.title or 'untitled', 60)} from {m.without_votes} to {m.place}" for m in farthest]
        more = f" and {len(told.moves) - len(farthest):,} more" if len(told.moves) > len(farthest) else ""
        lines.append(f"*Your votes moved* in the order of evaluation: {', '.join(named)}{more}.")
    if told.blind and told.blind.cast:
        lines.append(
            f"*Predicted before anything was measured*: {told.blind.right:,} of {told.blind.cast:,} were right."
        )
    return [section("\n".join(lines))] if lines else []


def _guarded(guards: Sequence[tuple[str, Guards]]) -> str:
    """How the choice of what is measured does, in small print."""
    told = []
    for plural, one in guards:
        parts = []
        if one.new is not None:
            parts.append(
                f"{one.new:.0%} of the latest behave like nothing before, {one.reserved:.0%} reserved for such"
            )
        if one.leaning is not None:
            parts.append(f"rank correlation of the prediction with closeness to baselines {one.leaning:+.2f}")
        if parts:
            told.append(f"{escape(plural)}: {'; '.join(parts)}")
    return "\n".join(["How the choice of what is measured does:", *told]) if told else ""


def _subscription(told: Digest) -> list[Block]:
    if told.subscription is None:
        return [context("Post this here every day: `digest daily 09:00`.")]
    return [
        context(f"Every day at {escape(told.subscription)}."),
        actions(button("End the daily digest", DIGEST_OFF, told.channel)),
    ]
