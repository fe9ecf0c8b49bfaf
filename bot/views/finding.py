"""A finding as a file to take away, and what is said where there is none."""

from __future__ import annotations

from bot.views.block_kit import button, message, section
from bot.views.message import Block, Message, escape

EVALUATE_IN_FULL = "evaluate_in_full"  # value: the hypothesis' id
EXPORT_FINDING = "export_finding"  # value: the hypothesis' id


def evaluate_button(hypothesis_id: str) -> Block:
    return button("Evaluate in full", EVALUATE_IN_FULL, hypothesis_id)


def export_button(title: str, hypothesis_id: str) -> Block:
    return button(f"Export {title} as drop-in" if title else "Export as drop-in", EXPORT_FINDING, hypothesis_id)


def exported(title: str, file: str) -> Message:
    return message(
        section(
            f"*{escape(title or 'untitled', 150)}* as a drop-in: `{escape(file)}` holds the module, a test, the "
            "evidence (JSON and Markdown) and a description for a pull request."
        )
    )


def no_such_place(place: int, places: int) -> Message:
    """`places`: how many the thread's newest ranking has; 0: there is no ranking."""
    if not places:
        return message(section("There is no ranking in this thread, so there is no place to evaluate."))
    return message(section(f"The ranking in this thread has no place {place:,}; it has 1 to {places:,}."))


def which_kind(kinds: str, example: str) -> Message:
    """There are rankings of several kinds. `kinds` in words, `example` a command: `evaluate loss 4 in full`."""
    told = f"There are several rankings in this thread: {escape(kinds)}. Say which, for example: `{escape(example)}`."
    return message(section(told))


def not_a_finding(title: str) -> Message:
    told = f"*{escape(title or 'untitled', 150)}* is not a finding, and only what was confirmed is exported."
    return message(section(f"{told} `evaluate 1 in full` tests what stands first."))
