"""`conjecture study`: the paper's evaluation on any generators and files, resumable, with a report."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from bot.app import Laboratory, models_of
from bot.commands.reporting import UsageError, advised, log_to_stderr
from bot.settings import Settings, read_settings
from engine.evaluate import Evaluator
from engine.llm.catalogue import NAME, offline_catalogue
from engine.llm.client import LLM
from engine.request import Strategy
from engine.study import Plan, Study, Watch
from engine.study_claims import claims
from engine.study_generate import CATALOGUE, generated
from engine.study_report import write_report
from engine.study_results import Results
from engine.study_run import run
from engine.study_sources import Source, SourceError, part_of, read_file, spread
from engine.study_told import told
from engine.suite import SUITES
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS, kind_named
from storage.database import open_database
from storage.findings import SqlLedger
from storage.journal import SqlJournal

DATABASE, COSTS, REPORTS = "study.db", "study-costs.jsonl", "studies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options, as given."""

    kind: str
    generators: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    train: tuple[str, ...] = ()
    count: int | None = None  # tested of each source
    suite: str = "full"  # of the truth
    placebos: int = 200
    prices: tuple[float, float] | None = None
    out: Path | None = None


def study(wanted: Wanted, *, as_json: bool) -> int:
    with advised() as outcome:
        kind = checked(wanted)
        files = named_files([*wanted.files, *(Path(name) for name in wanted.train if name.endswith(".jsonl"))])
        sources = [from_file(name, path, kind) for name, path in files.items()]
        settings = read_settings(slack=False)
        log_to_stderr("error")
        generators = chosen_generators(wanted, settings, files)
        laboratory = Laboratory.open(settings)
        try:
            with watched() as (watch, stopped):
                bench = Bench(laboratory, watch, stopped)
                sources = [
                    *(bench.generated(kind, name, model, wanted) for name, model in generators.items()),
                    *sources,
                ]
                plan = planned(wanted, kind, sources, files)
                results = bench.results(plan, wanted.placebos)
        finally:
            laboratory.close()
        report = write_report(results, wanted.out or settings.home / REPORTS / kind.name)
        document = {**told(results), "sandbox": str(laboratory.sandbox.level), "report": str(report)}
        print(json.dumps(document, ensure_ascii=False) if as_json else words(results, report))
    return outcome.exit_code


# --- what is asked for


def checked(wanted: Wanted) -> Kind:
    kind = kind_named(wanted.kind)
    if kind is None:
        raise UsageError(f"--kind {wanted.kind!r} is not known. Known kinds: {', '.join(KINDS)}.")
    if wanted.suite not in SUITES:
        raise UsageError(f"--suite {wanted.suite!r} is not known. Known suites: {', '.join(SUITES)}.")
    if wanted.count is not None and wanted.count < 1:
        raise UsageError(f"--count {wanted.count} leaves nothing to test; expected 1 or more.")
    if wanted.placebos < 0:
        raise UsageError(f"--placebos {wanted.placebos}; expected 0 or more.")
    return kind


def named_files(files: Sequence[Path]) -> dict[str, Path]:
    """By the name of the source: the file's stem, or more of its path where that is taken."""
    names: dict[str, Path] = {}
    for path in dict.fromkeys(path.resolve() for path in files):
        taken = {*names, CATALOGUE}
        name = next((n for n in (path.stem, path.name, f"{path.parent.name}/{path.name}") if n not in taken), str(path))
        names[name] = path
    return names


def chosen_generators(wanted: Wanted, settings: Settings, files: Mapping[str, Path]) -> dict[str, LLM]:
    """Those named, and those that are to be learned from; all that are configured where no source is named at all."""
    known: dict[str, LLM] = {CATALOGUE: offline_catalogue()}
    if settings.openai_api_key is not None:
        known |= {model.name: model for model in models_of(settings)}
    configured = [name for name in known if name != CATALOGUE] or [CATALOGUE]
    named = [CATALOGUE if name == NAME else name for name in wanted.generators]
    named += [name.partition("/")[0] for name in wanted.train if name.partition("/")[0] in known]
    for name in named:
        if name not in known:
            raise UsageError(f"--generator {name!r} is not known. Known: {', '.join(known)}. See OPENAI_API_KEY.")
    return {name: known[name] for name in dict.fromkeys(named or (() if files else configured))}


def from_file(name: str, path: Path, kind: Kind) -> Source:
    """Says on stderr what could not be used of it. Raises UsageError when nothing can."""
    try:
        source = read_file(path, kind.name, name, f"study/{kind.name}/{name}")
    except SourceError as error:
        raise UsageError(str(error)) from error
    for fault in source.faults:
        print(fault, file=sys.stderr)
    return source


