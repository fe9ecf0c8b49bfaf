"""What people see of a team's own model before a request on it starts: its cost and two buttons, or why it cannot."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.block_kit import actions, button, context, message, section
from bot.views.figures import count, duration, listed, number_word
from bot.views.message import Message, escape
from engine.own.check import Cost
from engine.own.registered import Registered, known_names
from engine.own.suite import OwnSuite
from sandbox.guest.components.kind import Kind

APPROVE = "approve_suite"  # value: see `_value`
NOT_NOW = "not_now_suite"
ADD = "conjecture suite add FILE"


def cost_to_approve(
    registered: Registered, request_id: str, wanted: Sequence[tuple[int, Kind, Cost]], *, note: str, changed: bool
) -> Message:
    """`wanted`: how many of which kind, and what they cost. `changed`: it was asked about an earlier version before."""
    suite = registered.suite
    value = f"{request_id} {suite.key}"
    was = " It has changed since, so the cost is another." if changed else ""
    lines = [
        f"*{escape(suite.name)}* is your own model (version {suite.version}, on {escape(suite.data.name)}), and nobody "
        f"has approved its cost yet.{was}",
        *(_line(number, kind, cost) for number, kind, cost in wanted),
        *_once(wanted),
        f"Approve, and it starts. Later requests on version {suite.version} then start at once.",
    ]
    return message(
        section("\n".join(lines)),
        *([section(f"ℹ️ {escape(note)}")] if note else []),
        actions(button("Approve", APPROVE, value, "primary"), button("Not now", NOT_NOW, value)),
        context(f"Request `{escape(request_id)}` · times as on the machine where it was added, when nothing else runs"),
        request_id=request_id,
    )


def _line(number: int, kind: Kind, cost: Cost) -> str:
    words = count(number, kind.title, kind.plural)
    return f"• *{words}*: about {duration(cost.hypothesis)} each, {duration(cost.request)} in all."


def _once(wanted: Sequence[tuple[int, Kind, Cost]]) -> list[str]:
    """The baselines are kept, so they are a cost of the first request of a kind."""
    return [
        f"• *Once*: about {duration(cost.baselines)} for {number_word(len(kind.baselines))} published {kind.plural}, "
        "which they are compared with."
        for _, kind, cost in wanted
    ]


def read_value(value: str) -> tuple[str, str]:
    """The request's id and the model's name with its version."""
    request_id, _, key = value.partition(" ")
    return request_id, key


def approved(suite: OwnSuite, person: str, request_id: str) -> Message:
    return message(
        section(
            f"<@{escape(person)}> approved the cost of *{escape(suite.name)}*, version {suite.version}. "
            f"Request `{escape(request_id)}` starts."
        ),
        request_id=request_id,
    )


def declined(suite: OwnSuite, person: str, request_id: str) -> Message:
    return message(
        section(
            f"Not started: <@{escape(person)}> chose not to measure on *{escape(suite.name)}* now. "
            "Ask again at any time; `the standard suite` needs no approval."
        ),
        request_id=request_id,
    )


def removed(name: str) -> Message:
    return message(
        section(f"*{escape(name)}* was removed meanwhile, so nothing was started. Register it again: `{ADD}`."),
    )


def refused(suite: OwnSuite, reasons: Sequence[tuple[Kind, str]]) -> Message:
    """Kinds that cannot be tried on it."""
    told = "\n".join(f"• *{kind.plural}*: {escape(reason, 300)}" for kind, reason in reasons)
    return message(
        section(
            f"I cannot measure that on *{escape(suite.name)}* (version {suite.version}), so nothing was started:\n"
            f"{told}\nChange the file and add it again (`{ADD}`), or leave out “on {escape(suite.name)}”."
        ),
    )


def unknown_suite(word: str, near: str, own: Sequence[Registered]) -> Message:
    meant = f" Did you mean *{escape(near)}*?" if near else ""
    names = listed([f"*{escape(name)}*" for name in known_names(own)])
    return message(
        section(
            f"I know no model or suite named “{escape(word, 60)}”.{meant} I know {names}. "
            f"To measure on your own model, register it on the machine where I run: `{ADD}`."
        ),
    )
