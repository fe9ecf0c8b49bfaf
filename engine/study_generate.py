"""A study's hypotheses from generators: asked batch by batch, and kept, so that nothing is asked for twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from engine.generate import BATCH, generate
from engine.journal import Journal
from engine.llm.client import LLM
from engine.request import Strategy
from engine.study import Watch, request_of
from engine.study_sources import Source
from sandbox.guest.components.kind import Kind

CATALOGUE = "catalogue"  # the offline catalogue's name as a source
STRATEGIES = (Strategy.INCREMENTAL, Strategy.NOVEL)
DEFAULT_COUNT = 40  # asked of a model when nobody says how many
ALL = 10_000  # more than any catalogue has


def generated(
    kind: Kind,
    model: LLM,
    name: str,
    count: int | None,
    *,
    journal: Journal,
    costs: Path,
    watch: Watch,
    stopped: Callable[[], bool],
) -> Source:
    """All that are kept of it, after asking for what is missing to `count`, half of each strategy.

    The catalogue is asked for all it has.

    `costs` is a file of one JSON document a call. Raises GeneratorError when the model cannot be asked at all.
    """
    request = request_of(f"study/{kind.name}/generated/{name}", kind.name, STRATEGIES)
    journal.record_request(request)
    wanted = ALL if name == CATALOGUE else -(-(count or DEFAULT_COUNT) // len(STRATEGIES))
    faults: list[str] = []
    for strategy in STRATEGIES:
        exhausted = False
        while not exhausted and not stopped():
            have = journal.hypotheses(request.id)
            missing = wanted - sum(h.strategy is strategy for h in have)
            if missing <= 0:
                break
            watch(f"Asking {name}", len(have), len(STRATEGIES) * wanted if wanted < ALL else len(have))
            titles = [h.title for h in have]
            answer = generate(request, kind.name, strategy, min(BATCH, missing), model, titles, stopped=stopped)
            journal.record_hypotheses(answer.hypotheses)
            counted = (answer.prompt_tokens, answer.completion_tokens, answer.seconds)
            _note(costs, request.id, counted)
            if name != CATALOGUE:
                faults += answer.faults
            exhausted = answer.exhausted or not answer.hypotheses
    tokens, seconds = _spent(costs, request.id)
    return Source(
        name=name,
        hypotheses=tuple(journal.hypotheses(request.id)),
        faults=tuple(dict.fromkeys(faults)),
        seconds=seconds,
        prompt_tokens=tokens[0],
        completion_tokens=tokens[1],
        language_models=() if name == CATALOGUE else (name,),
    )


def _note(costs: Path, request_id: str, counted: tuple[int | None, int | None, float]) -> None:
    with costs.open("a", encoding="utf-8") as file:
        file.write(json.dumps([request_id, *counted]) + "\n")


def _spent(costs: Path, request_id: str) -> tuple[tuple[int | None, int | None], float | None]:
    """((prompt, completion tokens), seconds) over all calls of a request; None where nobody counted."""
    calls = []
    for line in costs.read_bytes().splitlines() if costs.exists() else ():
        try:
            of, *counted = json.loads(line)
        except ValueError:  # half written by a run that was killed
            continue
        if of == request_id:
            calls.append(counted)
    prompt, completion = ([call[place] for call in calls if call[place] is not None] for place in (0, 1))
    return (sum(prompt) if prompt else None, sum(completion) if completion else None), (
        sum(call[2] for call in calls) if calls else None
    )
