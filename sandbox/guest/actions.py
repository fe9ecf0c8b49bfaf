"""What a fork can be asked to do, by name: a Job in, a Reply out, a Fault raised for a broken contract."""

from __future__ import annotations

from collections.abc import Callable

from .fork import HOOKS
from .hooks import serve
from .job import Job, Reply
from .own import train_own
from .probe import probe
from .train import train

ACTIONS: dict[str, Callable[[Job], Reply]] = {"probe": probe, "train": train, "train_own": train_own, HOOKS: serve}
