"""Which kind of component a person's module is: asked when it cannot be told, said when it was guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from bot.views.block_kit import actions, button, context, message, section
from bot.views.figures import listed
from bot.views.message import Message, escape
from sandbox.guest.components.kind import Kind

TRY_AS = re.compile(r"try_as_\d+")  # one for each button; value: see `read_try_as`
MOST_BUTTONS = 10


def read_try_as(value: str) -> tuple[str, str]:
    """Inquiry id and kind of a click on TRY_AS."""
    told = json.loads(value)
    return told["inquiry"], told["kind"]


def which_kind(names: Sequence[str], likely: Sequence[Kind], inquiry_id: str) -> Message:
    """`likely`: the kinds that it may be, the likeliest first."""
    buttons = [
        button(kind.title.capitalize(), f"try_as_{n}", json.dumps({"inquiry": inquiry_id, "kind": kind.name}))
        for n, kind in enumerate(likely[:MOST_BUTTONS])
    ]
    one = likely[0].title if likely else "activation function"
    return message(
        section(f"I cannot tell which kind of component {_files(names)} is. Which one shall I try it as?"),
        *([actions(*buttons)] if buttons else []),
        context(
            f"May be: {escape(listed([kind.title for kind in likely], 'or'))}. You can also send it again and say so: "
            f"`try this {escape(one)}`."
        ),
    )


def several_kinds(found: Sequence[tuple[str, Kind]]) -> Message:
    """Files of one message that are of different kinds."""
    told = listed([f"`{escape(name, 80)}` looks like {_an(kind.title)}" for name, kind in found[:10]])
    return message(section(f"{told}. I try one kind at a time: send each kind in a message of its own."))


def guessed_kind(names: Sequence[str], kind: Kind, other: Kind | None) -> Message:
    """Nobody said what it is. `other`: another kind, for the example."""
    example = f", for example `try this {escape(other.title)}`" if other else ""
    return message(
        section(
            f"I take {_files(names)} for {_an(kind.title)}. If it is something else, send it again and say "
            f"what{example}."
        )
    )


def _files(names: Sequence[str]) -> str:
    more = len(names) - 5
    return listed([f"`{escape(name, 80)}`" for name in names[:5]] + ([f"{more:,} more"] if more > 0 else []))


def _an(title: str) -> str:
    return f"{'an' if title[:1].lower() in 'aeiou' else 'a'} {escape(title)}"
