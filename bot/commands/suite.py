"""`conjecture suite add | approve | list | remove`: the team's own models, on the machine where the bot runs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.app import Laboratory
from bot.commands.reporting import UsageError, advised, log_to_stderr
from bot.home import Home
from bot.settings import Settings, read_settings
from bot.views.figures import count, duration, listed
from engine.own.check import Checked, check, cost
from engine.own.registered import Registered, read_suite
from engine.own.suite import OwnSuite
from sandbox.guest.components.kinds import KINDS
from storage.database import open_database
from storage.suites import SqlOwnSuites

EXAMPLE_COUNT = 8
APPROVER = "the command line"


def add(path: Path, *, as_json: bool) -> int:
    with advised() as outcome:
        settings = read_settings(slack=False)
        log_to_stderr("error")
        store = _store(settings)
        suite = read_suite(path, store.newest_version)
        before = store.latest(suite.name)
        known = before is not None and before.suite.digest == suite.digest
        registered = before if before is not None and known else _checked(settings, suite, path)
        if not known:
            store.add(registered)
        print(json.dumps(as_object(registered), indent=2) if as_json else in_words(registered, settings, known=known))
    return outcome.exit_code


def _store(settings: Settings) -> SqlOwnSuites:
    Home(settings.home).prepare()
    return SqlOwnSuites(open_database(settings.database_url.get_secret_value()))


def _checked(settings: Settings, suite: OwnSuite, path: Path) -> Registered:
    laboratory = Laboratory.open(settings)
    try:
        secret = laboratory.home.suite_secret()
        found = check(suite, laboratory.sandbox, secret, KINDS, device=laboratory.evaluator.device, say=_said())
    finally:
        laboratory.close()
    return Registered(suite=suite, checked=found, file=str(path.resolve()), added_at=datetime.now(UTC))


def _said() -> Callable[[str], None]:
    """To a person who watches; nobody else needs it."""
    return (
        (lambda line: print(f"{line} ...", file=sys.stderr, flush=True)) if sys.stderr.isatty() else (lambda line: None)
    )


def list_(*, as_json: bool) -> int:
    with advised() as outcome:
        settings = read_settings(slack=False)
        found = _store(settings).all()
        if as_json:
            print(json.dumps([as_object(registered) for registered in found], indent=2))
        elif not found:
            print("No model of your own is registered. Register one: conjecture suite add FILE (see docs/own-model.md)")
        else:
            print("\n".join(_line(registered) for registered in found))
    return outcome.exit_code


def approve(name: str) -> int:
    """Agree to the cost of the latest version where no thread has buttons, as with `conjecture ask`."""
    with advised() as outcome:
        settings = read_settings(slack=False)
        store = _store(settings)
        registered = store.latest(name)
        if registered is None:
            raise _unknown(name, store)
        store.approve(name, registered.suite.version, APPROVER, datetime.now(UTC))
        told = _cost(registered.suite, registered.checked, settings.parallel)
        print(f"{name}, version {registered.suite.version}: approved. Requests on it start at once. Cost: {told}.")
    return outcome.exit_code


def remove(name: str) -> int:
    with advised() as outcome:
        store = _store(read_settings(slack=False))
        if not store.remove(name):
            raise _unknown(name, store)
        print(f"{name} was removed. What was measured on it stays readable; requests that run now are finished.")
    return outcome.exit_code


def _unknown(name: str, store: SqlOwnSuites) -> UsageError:
    known = ", ".join(registered.suite.name for registered in store.all()) or "none"
    return UsageError(f"No model named {name!r} is registered. Registered: {known}.")


def as_object(registered: Registered) -> dict[str, Any]:
    suite, checked = registered.suite, registered.checked
    return {
        "name": suite.name,
        "version": suite.version,
        "file": registered.file,
        "data": suite.data.name,
        "rows": len(suite.data.inputs),
        "classes": suite.data.classes or None,
        "metric": suite.metric.name,
        "higher_is_better": suite.metric.higher,
        "budget": asdict(suite.budget),
        "seconds_per_training": checked.seconds,
        "parameters": checked.parameters,
        "loss": checked.loss,
        "constant_loss": checked.constant_loss,
        "kinds": list(checked.tried),
        "refused": dict(checked.refused),
        "warnings": list(checked.warnings),
        "approved_by": registered.approved_by,
    }


def in_words(registered: Registered, settings: Settings, *, known: bool) -> str:
    suite, checked = registered.suite, registered.checked
    state = "already registered" if known else "registered"
    approval = f"approved by {registered.approved_by}" if registered.approved_by else "not approved yet"
    rows = [
        ("data", f"{suite.data.in_words}; a third of them held out, whose labels never leave the host"),
        ("model", f"{count(checked.parameters, 'parameter')}; {_places(checked)}"),
        ("judged by", _judged(suite, checked)),
        ("kinds", listed([KINDS[kind].plural for kind in checked.tried if kind in KINDS])),
        *(("not", f"{KINDS[kind].plural}: {why}") for kind, why in checked.refused.items() if kind in KINDS),
        ("cost", _cost(suite, checked, settings.parallel)),
    ]
    head = f"{suite.name}, version {suite.version}: {state}, {approval}\n"
    lines = [f"  {name:<10} {text}" for name, text in rows]
    warnings = [f"  Warning: {warning}" for warning in checked.warnings]
    return "\n".join([head, *lines, "", *warnings, *_what_next(registered)])


def _places(checked: Checked) -> str:
    calls = checked.places
    return f"component() {_times(calls['activation'])}, component(features) {_times(calls['normalizer'])}"


def _times(number: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(number, f"{number} times")


def _judged(suite: OwnSuite, checked: Checked) -> str:
    return (
        f"{suite.metric.in_words}; {checked.loss:.4g} after {suite.steps:,} steps, "
        f"{checked.constant_loss:.4g} for an answer that never looks at the inputs"
    )


def _cost(suite: OwnSuite, checked: Checked, parallel: int) -> str:
    kind = KINDS[next((kind for kind in checked.tried), "activation")]
    found = cost(suite, checked, kind, EXAMPLE_COUNT, parallel)
    return (
        f"{checked.seconds:.2g} s a training, {duration(found.hypothesis)} a hypothesis ({len(suite.seeds)} seeds); "
        f"{EXAMPLE_COUNT} {kind.plural} about {duration(found.request)}, and once {duration(found.baselines)} for what "
        "they are compared with"
    )


def _what_next(registered: Registered) -> list[str]:
    suite = registered.suite
    kind = KINDS[next((kind for kind in registered.checked.tried), "activation")]
    asks = []
    if not registered.approved_by:
        asks.append("The first time, the bot shows the cost and somebody approves it there.")
        asks.append(f"From the command line: conjecture suite approve {suite.name}.")
    return [
        f'Ask in Slack: "propose {EXAMPLE_COUNT} {kind.plural} on our {suite.name}".',
        *asks,
        f"One model and one data set say little beyond themselves; intervals are over {len(suite.seeds)} seeds.",
    ]


def _line(registered: Registered) -> str:
    suite = registered.suite
    approval = f"approved by {registered.approved_by}" if registered.approved_by else "not approved yet"
    per = registered.checked.seconds * len(suite.seeds)
    return (
        f"{suite.name}  version {suite.version}, {suite.data.name}, {suite.metric.name}, "
        f"{duration(per)} a hypothesis, {approval}, added {registered.added_at:%Y-%m-%d}"
    )