def planned(wanted: Wanted, kind: Kind, sources: Sequence[Source], files: Mapping[str, Path]) -> Plan:
    """Raises UsageError when --train names nothing, or leaves nothing to test."""
    train = tuple(trained_name(name, sources, files) for name in wanted.train)
    kept = tuple(shortened(source, train, wanted.count) for source in sources)
    if train and all(is_learned_from(source, h.strategy, train) for source in kept for h in source.hypotheses):
        named = " ".join(f"--train {name}" for name in wanted.train)
        raise UsageError(f"{named} leaves nothing to test. Add --hypotheses or --generator.")
    return Plan(kind=kind, truth=wanted.suite, sources=kept, train=train, prices=wanted.prices)


class Bench:
    """The study's own journal beside the product's, so that neither learns from the other's outcomes."""

    def __init__(self, laboratory: Laboratory, watch: Watch, stopped: Event) -> None:
        self._home = laboratory.home.path
        self._sandbox = laboratory.sandbox
        self._watch = watch
        self._stopped = stopped
        database = open_database(f"sqlite:///{self._home / DATABASE}")
        self._journal, self._ledger = SqlJournal(database), SqlLedger(database)
        self._evaluator = Evaluator(
            sandbox=laboratory.sandbox,
            journal=self._journal,
            secret=laboratory.home.suite_secret(),
            device=laboratory.evaluator.device,
        )

    def generated(self, kind: Kind, name: str, model: LLM, wanted: Wanted) -> Source:
        """Raises UsageError when it has nothing, and GeneratorError when it cannot be asked."""
        source = generated(
            kind,
            model,
            name,
            wanted.count,
            journal=self._journal,
            costs=self._home / COSTS,
            watch=self._watch,
            stopped=self._stopped.is_set,
        )
        if not source.hypotheses:
            raise UsageError(f"--generator {name}: it has no {kind.plural}. {' '.join(source.faults)}".strip())
        return source

    def results(self, plan: Plan, placebos: int) -> Results:
        made = Study(
            plan,
            journal=self._journal,
            sandbox=self._sandbox,
            evaluator=self._evaluator,
            watch=self._watch,
            stopped=self._stopped.is_set,
        )
        return run(made, self._ledger, placebos)


def trained_name(name: str, sources: Sequence[Source], files: Mapping[str, Path]) -> str:
    """The source, or the part of one, that --train means."""
    by_path = {str(path): of for of, path in files.items()}
    meant = by_path.get(str(Path(name).resolve()), CATALOGUE if name == NAME else name)
    known = [source.name for source in sources]
    known += dict.fromkeys(part_of(source.name, h.strategy) for source in sources for h in source.hypotheses)
    if meant not in known:
        raise UsageError(f"--train {name!r} names no source. Sources of this study: {', '.join(known)}.")
    return meant


def is_learned_from(source: Source, strategy: Strategy, train: Sequence[str]) -> bool:
    return source.name in train or part_of(source.name, strategy) in train


def shortened(source: Source, train: Sequence[str], count: int | None) -> Source:
    """At most `count` tested ones; what is only learned from costs little, so all of it stays."""
    tested = [h for h in source.hypotheses if not is_learned_from(source, h.strategy, train)]
    kept = {h.id for h in spread(tested, count)}
    learned = {h.id for h in source.hypotheses} - {h.id for h in tested}
    return replace(source, hypotheses=tuple(h for h in source.hypotheses if h.id in kept | learned))


# --- while it runs


@contextmanager
def watched() -> Iterator[tuple[Watch, Event]]:
    """A progress bar on stderr for a person; Ctrl-C ends the study after what is being measured, a second one now."""
    stopped, tasks = Event(), dict[str, TaskID]()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    before = signal.signal(signal.SIGINT, lambda *_: _stop(stopped, before))
    try:
        with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:

            def watch(title: str, done: int, total: int) -> None:
                if title not in tasks:
                    tasks[title] = bar.add_task(title, total=total)
                bar.update(tasks[title], completed=done, total=total)

            yield watch, stopped
    finally:
        signal.signal(signal.SIGINT, before)


def _stop(stopped: Event, before: object) -> None:
    if stopped.is_set() and callable(before):
        before(signal.SIGINT, None)
    stopped.set()


# --- when it is done


def words(results: Results, report: Path) -> str:
    marks = {True: "held", False: "DID NOT HOLD", None: "not tested"}
    n = results.efficiency.n if results.efficiency else 0
    lines = [f"{results.plan.kind.plural}: {n} hypotheses with a truth ({results.plan.truth})"]
    lines += [f"{marks[c.held]:13} {c.claim}: {c.found} (expected: {c.expected})" for c in claims(results)]
    return "\n".join([*lines, f"Report: {report}"])
