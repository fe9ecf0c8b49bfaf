"""All that is behind a report in one file, and whether running it once more gives the same numbers.

The data are not in it, because many may not be passed on: their names and digests are, and they are fetched again.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import BundleError, PlanError
from engine.experiment.admission import require_no_held_out
from engine.experiment.fetched import Fetched, in_bytes, read_fetched, size_of
from engine.experiment.hub import Hub, NoHub, read
from engine.experiment.judge import Arm, Judgement, Result, Trial, judge
from engine.experiment.plan import Plan, read_plan
from engine.experiment.task import Data
from sandbox.workspace import Run, RunLimits, Workspace, WorkspaceSandbox, wrong_path

FORMAT = 1
MANIFEST, WORKSPACE, BASELINE = "bundle.json", "workspace/", "baseline/"
MOST_BYTES = 256 << 20
DATE = (1980, 1, 1, 0, 0, 0)  # of every file: the same experiment makes the same bytes
SAME = 1e-6  # relative difference of a figure up to which it is called the same
ENVIRONMENT = b"""\
import importlib.metadata, json, platform
found = {"python": platform.python_version(), "machine": platform.machine()}
for name in ("torch", "numpy", "scipy", "scikit-learn", "pandas"):
    try:
        found[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
json.dump(found, open("environment.json", "w"))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Read back and checked. trials: of both arms; their logs are files of the bundle."""

    plan: Plan
    data: Mapping[str, Any]  # name, digest, rows, licence, provenance
    workspace: Workspace
    baseline: Workspace
    fetched: tuple[Fetched, ...]  # of a hub
    trials: tuple[Trial, ...]
    result: Result
    reason: str
    again: int
    environment: Mapping[str, str]
    report: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """holds: the result is the same, and so is every figure up to `SAME`, or at least each arm's mean lies within its
    interval; None: it could not be judged again."""

    holds: bool | None
    words: str
    largest_difference: float | None  # of a trial's figure, relative
    judgement: Judgement


def environment_of(sandbox: WorkspaceSandbox) -> dict[str, str]:
    """Versions inside the sandbox, asked there. Raises SandboxError."""
    limits = RunLimits(wall_seconds=60, cores=1)
    result = sandbox.run(Run(files={"environment.py": ENVIRONMENT}, entry="environment.py", limits=limits))
    found = json.loads(result.files.get("environment.json", b"{}"))
    return {**{str(name): str(version) for name, version in found.items()}, "sandbox": result.level.value}


def write_bundle(
    path: Path,
    *,
    plan: Plan,
    data: Data,
    workspace: Workspace,
    judgement: Judgement,
    report: str,
    environment: Mapping[str, str],
    again: int = 0,
    fetched: Sequence[Fetched] = (),
    extra: Mapping[str, bytes] | None = None,
) -> Path:
    """One zip archive. extra: further files, such as plots, by path. The same arguments make the same bytes."""
    files: dict[str, bytes] = {f"{WORKSPACE}{name}": content for name, content in workspace.items()}
    files |= {f"{BASELINE}{name}": content for name, content in plan.template.prototype().items()}
    files |= {f"logs/{trial.arm}-{trial.seed}.txt": trial.log.encode() for trial in judgement.trials}
    files |= {f"extra/{name}": content for name, content in (extra or {}).items()}
    files |= {"report.md": report.encode(), "README.md": _readme(path.name, plan, data, fetched).encode()}
    told = {
        "format": FORMAT,
        "plan": plan.as_json(),
        "plan_digest": plan.digest,
        "again": again,
        "data": {name: getattr(data, name) for name in ("name", "digest", "rows", "licence", "provenance")},
        "fetched": [one.as_json() for one in fetched],
        "environment": dict(environment),
        "result": judgement.result.value,
        "reason": judgement.reason,
        "numbers": judgement.numbers,
        "trials": [_trial(trial) for trial in judgement.trials],
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [
            (MANIFEST, json.dumps(told, indent=1, ensure_ascii=False).encode()),
            *sorted(files.items()),
        ]:
            archive.writestr(zipfile.ZipInfo(name, DATE), content, zipfile.ZIP_DEFLATED)
    path.write_bytes(stream.getvalue())
    return path


def _readme(name: str, plan: Plan, data: Data, fetched: Sequence[Fetched]) -> str:
    also = "".join(f"Nor is {one.in_words}: it is fetched from the Hugging Face hub again.\n" for one in fetched)
    return (
        f"# {plan.hypothesis}\n\n`report.md` is the report; `workspace/` the code that was judged, `baseline/` what it "
        f"was compared with, `logs/` what each run printed, `{MANIFEST}` the plan, seeds, digests and figures.\n\n"
        f"Run it again: `conjecture reproduce {name}`\n\nThe data are not in here: {data.name}, {data.provenance} "
        f"({data.licence}).\n{also}"
    )


def _trial(trial: Trial) -> dict[str, Any]:
    names = ("arm", "seed", "value", "problem", "rows", "seconds")
    return {name: getattr(trial, name) for name in names}


def read_bundle(path: Path) -> Bundle:
    """Raises BundleError for what is no bundle, was changed, or is of another version; OSError when it is not there."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(info.file_size for info in archive.infolist()) > MOST_BYTES:
                raise BundleError(f"{path.name} holds more than {MOST_BYTES >> 20} MiB: too much for a bundle.")
            files = {info.filename: archive.read(info) for info in archive.infolist()}
        told = json.loads(files.pop(MANIFEST))
        if told["format"] != FORMAT:
            raise BundleError(f"{path.name} is of format {told['format']!r}; this version reads {FORMAT}.")
        _require_unchanged(path.name, files, told["files"])
        return _bundle(files, told)
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, PlanError) as error:
        raise BundleError(f"{path.name} is no bundle of an experiment, or is damaged: {error}.") from error


