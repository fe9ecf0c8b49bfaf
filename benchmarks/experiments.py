"""Experiments on the five tasks, several trials each: how many ran, how many were judged, and what they gained.

    python benchmarks/experiments.py [--json] [--tasks TASK...] [--trials 8] [--seeds 5] [--home DIR] [--out DIR]
                                     [--model NAME] [--base-url URL] [--sandbox docker|process|unsafe]

Without --model a scripted endpoint plays the model; its first attempt in every other trial is code that fails. With
one, the key is OPENAI_API_KEY. What --out holds already is not done again: a run that was ended goes on.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(1, str(Path(__file__).parents[1] / "tests" / "live"))

import numpy as np
from scipy import stats
from scripted_llm import THE_END, Body, Line, Player, call, endpoint

from engine.experiment.agent import ExperimentAgent, Finished, Question, judgement_of
from engine.experiment.author import ModelAuthor
from engine.experiment.judge import CONFIDENCE, Result, over_seeds
from engine.experiment.plan import read_plan
from engine.experiment.steps import Budget, Experiment, Kind
from engine.experiment.tasks.catalogue import TASKS
from engine.llm.client import OPENAI_URL, OpenAIModel
from engine.score import Estimate
from sandbox.choose import open_workspaces
from storage.database import open_database
from storage.notebook import SqlNotebook

TRIALS, SEEDS, REPLIES = 8, 5, 2
THRESHOLD = 0.10  # improvement over the prototype that the published evaluation of such agents counts as success
MINUTES = {"approval": 2.0, "reply": 1.0}  # assumed, of a person's attention
REPLY = "Decide yourself, by your best judgement, and go on."
IDEAS: Mapping[str, tuple[str, str, str, str]] = {  # hypothesis, model, and what the scripted model replaces by what
    "essays": (
        "Letters in sequence tell more about the quality of a text than words do.",
        "ridge regression on sequences of characters",
        "ngram_range=(1, 2)",
        'analyzer="char_wb", ngram_range=(2, 4)',
    ),
    "sentiment": (
        "Pairs of words tell negations apart, and weaker regularization lets them count.",
        "logistic regression on words and pairs of words",
        "sublinear_tf=True), LogisticRegression(C=1.0",
        "sublinear_tf=True, ngram_range=(1, 2)), LogisticRegression(C=4.0",
    ),
    "relatedness": (
        "Slower boosting with more trees relates texts better.",
        "gradient boosting with twice the trees at half the rate",
        "max_iter=120, learning_rate=0.06",
        "max_iter=240, learning_rate=0.03",
    ),
    "tabular": (
        "That a value is missing tells something itself.",
        "logistic regression with an indicator for each missing value",
        'SimpleImputer(strategy="median")',
        'SimpleImputer(strategy="median", add_indicator=True)',
    ),
    "images": (
        "More trees vote better.",
        "a forest with three times the trees",
        "n_estimators=60",
        "n_estimators=180",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Of one trial. improvement, relative: above 0 is better; None where it was not judged."""

    task: str
    trial: int
    ran: bool
    validated: bool
    succeeded: bool
    improvement: float | None
    relative: float | None
    tokens: int
    model_seconds: float
    sandbox_seconds: float
    attempts: int
    questions: int
    minutes: float


def script(task: str, trial: int) -> list[Line]:
    _, _, old, new = IDEAS[task]
    path = TASKS[task].entry
    edit, run = call("edit_file", path=path, old=old, new=new), call("run")
    broken = [call("edit_file", path=path, old=old, new="undefined_name"), run, call("undo")]
    done = call("finish", done="The prototype with the one change that the plan asks for.")
    return [call("read_file", path=path), *(broken if trial % 2 else []), edit, run, done]


def played(lines: Sequence[Line]) -> Player:
    """By how often it has answered already, so that a run that was ended goes on with the line it was at."""

    def line(body: Body) -> Line:
        said = sum(message["role"] == "assistant" for message in body["messages"])
        return lines[said] if said < len(lines) else THE_END

    return line


@contextmanager
def model_for(arguments: argparse.Namespace, task: str, trial: int) -> Iterator[OpenAIModel]:
    if arguments.model:
        key = os.environ.get("OPENAI_API_KEY", "none")
        yield OpenAIModel(model=arguments.model, api_key=key, base_url=arguments.base_url)
        return
    with endpoint(played(script(task, trial))) as served:
        yield OpenAIModel(model="scripted-1", api_key="none", base_url=served.url)


