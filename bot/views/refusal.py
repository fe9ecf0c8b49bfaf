"""Polite answers to what cannot be done, each with what can be done instead."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.block_kit import message, section
from bot.views.figures import listed
from bot.views.help import EXAMPLE
from bot.views.message import Message, escape
from sandbox.guest.components.kind import Kind


def _ask(bot: str) -> str:
    return f"For example: `{bot} {EXAMPLE}`. `{bot} help` lists everything."


def _kinds(kinds: Sequence[Kind]) -> str:
    return escape(listed([kind.plural for kind in kinds], "or"))


def unsupported_kind(named: str, kinds: Sequence[Kind], *, bot: str = "@conjecture") -> Message:
    return message(
        section(f"I cannot propose “{escape(named, 100)}” yet. I can propose {_kinds(kinds)}.\n{_ask(bot)}"),
    )


def count_out_of_range(asked: int, *, low: int = 1, high: int = 300, bot: str = "@conjecture") -> Message:
    number = f"{asked:,}" if abs(asked) < 10**12 else "That many"
    return message(
        section(f"{number} is outside what I can measure in one request. Ask for {low} to {high}.\n{_ask(bot)}"),
    )


def unknown_request(text: str, kinds: Sequence[Kind], *, suggestion: str = "", bot: str = "@conjecture") -> Message:
    meant = f" Did you mean `{escape(suggestion, 200)}`?" if suggestion else ""
    return message(
        section(
            f"I did not understand “{escape(text, 200)}”.{meant} I can propose and test {_kinds(kinds)}.\n{_ask(bot)}"
        ),
    )


def unclear(reason: str, example: str) -> Message:
    """A known command with something in it that cannot be done; `reason` is a whole sentence."""
    return message(section(f"{escape(reason)} For example: `{escape(example, 200)}`."))


def nothing_attached() -> Message:
    return message(section("There is no file to try. Attach a `.py` file with a module-level `build` to your message."))


def nothing_to_measure() -> Message:
    return message(section("There is no request in this thread, so there is nothing left to measure."))


def empty_message(kinds: Sequence[Kind], *, bot: str = "@conjecture") -> Message:
    return message(section(f"Hello. I can propose and test {_kinds(kinds)}.\n{_ask(bot)}"))


def busy(subject: str, request_id: str, *, queued: bool) -> Message:
    """A request in the thread of another one. `queued`: it waits for that one; else it runs beside it."""
    new = "Your new request is queued and starts after it." if queued else "Your new request has started separately."
    return message(
        section(
            f"I am still working on {escape(subject, 200)} (request `{escape(request_id)}`) in this thread; "
            f"reply *stop* to end it. {new}"
        ),
        request_id=request_id,
    )


def nothing_to_stop() -> Message:
    return message(section("Nothing is running in this thread, so there is nothing to stop."))
