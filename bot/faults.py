"""A fault of ours in words for the person who asked: what happened, and what to do. Never a traceback."""

from __future__ import annotations

from engine.errors import GeneratorError
from sandbox.errors import SandboxError, SandboxUnavailable
from storage.errors import StorageError


def explain(fault: Exception) -> tuple[str, str]:
    """One sentence for what happened and one for what to do. Details are for the log."""
    if isinstance(fault, GeneratorError):
        return f"The language model could not be asked: {fault}", "Try again once that is settled."
    if isinstance(fault, SandboxUnavailable):
        return f"No sandbox is available: {fault}", "Ask whoever runs this bot to look at `conjecture doctor`."
    if isinstance(fault, SandboxError):
        return (
            f"The sandbox broke down: {fault}",
            "Try again; if it happens twice, `conjecture doctor` shows the cause.",
        )
    if isinstance(fault, StorageError):
        return f"My memory could not be read or written: {fault}", "Ask whoever runs this bot to look at its disk."
    return (
        f"Something inside me went wrong ({type(fault).__name__}).",
        "Try again; if it happens twice, send the job's id below to whoever runs this bot.",
    )
