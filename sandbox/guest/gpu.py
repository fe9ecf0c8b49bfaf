"""A job's GPU: made ready before it reads a candidate's code, capped, and out of its memory told as such.

CUDA does not survive a fork, so the fork server never initialises it: each fork does, once it is confined. That takes
seconds, so the fork for the next job is made ahead, while nothing runs (see `ForkServer`).
"""

from __future__ import annotations

import torch

MEMORY_SHARE = 0.9  # of the device, for one job; the rest is the driver's and other programs'


def prepare() -> None:
    """Initialise CUDA in this fork and cap what it may take of the device's memory. Raises RuntimeError."""
    torch.cuda.init()  # type: ignore[no-untyped-call]
    torch.cuda.set_per_process_memory_fraction(MEMORY_SHARE)
    torch.zeros(1, device="cuda")


def is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, torch.OutOfMemoryError)