def _require_unchanged(name: str, files: Mapping[str, bytes], digests: Mapping[str, str]) -> None:
    changed = [
        path
        for path in sorted({*files, *digests})
        if hashlib.sha256(files.get(path, b"")).hexdigest() != digests.get(path)
    ]
    if changed:
        raise BundleError(f"{name} was changed after it was written: {', '.join(changed[:5])}.")


def _bundle(files: Mapping[str, bytes], told: Mapping[str, Any]) -> Bundle:
    def folder(prefix: str) -> dict[str, bytes]:
        found = {path.removeprefix(prefix): content for path, content in files.items() if path.startswith(prefix)}
        wrong = [reason for path in found if (reason := wrong_path(path))]
        if wrong:
            raise ValueError(wrong[0])
        return found

    plan = read_plan(told["plan"])
    if plan.digest != told["plan_digest"]:
        raise ValueError("its plan does not have the digest that it was approved with")
    trials = tuple(Trial(**{**trial, "arm": Arm(trial["arm"])}) for trial in told["trials"])
    return Bundle(
        plan=plan,
        data=told["data"],
        workspace=folder(WORKSPACE),
        baseline=folder(BASELINE),
        fetched=tuple(read_fetched(one) for one in told.get("fetched", ())),
        trials=trials,
        result=Result(told["result"]),
        reason=str(told["reason"]),
        again=int(told["again"]),
        environment=told["environment"],
        report=files["report.md"].decode(),
    )


def reproduce(
    bundle: Bundle,
    home: Path,
    sandbox: WorkspaceSandbox,
    *,
    hub: Hub | None = None,
    record: Callable[[Trial], None] = lambda trial: None,
) -> Reproduction:
    """Run both arms again on the same seeds and rows, with what was fetched from `hub` at the same commits.

    Raises TaskDataError, SandboxError, and BundleError for other data.
    """
    data = bundle.plan.template.load(home, bundle.plan.data)
    if data.digest != bundle.data["digest"]:
        raise BundleError(
            f"{data.name} is not what the bundle was made on: digest {data.digest[:12]}, then "
            f"{bundle.data['digest'][:12]}. Get the same version: {bundle.data['provenance']}."
        )
    hub = hub or NoHub()
    if size_of(bundle.fetched) > hub.most_bytes:
        raise BundleError(
            f"The experiment was given {in_bytes(size_of(bundle.fetched))} of the Hugging Face hub "
            f"({'; '.join(one.in_words for one in bundle.fetched)}), and {in_bytes(hub.most_bytes)} may be fetched "
            "here. Raise CONJECTURE_HUB_MIB, and set CONJECTURE_LITERATURE to all."
        )
    for one in bundle.fetched:
        require_no_held_out(one, data, hub)
    found = judge(
        bundle.plan,
        data,
        bundle.workspace,
        sandbox,
        again=bundle.again,
        baseline=bundle.baseline,
        beside=read(hub, bundle.fetched),
        record=record,
    )
    return compared(bundle, found)


def compared(bundle: Bundle, found: Judgement) -> Reproduction:
    """Whether what was found now is what the bundle says."""
    then = {(trial.arm, trial.seed): trial.value for trial in bundle.trials}
    pairs = [(then[t.arm, t.seed], t.value) for t in found.trials if (t.arm, t.seed) in then]
    differences = [abs(a - b) / max(abs(a), abs(b), 1e-12) for a, b in pairs if a is not None and b is not None]
    largest = max(differences, default=None)
    holds: bool | None
    if found.result is Result.NOT_JUDGED:
        holds = bundle.result is Result.NOT_JUDGED or None
        words = f"It ended as before: {found.reason}" if holds else f"It could not be judged again. {found.reason}"
    elif found.result is not bundle.result:
        holds, words = False, f"It {found.result} now; the bundle says it {bundle.result}. {found.reason}"
    elif largest is not None and largest <= SAME and len(differences) == len(bundle.trials):
        holds, words = True, f"The same numbers, and the same result: {found.result}."
    else:
        holds = _within(bundle, found)
        where = "both arms' means lie within their intervals" if holds else "a mean lies outside its interval"
        words = f"The same result, {found.result}, with other numbers: up to {largest or 0.0:.2g} apart; {where}."
    return Reproduction(holds=holds, words=words, largest_difference=largest, judgement=found)


def _within(bundle: Bundle, found: Judgement) -> bool:
    for arm, estimate in ((Arm.BASELINE, found.baseline_value), (Arm.EXPERIMENT, found.value)):
        values = [trial.value for trial in bundle.trials if trial.arm is arm and trial.value is not None]
        if estimate is None or not values or not estimate.low <= sum(values) / len(values) <= estimate.high:
            return False
    return True
