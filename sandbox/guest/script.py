"""The action `script`: run a module that defines `main(job) -> Reply`, for code that is not a component of a kind."""

from __future__ import annotations

import types

from .blame import CANDIDATE_FILE
from .job import Fault, Job, Reply


def script(job: Job) -> Reply:
    """Raises Fault("entry") when there is no `main`, Fault("reply") when it returns something else than a Reply."""
    module = types.ModuleType("proposal")
    module.__file__ = CANDIDATE_FILE
    exec(compile(job.source, CANDIDATE_FILE, "exec", dont_inherit=True), module.__dict__)
    if not callable(getattr(module, "main", None)):
        raise Fault("entry", "the script defines no function main(job)")
    reply = module.main(job)
    if not isinstance(reply, Reply):
        raise Fault("reply", f"main(job) returned {type(reply).__name__}, expected a Reply")
    return reply
