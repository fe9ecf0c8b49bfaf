"""A finding as files to take away: the module, its test, the evidence, and a description for a pull request."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.dropin_tests import written_test
from engine.finding import Confirmation, Origin, Round
from engine.hypothesis import Hypothesis
from engine.score import BaselineTrials, Estimate, Score
from engine.verdict import Verdict
from sandbox.guest.components.kind import Kind

TAKEN = frozenset({"torch", "numpy", "pytest", "build"}) | sys.stdlib_module_names
EARLIEST = (1980, 1, 1, 0, 0, 0)  # of any file in a zip archive: the same finding gives the same bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that speaks for a finding, and against it."""

    hypothesis: Hypothesis
    verdict: Verdict | None
    planned: Round
    found: Confirmation
    screened: Sequence[Score]  # what was measured before it was sent to confirmation, re-runs too
    score: Score  # the confirmation's own trials
    baselines: Sequence[BaselineTrials]  # on the confirmation's seeds
    origin: Origin | None
    metric: str  # in words
    torch_version: str


def drop_in(evidence: Evidence, kind: Kind) -> dict[str, bytes]:
    """File names and contents. The module is, byte for byte, what was measured."""
    hypothesis = evidence.hypothesis
    name = module_name(hypothesis.title, kind.name)
    digest = hashlib.sha256(hypothesis.source).hexdigest()
    told = as_json(evidence, name, digest)
    return {
        f"{name}.py": hypothesis.source,
        f"test_{name}.py": written_test(kind.name, module=name, title=kind.title, digest=digest).encode(),
        "evidence.json": json.dumps(told, indent=1, ensure_ascii=False, default=str).encode("utf-8", "replace"),
        "EVIDENCE.md": in_words(evidence, kind).encode("utf-8", "replace"),
        "PULL_REQUEST.md": pull_request(evidence, kind, name).encode("utf-8", "replace"),
    }


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The same files give the same bytes."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, EARLIEST), data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def module_name(title: str, kind: str) -> str:
    """Importable, and no module that is there already: `Zero-mean GELU` -> `zero_mean_gelu`."""
    name = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:40].strip("_")
    if not name or name[0].isdigit() or not name.isidentifier() or name in TAKEN:
        name = f"{kind}_{name}".strip("_")
    return name


def as_json(evidence: Evidence, name: str, digest: str) -> dict[str, Any]:
    hypothesis, verdict, planned = evidence.hypothesis, evidence.verdict, evidence.planned
    best = planned.closing.best if planned.closing else None
    return {
        "module": f"{name}.py",
        "sha256": digest,
        "hypothesis": {key: value for key, value in asdict(hypothesis).items() if key != "source"},
        "nearest_published": asdict(verdict.novelty) if verdict and verdict.novelty else None,
        "parameters": verdict.parameters if verdict else None,
        "cost_ratio": verdict.cost_ratio if verdict else None,
        "decided_before_looking": {key: value for key, value in asdict(planned).items() if key != "closing"},
        "result": asdict(evidence.found),
        "tested_against": best,
        "where_it_comes_from": asdict(evidence.origin) if evidence.origin else None,
        "screened": [_figures(score) for score in evidence.screened],
        "torch_version": evidence.torch_version,
        "device": evidence.score.device,
        "metric": f"{evidence.metric}; lower is better",
        "trials_are": "[cell, seed, loss, accuracy]; null: it diverged",
        "trials": _trials(evidence.score),
        "factor_of_the_grid": evidence.score.factor,
        "baselines": {
            one.baseline: {"factor_of_the_grid": one.factor, "trials": _trials(one)}
            for one in evidence.baselines
            if one.seeds == planned.seeds
        },
    }


def _figures(score: Score) -> dict[str, Any]:
    names = ("suite", "seeds", "effect", "b_wr", "bsota_wr", "diverged")
    return {name: value for name, value in asdict(score).items() if name in names}


def _trials(arm: Score | BaselineTrials) -> list[list[object]]:
    return [[trial.cell, trial.seed, trial.loss, trial.accuracy] for trial in arm.trials]


