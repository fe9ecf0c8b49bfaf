"""`conjecture export`: everything behind an answer, so that anyone can recompute each figure and retrain an arm."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bot.app import Laboratory
from bot.commands.reporting import UsageError, advised, log_to_stderr
from bot.settings import read_settings
from bot.views.ranking_json import as_json
from engine.dropin import drop_in
from engine.errors import UnknownThing
from engine.evaluate import AnySuite
from engine.hypothesis import Hypothesis
from engine.score import BaselineTrials, Score
from engine.suite import FULL, GRID_SEEDS, SELECTION_SEEDS, Suite
from engine.verdict import Verdict
from sandbox.guest.components.kinds import KINDS

HOW_TO_READ = (
    "Each trial is [cell, seed, held-out loss, accuracy, held-out loss at the last checkpoint alone]; null: it "
    "diverged. B-WR is the share of (baseline, trial) pairs in which the candidate's loss is smaller, BSOTA-WR the "
    "share of trials in which it is smaller than the smallest of the baselines; two losses within relative 1e-4 are a "
    "tie and count one half. The effect is the median over trials of (b - c) / max(b, c), b being the loss of the best "
    "baseline: the one with the largest B-WR against the others on the selection seeds. Each arm was trained with the "
    "factor of its grid (what it scales: grid_of) whose (loss - l) / loss is smallest on average over the cells, l "
    "being the smallest loss of any factor in the cell; grid lists each factor with its losses on the grid seeds, in "
    "the order of the suite's cells. Data, splits, initial parameters and order of examples follow from suite, secret "
    "and seed (engine/suite.py)."
)


def export(request_id: str, out: Path) -> int:
    with advised() as outcome:
        log_to_stderr("error")
        laboratory = Laboratory.open(read_settings(slack=False))
        try:
            told = evidence(laboratory, request_id)
        finally:
            laboratory.close()
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(told, indent=1, ensure_ascii=False, default=str))
        print(f"{out}: {len(told['hypotheses'])} hypotheses, {len(told['baselines'])} baseline runs", file=sys.stderr)
    return outcome.exit_code


def export_finding(hypothesis_id: str, out: Path) -> int:
    """Write a finding as a module with its test, evidence and description into a folder."""
    with advised() as outcome:
        log_to_stderr("error")
        laboratory = Laboratory.open(read_settings(slack=False))
        try:
            kind = KINDS[hypothesis_named(laboratory, hypothesis_id).kind]
            metric = laboratory.conditions(kind.name, FULL.name).measuring.metric
            found = laboratory.confirm.evidence(hypothesis_id, metric)
        finally:
            laboratory.close()
        if found is None:
            raise UsageError(f"{hypothesis_id} is not a finding; only what was confirmed is exported.")
        out.mkdir(parents=True, exist_ok=True)
        for name, data in drop_in(found, kind).items():
            (out / name).write_bytes(data)
            print(out / name, file=sys.stderr)
    return outcome.exit_code


def hypothesis_named(laboratory: Laboratory, hypothesis_id: str) -> Hypothesis:
    try:
        return laboratory.journal.hypothesis(hypothesis_id)
    except UnknownThing as error:
        raise UsageError(f"No hypothesis {hypothesis_id!r} is recorded in {laboratory.settings.home}.") from error


def evidence(laboratory: Laboratory, request_id: str) -> dict[str, Any]:
    journal, evaluator = laboratory.journal, laboratory.evaluator
    try:
        request = journal.request(request_id)
    except UnknownThing as error:
        raise UsageError(f"No request {request_id!r} is recorded in {laboratory.settings.home}.") from error
    suites = {kind: laboratory.research.suite(request, kind) for kind in request.kinds}
    now = {kind: evaluator.identity(kind, suite) for kind, suite in suites.items()}
    recorded = journal.scores(request_id)
    scores = [score for score in recorded if score.suite in now.values()]
    other = {score.suite for score in recorded} - set(now.values())
    if other and not scores:
        raise UsageError(
            f"{request_id} was measured on {', '.join(other)}; this version measures on {', '.join(now.values())}."
        )
    runs = [run for kind in request.kinds for run in baselines(laboratory, kind, suites[kind], scores)]
    secret = laboratory.home.suite_secret()
    return {
        "request": asdict(request),
        "how_to_read": HOW_TO_READ,
        "suites": {
            kind: {
                "identity": now[kind],
                "definition": asdict(suite) if isinstance(suite, Suite) else suite.definition(),
                "cells": suite.cells,
                "grid_of": KINDS[kind].conditions.grid_of,
                "secret": secret_of(suite, secret).hex(),
            }
            for kind, suite in suites.items()
        },
        "selection_seeds": SELECTION_SEEDS,
        "grid_seeds": GRID_SEEDS,
        "torch_version": laboratory.sandbox.torch_version,
        "rankings": [as_json(ranking) for ranking in laboratory.research.rankings(request_id)],
        "hypotheses": [behind(laboratory, hypothesis, scores) for hypothesis in journal.hypotheses(request_id)],
        "baselines": [
            {
                "kind": run.kind,
                "baseline": run.baseline,
                "seeds": run.seeds,
                "device": run.device,
                "code_digest": run.code_digest,
                **measured(run),
            }
            for run in runs
        ],
    }


def secret_of(suite: AnySuite, secret: bytes) -> bytes:
    """Of this epoch, or of this model, alone: those of others and of epochs to come stay secret."""
    return suite.secret_of_epoch(secret) if isinstance(suite, Suite) else suite.secret_of_model(secret)


def baselines(laboratory: Laboratory, kind: str, suite: AnySuite, scores: list[Score]) -> list[BaselineTrials]:
    """On every set of seeds that something was measured on. What an upgrade made stale is trained again, equally."""
    runs: dict[tuple[str, tuple[int, ...]], BaselineTrials] = {}
    for seeds in dict.fromkeys(score.seeds for score in scores):
        laboratory.evaluator.prepare(kind, seeds, suite)
        for run in laboratory.evaluator.baseline_trials(kind, seeds, suite):
            runs[run.baseline, run.seeds] = run
    return list(runs.values())


def behind(laboratory: Laboratory, hypothesis: Hypothesis, scores: list[Score]) -> dict[str, Any]:
    verdict = laboratory.journal.verdicts(hypothesis.request_id).get(hypothesis.id)
    choice = laboratory.journal.choices(hypothesis.request_id).get(hypothesis.id)
    return {
        **{name: value for name, value in asdict(hypothesis).items() if name != "source"},
        "code": hypothesis.code,
        "verdict": told(verdict) if verdict else None,
        "novelty": asdict(verdict.novelty) if verdict and verdict.novelty else None,
        "choice": asdict(choice) if choice else None,
        "scores": [{**asdict(score), **measured(score)} for score in scores if score.hypothesis_id == hypothesis.id],
    }


def told(verdict: Verdict) -> dict[str, Any]:
    names = ("outcome", "check", "reason", "parameters", "cost_ratio", "seconds")
    return {name: getattr(verdict, name) for name in names}


def measured(arm: Score | BaselineTrials) -> dict[str, Any]:
    """What every figure of an arm is computed from."""
    return {
        "factor": arm.factor,
        "grid": {str(one.factor): one.losses for one in arm.grid},
        "trials": [[t.cell, t.seed, t.loss, t.accuracy, t.final_loss] for t in arm.trials],
    }