def measure(arguments: argparse.Namespace, agent: ExperimentAgent, task: str, trial: int) -> Outcome:
    hypothesis, model, _, _ = IDEAS[task]
    data = TASKS[task].load(arguments.home)
    told = {"hypothesis": f"{hypothesis} (repetition {trial})", "task": task, "data": data.name, "model": model}
    plan = read_plan({**told, "metric": data.metrics[0], "seeds": arguments.seeds})
    name = f"{arguments.model or 'scripted'}-{task}-{trial}-{plan.digest[:8]}"
    agent.begin(Experiment(id=name, plan=plan, budget=Budget(tokens=arguments.tokens)))
    ending = agent.go_on(name)
    for reply in range(REPLIES):
        if isinstance(ending, Question):
            agent.say(name, f"reply-{reply}", "benchmark", REPLY)
            ending = agent.go_on(name)
    state = agent.state(name)
    found = judgement_of(state) if isinstance(ending, Finished) else None
    judged = found is not None and found.result is not Result.NOT_JUDGED
    replies = sum(step.kind is Kind.WORDS for step in state.steps)
    return Outcome(
        task=task,
        trial=trial,
        ran=any(step.trial and step.trial.value is not None for step in state.attempts),
        validated=judged,
        succeeded=found is not None and found.result is Result.SUCCEEDED,
        improvement=found.improvement.value if found and found.improvement else None,
        relative=found.relative.value if found and found.relative else None,
        tokens=state.spent.tokens,
        model_seconds=state.spent.seconds,
        sandbox_seconds=state.spent.sandbox_seconds,
        attempts=len(state.attempts),
        questions=sum(step.kind is Kind.QUESTION for step in state.steps),
        minutes=MINUTES["approval"] + replies * MINUTES["reply"],
    )


def share(hits: int, of: int) -> str:
    interval = stats.binomtest(hits, of).proportion_ci(CONFIDENCE, method="wilson")
    return f"{hits}/{of} [{interval.low:.2f}, {interval.high:.2f}]"


def mean(values: Sequence[float], rows: int) -> Estimate | None:
    """With a t interval over trials; none for fewer than two."""
    return over_seeds(np.array(values), rows=rows, size=1.0) if len(values) > 1 else None


def row(task: str, found: Sequence[Outcome]) -> str:
    relative = [one.relative for one in found if one.relative is not None]
    estimate = mean(relative, rows=10_000)
    gained = "-" if not relative else f"{np.mean(relative):+.2%}"
    if estimate:
        gained += f" [{estimate.low:+.2%}, {estimate.high:+.2%}]"
    rates = [share(sum(getattr(one, name) for one in found), len(found)) for name in ("ran", "validated", "succeeded")]
    above = share(sum(value > THRESHOLD for value in relative), len(found))
    means = [f"{np.mean([getattr(one, name) for one in found]):,.0f}" for name in ("tokens", "sandbox_seconds")]
    minutes = f"{np.mean([one.minutes for one in found]):.1f}"
    return "| " + " | ".join([task, *rates, above, gained, *means, minutes]) + " |"


def table(found: Sequence[Outcome], model: str) -> str:
    names = list(dict.fromkeys(one.task for one in found))
    head = ["task", "ran", "validated", "succeeded", f"> {THRESHOLD:.0%}", "relative improvement"]
    head += ["tokens", "sandbox s", "people min"]
    lines = [f"Model: {model}. Intervals {CONFIDENCE:.0%}: Wilson for shares, t over trials for the improvement."]
    lines += ["", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += [row(name, [one for one in found if one.task == name]) for name in names]
    if len(names) > 1:
        lines.append(row("all", found))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--trials", type=int, default=TRIALS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--tokens", type=int, default=Budget().tokens)
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("CONJECTURE_HOME", "~/.conjecture")))
    parser.add_argument("--out", type=Path, default=Path("experiments-benchmark"))
    parser.add_argument("--model")
    parser.add_argument("--base-url", default=os.environ.get("OPENAI_BASE_URL", OPENAI_URL))
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    arguments.home = arguments.home.expanduser()
    arguments.out.mkdir(parents=True, exist_ok=True)
    notebook = SqlNotebook(open_database(f"sqlite:///{arguments.out.resolve()}/notebook.db"))
    sandbox = open_workspaces(arguments.sandbox, owner=str(arguments.out.resolve()))
    found: list[Outcome] = []
    try:
        for trial in range(arguments.trials):  # the outer loop: a run that is ended has measured every task as often
            for task in arguments.tasks:
                with model_for(arguments, task, trial) as model:
                    agent = ExperimentAgent(
                        notebook=notebook,
                        author=ModelAuthor(model),
                        sandbox=sandbox,
                        load=lambda plan: plan.template.load(arguments.home, plan.data),
                    )
                    found.append(measure(arguments, agent, task, trial))
                print(f"{task} {trial + 1}/{arguments.trials}: {found[-1]}", file=sys.stderr, flush=True)
                told = {"model": arguments.model or "scripted", "trials": [asdict(one) for one in found]}
                (arguments.out / "experiments.json").write_text(json.dumps(told, indent=1))
    finally:
        sandbox.close()
    print(json.dumps(told) if arguments.json else table(found, arguments.model or "scripted"))


if __name__ == "__main__":
    main()
