"""The fork server: `python -m sandbox.guest MODE ACTIONS_MODULE SCRATCH_ROOT`, frames on stdin and stdout."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence

from . import gpu
from .confine import Mode, boundary
from .fork import Action
from .forkserver import ForkServer, Stream, warm


def main(arguments: Sequence[str], *, prepare: Callable[[], None] | None = None) -> None:
    """prepare: makes a job's device ready in its fork, in the place of what a GPU asks for."""
    mode, actions_module, scratch_root = arguments
    stream = Stream(os.dup(0), os.dup(1))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # whatever a library prints must not get between the frames
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # a fork that is killed has still printed its last line
    os.environ.clear()
    within = boundary(Mode(mode), scratch_root)
    actions = load(actions_module)
    warm()
    ForkServer(stream, within, actions, prepare or (gpu.prepare if within.gpus else None)).serve()


def load(actions_module: str) -> dict[str, Action]:
    """The actions that every sandbox has, and those of the module (`-` for none)."""
    from .escape import escape
    from .script import script

    builtin: dict[str, Action] = {"script": script, "escape": escape}
    if actions_module == "-":
        return builtin
    actions: dict[str, Action] = importlib.import_module(actions_module).ACTIONS
    return builtin | actions


if __name__ == "__main__":
    main(sys.argv[1:])
