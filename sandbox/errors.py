"""Faults of ours while running somebody else's code.

SandboxError                 our world is broken; the job is retried or fails with advice, no hypothesis pays
 +- SandboxUnavailable       no acceptable sandbox on this machine (says what to do)
 +- SandboxBroken            a worker died by itself, a daemon hangs, a disk is full
"""


class SandboxError(Exception):
    """A fault of ours. The message says what, which value, and what an operator can do."""


class SandboxUnavailable(SandboxError):
    pass


class SandboxBroken(SandboxError):
    pass
