"""`conjecture try`: a person's own components through the same validator, sandbox and evaluator, without Slack."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from bot.app import Laboratory
from bot.commands.reporting import UsageError, advised, log_to_stderr
from bot.settings import read_settings
from bot.trial import tried
from bot.views import figures
from bot.views.figures import listed
from bot.views.try_results import Tried
from engine.guess import guessed_kinds
from engine.request import Request, Strategy
from engine.research import BATCH, Research
from sandbox.guest.components.kinds import KINDS, kind_named


def try_(files: Sequence[Path], kind: str | None, *, as_json: bool) -> int:
    with advised() as outcome:
        sources = [(str(path), read(path)) for path in files]
        kinds = [named(kind) if kind else guessed(name, source) for name, source in sources]
        settings = read_settings(slack=False)
        log_to_stderr("error")
        laboratory = Laboratory.open(settings)
        try:
            results = measured_by_kind(laboratory, kinds, sources)
        finally:
            laboratory.close()
        level = laboratory.sandbox.level.value
        for path, of, result in zip(files, kinds, results, strict=True):
            line = as_object(str(path), of, result, level)
            print(json.dumps(line, ensure_ascii=False) if as_json else in_words(line, result))
    return outcome.exit_code


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error


def named(word: str) -> str:
    kind = kind_named(word)
    if kind is None:
        raise UsageError(f"--kind {word!r} is not known. Known kinds: {', '.join(KINDS)}.")
    return kind.name


def guessed(name: str, source: bytes) -> str:
    """Raises UsageError when the module may be of more than one kind."""
    likely = guessed_kinds(source, Path(name).stem, KINDS)
    if len(likely) > 1:
        raise UsageError(f"{name} may be of the kind {listed(likely, 'or')}. Say which: --kind {likely[0]}.")
    return likely[0]


def measured_by_kind(laboratory: Laboratory, kinds: Sequence[str], sources: Sequence[tuple[str, bytes]]) -> list[Tried]:
    """In the order given, one round a kind."""
    results: dict[int, Tried] = {}
    for kind in dict.fromkeys(kinds):
        numbers = [number for number, of in enumerate(kinds) if of == kind]
        found = measured(laboratory, kind, [sources[number] for number in numbers])
        results |= dict(zip(numbers, found, strict=True))
    return [results[number] for number in range(len(sources))]


def measured(laboratory: Laboratory, kind: str, sources: Sequence[tuple[str, bytes]]) -> list[Tried]:
    """In the order given. The same file given twice has two results."""
    research = laboratory.research
    request = Request(
        id=new_id(sources),
        text=f"try {len(sources)} files",
        kinds=(kind,),
        count=len(sources),
        counts=(len(sources),),
        strategies=(Strategy.BY_HAND,),
        purpose="",
        asked_by="command line",
        created_at=datetime.now(UTC),
    )
    research.take(request, numbered(sources))
    run(research, request.id)
    (ranked,) = research.rankings(request.id)
    journal = laboratory.journal
    return tried(ranked, journal.hypotheses(request.id), journal.verdicts(request.id))


def numbered(sources: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """A file that is given twice is two hypotheses: the second gets its number behind its name."""
    seen: dict[str, int] = {}
    named = []
    for name, source in sources:
        seen[name] = seen.get(name, 0) + 1
        named.append((name if seen[name] == 1 else f"{name} ({seen[name]})", source))
    return named


def new_id(sources: Sequence[tuple[str, bytes]]) -> str:
    digest = hashlib.sha256(datetime.now(UTC).isoformat().encode())
    for name, source in sources:
        digest.update(name.encode("utf-8", "replace") + b"\0" + source)
    return "t-" + digest.hexdigest()[:8]


def run(research: Research, request_id: str) -> None:
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        for title, ids, step in (
            ("Validating", research.unvalidated(request_id), research.validate),
            ("Measuring", None, research.measure),
        ):
            if ids is None:
                research.prepare(request_id)
                research.choose(request_id)
                ids = research.unmeasured(request_id)
            task = bar.add_task(title, total=len(ids))
            for start in range(0, len(ids), BATCH):
                step(request_id, ids[start : start + BATCH])
                bar.update(task, completed=min(len(ids), start + BATCH))


def as_object(file: str, kind: str, result: Tried, level: str) -> dict[str, Any]:
    return {
        "file": file,
        "kind": kind,
        "outcome": result.outcome,
        "reason": result.reason,
        "b_wr": result.b_wr.value if result.b_wr else None,
        "bsota_wr": result.bsota_wr.value if result.bsota_wr else None,
        "n_score": result.n_score,
        "duplicate_of": result.duplicate_of,
        "sandbox": level,
    }


def in_words(line: dict[str, Any], result: Tried) -> str:
    if result.b_wr is None or result.bsota_wr is None:
        return f"{line['file']}: {result.outcome}: {result.reason}"
    known = f", the same function as {result.duplicate_of}" if result.duplicate_of else f", nearest {result.nearest}"
    rates = f"B-WR {figures.win_rate(result.b_wr)}, BSOTA-WR {figures.win_rate(result.bsota_wr)}"
    name = f"{line['file']} ({line['kind']})"
    return f"{name}: {rates}, N-score {figures.n_score(result.n_score)}{known} ({line['sandbox']})"
