"""`conjecture reproduce`: the experiment of a bundle once more, and whether its numbers hold."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path

from bot.app import workspaces_of
from bot.commands.reporting import FAILED, advised, log_to_stderr
from bot.home import Home
from bot.paper_wiring import hub_of
from bot.settings import read_settings
from engine.experiment.bundle import Bundle, Reproduction, environment_of, read_bundle
from engine.experiment.bundle import reproduce as run_again
from engine.experiment.judge import Trial


def reproduce(path: Path, *, as_json: bool) -> int:
    """Exit code 0: they hold. 1: they do not, or it could not be run."""
    with advised() as outcome:
        log_to_stderr("error")
        settings = read_settings(slack=False)
        Home(settings.home).prepare()
        bundle = read_bundle(path)
        sandbox = workspaces_of(settings)
        try:
            here = environment_of(sandbox)
            found = run_again(bundle, settings.home, sandbox, hub=hub_of(settings), record=_said(bundle))
        finally:
            sandbox.close()
        told = json.dumps(as_object(bundle, found, here), indent=2, ensure_ascii=False) if as_json else None
        print(told or in_words(bundle, found, here))
        if not found.holds:
            outcome.exit_code = FAILED
    return outcome.exit_code


def _said(bundle: Bundle) -> Callable[[Trial], None]:
    """Tells whoever waits how far it is."""
    numbers = itertools.count(1)

    def say(trial: Trial) -> None:
        value = f"{trial.value:.4g}" if trial.value is not None else f"no figure: {trial.problem}"
        place = f"run {next(numbers)} of {2 * bundle.plan.repeats}"
        print(f"{place}, {trial.arm}, seed {trial.seed}: {value}", file=sys.stderr, flush=True)

    return say


def in_words(bundle: Bundle, found: Reproduction, here: dict[str, str]) -> str:
    verdict = {True: "The numbers hold.", False: "The numbers do NOT hold.", None: "Not judged again."}[found.holds]
    then = {(trial.arm, trial.seed): trial.value for trial in bundle.trials}
    rows = [
        f"  {now.arm:<10} seed {now.seed:<10} {_figure(then.get((now.arm, now.seed)))} then, {_figure(now.value)} now"
        for now in found.judgement.trials
    ]
    versions = [(name, version, here.get(name, "none")) for name, version in bundle.environment.items()]
    other = [f"{name} {before} then, {after} now" for name, before, after in versions if before != after]
    environment = f"Other versions: {'; '.join(other)}." if other else "The same versions as then."
    given = [f"With {one.in_words}, the same files." for one in bundle.fetched]
    return "\n".join([bundle.plan.hypothesis, "", f"{verdict} {found.words}", "", *rows, "", *given, environment])


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def as_object(bundle: Bundle, found: Reproduction, here: dict[str, str]) -> dict[str, object]:
    return {
        "holds": found.holds,
        "words": found.words,
        "largest_difference": found.largest_difference,
        "plan": bundle.plan.as_json(),
        "fetched": [one.as_json() for one in bundle.fetched],
        "then": {"result": bundle.result.value, "reason": bundle.reason, "environment": dict(bundle.environment)},
        "now": {**found.judgement.as_json(), "environment": here},
    }
