"""Asking the models: each for its share of every kind and strategy, and the others for what one has no more of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from engine.generate import generate
from engine.hypothesis import Hypothesis
from engine.journal import Journal
from engine.llm.client import LLM
from engine.request import Request, Strategy

OVERSUPPLY = 3  # proposals generated for each one measured, so that the reward model has something to choose from


class Proposer:
    """What the journal holds is not asked for again."""

    def __init__(self, *, journal: Journal, models: Sequence[LLM]) -> None:
        self._journal = journal
        self._models = models

    def generate(self, request_id: str) -> None:
        """Ask every model for its share of every kind and strategy; what one has no more of, another is asked for."""
        request = self._journal.request(request_id)
        for kind, count in zip(request.kinds, request.counts, strict=True):
            wanted = OVERSUPPLY * count
            left = self._ask_each_for_its_share(request, kind, wanted)
            self._ask_for_the_rest(request, kind, wanted, left, self._journal.used_titles(kind))
            if not left and not self._proposed(request, kind):  # all of the catalogue was used: it starts over
                self._ask_for_the_rest(request, kind, wanted, self._askings(request), [])

    def _askings(self, request: Request) -> list[tuple[Strategy, LLM]]:
        return [(strategy, model) for strategy in request.strategies for model in self._models]

    def _ask_each_for_its_share(self, request: Request, kind: str, count: int) -> list[tuple[Strategy, LLM]]:
        """Those that did not say that they have nothing more."""
        askings = self._askings(request)
        left = []
        for (strategy, model), share in zip(askings, shares(count, len(askings)), strict=True):
            have = [h for h in self._proposed(request, kind) if h.strategy == strategy and h.generator == model.name]
            titles = self._journal.used_titles(kind)
            if not self._ask(request, kind, strategy, model, share - len(have), titles):
                left.append((strategy, model))
        return left

    def _ask_for_the_rest(
        self, request: Request, kind: str, count: int, askings: Sequence[tuple[Strategy, LLM]], avoid: Sequence[str]
    ) -> None:
        for strategy, model in askings:
            proposed = self._proposed(request, kind)
            unwanted = [*avoid, *(hypothesis.title for hypothesis in proposed)]
            self._ask(request, kind, strategy, model, count - len(proposed), unwanted)

    def _ask(
        self, request: Request, kind: str, strategy: Strategy, model: LLM, count: int, avoid: Sequence[str]
    ) -> bool:
        """Whether the model said that it has nothing more."""
        if count <= 0 or self._journal.stopped(request.id):
            return False
        stopped = partial(self._journal.stopped, request.id)
        answer = generate(request, kind, strategy, count, model, avoid, stopped=stopped)
        self._journal.record_hypotheses(answer.hypotheses)
        known = self._journal.generator_faults(request.id)
        self._journal.record_generator_faults(request.id, list(dict.fromkeys([*known, *answer.faults])))
        return answer.exhausted

    def _proposed(self, request: Request, kind: str) -> list[Hypothesis]:
        return [h for h in self._journal.hypotheses(request.id) if h.kind == kind]


def shares(total: int, parts: int) -> list[int]:
    """Split `total` into `parts` whole numbers that differ by at most one, the larger ones first."""
    each, over = divmod(total, parts)
    return [each + (index < over) for index in range(parts)]
