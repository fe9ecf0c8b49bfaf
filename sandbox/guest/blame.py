"""What the code of a candidate raises becomes a `Fault` that says where in the candidate it happened."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from .gpu import is_out_of_memory
from .job import Fault

CANDIDATE_FILE = "proposal.py"  # the file name under which candidates are compiled
MODEL_FILE = "own_model.py"  # the same of a team's own model, see own.py
LONGEST_MESSAGE = 300
LIMIT_ERRORS = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EAGAIN, errno.ENOMEM)
LIMIT_WORDS = ("can't allocate memory", "can't start new thread")


@contextmanager
def blamed(check: str, doing: str) -> Iterator[None]:
    """Run the candidate's code: what it raises is a broken `check`; `doing` begins the sentence ("build()").

    What shows that a limit was hit passes unchanged: the fork reports it as that limit. So does an interrupt.
    """
    try:
        yield
    except Fault:
        raise
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) or _is_limit(error):
            raise
        raise Fault(check, f"{doing} raised {described(error)}") from error


def described(error: BaseException) -> str:
    """Type and message on one line, and the line of the candidate or of a team's model that was being run, if any."""
    text = " ".join("".join(traceback.format_exception_only(error)).split())  # survives a __str__ that raises
    cut = text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"
    if line := line_of_candidate(error):
        return f"{cut} (line {line})"
    line = _innermost(error, MODEL_FILE)
    return f"{cut} (line {line} of the model)" if line else cut


def line_of_candidate(error: BaseException) -> int | None:
    """The innermost line of the candidate in the traceback; None when it never got there."""
    return _innermost(error, CANDIDATE_FILE)


def _innermost(error: BaseException, file: str) -> int | None:
    lines = [line for frame, line in traceback.walk_tb(error.__traceback__) if frame.f_code.co_filename == file]
    return lines[-1] if lines else None


def _is_limit(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno in LIMIT_ERRORS
    if isinstance(error, RuntimeError):
        return is_out_of_memory(error) or any(
            words in "".join(traceback.format_exception_only(error)) for words in LIMIT_WORDS
        )
    return isinstance(error, MemoryError)