def in_words(evidence: Evidence, kind: Kind) -> str:
    """The evidence in Markdown."""
    hypothesis, found, planned = evidence.hypothesis, evidence.found, evidence.planned
    best = planned.closing.best if planned.closing else "the best baseline"
    rows = [
        "| measured | effect | B-WR | BSOTA-WR |",
        "|---|---|---|---|",
        *(
            f"| {score.suite}, {len(score.seeds)} seeds | {_percent(score.effect)} | {_rate(score.b_wr)} "
            f"| {_rate(score.bsota_wr)} |"
            for score in evidence.screened
        ),
        f"| in full, {len(planned.seeds)} fresh seeds | {_percent(found.effect)} | {_rate(found.b_wr)} "
        f"| {_rate(found.bsota_wr)} |",
    ]
    facts = [
        f"- Tested: the mean relative difference in {evidence.metric} from {best}, the best of {len(kind.baselines)} "
        f"published {kind.plural} (chosen on other seeds), is more than {planned.margin:.0%}.",
        f"- Mean difference: {_percent(found.mean)}; p = {found.adjusted_p:.2g} after Holm's correction for "
        f"{len(planned.family)} tested together, at level {planned.alpha:.2g} (round {planned.number}, LORD++).",
        f"- On the data sets that no screening uses: {_percent(found.unseen)}.",
        f"- Data: {', '.join(planned.data_sets)}; seeds {planned.seeds[0]} to {planned.seeds[-1]}, never used before.",
        "- Every arm was trained equally long and took its best factor of the same grid "
        f"({kind.conditions.grid_of}); this one's is {evidence.score.factor:.3g}x."
        if evidence.score.factor is not None
        else "- Every arm was trained equally long.",
        "- Intervals are 90 % over seeds on these data sets; small nets on small data say nothing about large models.",
        *(["- Step-size effect: with every arm's best learning rate the win vanishes."] * found.step_size_effect),
    ]
    return "\n".join(
        [f"# {hypothesis.title or 'untitled'}: evidence", "", *facts, "", *rows, "", *_origin(evidence), ""]
    )


def _origin(evidence: Evidence) -> list[str]:
    origin = evidence.origin
    if origin is None:
        return []
    lines = ["## Where the gain comes from (screening suite)", "", f"- as it is: {_percent(origin.whole)}"]
    lines += [f"- without {part.without}: {_percent(part.effect)}" for part in origin.parts]
    if origin.share:
        share = _rate(origin.share)
        lines.append(f"- share that it keeps in a learned mix with {origin.mixed_with} (.5 at the start): {share}")
    return lines


def pull_request(evidence: Evidence, kind: Kind, name: str) -> str:
    """Title and description, in Markdown."""
    hypothesis, found, verdict = evidence.hypothesis, evidence.found, evidence.verdict
    novelty = verdict.novelty if verdict else None
    nearest = f"{novelty.nearest} ({novelty.nearest_source}), N-score {novelty.n_score:.3f}" if novelty else "not known"
    cost = (
        f"{verdict.cost_ratio:.1f}x the time of {kind.reference}" if verdict and verdict.cost_ratio else "not measured"
    )
    best = evidence.planned.closing.best if evidence.planned.closing else "the best baseline"
    lines = [
        f"# Add {hypothesis.title or name} ({kind.title})",
        "",
        hypothesis.claim.strip() or "No claim was made.",
        "",
        hypothesis.rationale.strip(),
        "",
        "## What was measured",
        "",
        f"{_percent(found.mean)} mean difference in {evidence.metric} from {best}, the best of {len(kind.baselines)} "
        f"published {kind.plural}; p = {found.adjusted_p:.2g}. See EVIDENCE.md, and evidence.json for every trial.",
        "",
        f"- Nearest published one: {nearest}",
        f"- Cost: {cost}",
        f"- Proposed by {hypothesis.generator} ({hypothesis.strategy})"
        + (f", inspired by {hypothesis.inspiration}" if hypothesis.inspiration.strip() else ""),
        "",
        "## How to use it",
        "",
        f"`from {name} import build`; entry: `{kind.entry}`. `pytest test_{name}.py` checks it. Nobody has reviewed "
        "the code: read it before you merge it.",
        "",
    ]
    return "\n".join(lines)


def _percent(estimate: Estimate | None) -> str:
    if estimate is None:
        return "not measured"
    return f"{estimate.value:+.1%} [{estimate.low:+.1%}, {estimate.high:+.1%}]"


def _rate(estimate: Estimate | None) -> str:
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]" if estimate else "not measured"
