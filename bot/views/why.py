"""Why a hypothesis came out where it did: the parts of its rank, and of its place in the order of evaluation."""

from __future__ import annotations

from bot.views import figures
from bot.views.block_kit import context, message, section
from bot.views.figures import count
from bot.views.message import Message, escape
from engine.choose import explained
from engine.journal import Choice
from engine.ranking import Place, Ranking


def why(ranked: Ranking, row: int, choice: Choice | None) -> Message:
    """`row`: of the ranking, from 1. Raises IndexError where there is none."""
    place = ranked.places[row - 1]
    title = escape(place.hypothesis.title or "untitled", 100)
    best = escape(ranked.best or "the best baseline")
    lines = [
        f"*{row}. {title}* has rank {place.rank} of {count(len(ranked.places), 'place')}.",
        f"• Measured effect against {best}: {figures.effect(place.score.effect)}; shrunk toward zero, to discount "
        f"luck, {figures.effect(place.effect)}. Ranks go by the latter.",
        f"• {_group(ranked, place)}",
        f"• Won B-WR {figures.win_rate(place.score.b_wr)}, BSOTA-WR {figures.win_rate(place.score.bsota_wr)}; these do "
        "not decide the rank, and votes do not either.",
    ]
    blocks = [section("\n".join(lines))]
    if choice is not None:
        blocks.append(section(_order(choice)))
    note = "Votes change what is tried first, never a measured figure or a rank."
    return message(*blocks, context(note), request_id=ranked.request_id)


def no_such_place(row: int, places: int) -> Message:
    held = f"it has {count(places, 'place')}" if places else "nothing was measured yet"
    return message(section(f"There is no place {row} in this thread's ranking: {held}."))


def no_ranking() -> Message:
    return message(section("No ranking is in this thread. Ask in the thread of a request: `why was 2 ranked there`."))


def _group(ranked: Ranking, place: Place) -> str:
    alike = [other for other in ranked.places if other.rank == place.rank and other is not place]
    if not alike:
        return "No other one has this rank: the next ones can be told apart from it."
    names = figures.listed([escape(other.hypothesis.title or "untitled", 50) for other in alike[:4]])
    more = f" and {len(alike) - 4} more" if len(alike) > 4 else ""
    return f"The same rank as {names}{more}: within the intervals they cannot be told apart."


def _order(choice: Choice) -> str:
    lines = [f"*Why it was measured*: {escape(explained(choice), 300)}."]
    if choice.parts is None:
        return lines[0]
    parts = choice.parts
    moved = "" if parts.place == parts.without_votes else f" (without votes {parts.without_votes})"
    lines += [
        f"• Place {parts.place} in the order of evaluation{moved}, from a worth of {parts.worth:.2f}: predicted chance "
        f"of being among the best {parts.chance:.2f}, exploration {parts.exploration:+.2f}, votes {parts.votes:+.2f}",
        f"• Distance from everything known, measured or voted on: {parts.novelty:.2f}; a share is reserved for the "
        "farthest",
    ]
    return "\n".join(lines)
