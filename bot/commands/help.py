"""`conjecture help [KIND]`: what the bot answers to the same words, without a bot."""

from __future__ import annotations

import difflib
import sys

from bot.commands.reporting import WRONG_USAGE
from bot.views.conditions import measuring
from bot.views.help import help_in_general, help_on_kind
from bot.views.message import unescape
from engine.component_plot import reference_drawing
from engine.suite import suite_of
from sandbox.guest.components.kinds import KINDS, kind_named

_ALSO = '\nAs a command: `conjecture ask "propose 8 ..."`, `conjecture try FILE --kind KIND`, `conjecture --help`.'


def help_(word: str) -> int:
    kind = kind_named(word) if word.strip() else None
    if word.strip() and kind is None:
        print(no_such_kind(word), file=sys.stderr)
        return WRONG_USAGE
    if kind is None:
        print(unescape(help_in_general(list(KINDS.values())).text) + "\n" + _ALSO)
    else:
        suite = suite_of(kind)
        measured = measuring(kind, suite, f"{suite.name}-{suite.version}")
        print(unescape(help_on_kind(kind, measured=measured, drawing=reference_drawing(kind)).text))
    return 0


def no_such_kind(word: str) -> str:
    """One line: what there is instead, and what was perhaps meant."""
    names = {name: kind for kind in KINDS.values() for name in (kind.name, kind.title, kind.plural, *kind.synonyms)}
    near = difflib.get_close_matches(word.lower(), names, n=1, cutoff=0.7)
    meant = f" Did you mean {names[near[0]].name}?" if near else ""
    return f"There is no kind {word!r}.{meant} Kinds: {', '.join(KINDS)}."
