"""Asking a model for hypotheses until there are enough, and making values of what it answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from engine.errors import GeneratorError
from engine.hypothesis import Hypothesis
from engine.llm.answer import Proposal, read_answer
from engine.llm.client import LLM, Completion
from engine.llm.prompt import ANSWER_SCHEMA, render, title_key
from engine.request import Request, Strategy
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS

BATCH = 8  # hypotheses a call: more make models repeat themselves and answers break off
ATTEMPTS = 3  # asked once, and again at most twice
TOKENS_EACH = 1_200  # the longest entry of the catalogue, in tokens, with room for thought
TEMPERATURE = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    hypotheses: tuple[Hypothesis, ...]  # with distinct titles; possibly fewer than asked for, then `faults` says why
    faults: tuple[str, ...]  # one sentence each, for people
    exhausted: bool  # the generator has nothing more of this kind and strategy
    prompt_tokens: int | None  # None: no answer was counted
    completion_tokens: int | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    hypotheses: tuple[Hypothesis, ...]
    faults: tuple[str, ...]  # what could not be used
    exhausted: bool
    completion: Completion


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asker:
    request: Request
    kind: Kind
    strategy: Strategy
    llm: LLM
    avoid: tuple[str, ...]

    def ask(self, count: int, have: Sequence[Hypothesis], wrong: Sequence[str]) -> _Answered:
        """One call for `count` hypotheses beside those that we have. `wrong`: what could not be used before."""
        avoid = [*self.avoid, *(hypothesis.title for hypothesis in have)]
        prompt = render(
            kind=self.kind,
            strategy=self.strategy,
            request=self.request.text,
            purpose=self.request.purpose,
            count=count,
            avoid=avoid,
            wrong=wrong,
        )
        completion = self.llm.complete(
            prompt.messages, schema=ANSWER_SCHEMA, max_tokens=TOKENS_EACH * count, temperature=TEMPERATURE
        )
        answer = read_answer(completion.text, cut=completion.cut)
        used = {title_key(title) for title in avoid}
        fresh = [proposal for proposal in answer.proposals if title_key(proposal.title) not in used]
        again = [proposal.title for proposal in answer.proposals if title_key(proposal.title) in used]
        return _Answered(
            hypotheses=tuple(self._hypothesis(proposal, prompt.digest) for proposal in fresh[:count]),
            faults=(*answer.faults, *(f"“{title}” was proposed before" for title in again)),
            exhausted=answer.exhausted,
            completion=completion,
        )

    def _hypothesis(self, proposal: Proposal, prompt_digest: str) -> Hypothesis:
        source = proposal.code.encode()
        return Hypothesis(
            id=hypothesis_id(self.request.id, self.kind.name, proposal.title, source),
            request_id=self.request.id,
            kind=self.kind.name,
            title=proposal.title,
            claim=proposal.claim,
            rationale=proposal.rationale,
            inspiration=proposal.inspiration,
            source=source,
            strategy=self.strategy,
            generator=self.llm.name,
            origin=proposal.catalogue_id,
            prompt_digest=prompt_digest,
        )

    def wanted(self, count: int) -> str:
        return f"{count} {self.strategy} {self.kind.title if count == 1 else self.kind.plural}"


def generate(
    request: Request,
    kind: str,
    strategy: Strategy,
    count: int,
    llm: LLM,
    avoid: Sequence[str],
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> Generated:
    """`count` hypotheses of one kind, with titles that are neither equal nor in `avoid`.

    Asks in batches. What cannot be used is asked for again, at most twice a batch, then reported in `faults`.
    `stopped` is polled between calls. Raises GeneratorError when the model cannot be asked at all; a model that fails
    later costs nothing of what it had answered.
    """
    asker = _Asker(request=request, kind=KINDS[kind], strategy=strategy, llm=llm, avoid=tuple(avoid))
    answers: list[_Answered] = []
    have: list[Hypothesis] = []
    short: list[str] = []  # what was wrong with the last answer of every batch that came short
    failed: GeneratorError | None = None
    for size in _batches(count):
        if stopped():
            break
        before = len(have)
        try:
            for answered in _until_enough(asker, size, tuple(have), stopped):
                answers.append(answered)
                have += answered.hypotheses
        except GeneratorError as error:
            failed = error
            break
        if len(have) - before < size:
            short += answers[-1].faults
        if len(have) == before or answers[-1].exhausted:
            break
    if failed and not have:
        raise failed
    exhausted = bool(answers) and answers[-1].exhausted
    complete = len(have) >= count or stopped()
    return Generated(
        hypotheses=tuple(have),
        faults=() if complete else (_why_fewer(asker, count, len(have), exhausted, failed, short),),
        exhausted=exhausted,
        prompt_tokens=_total([answered.completion.prompt_tokens for answered in answers]),
        completion_tokens=_total([answered.completion.completion_tokens for answered in answers]),
        seconds=sum(answered.completion.seconds for answered in answers),
    )


def _batches(count: int) -> list[int]:
    return [min(BATCH, count - start) for start in range(0, count, BATCH)]


def _until_enough(
    asker: _Asker, size: int, have: Sequence[Hypothesis], stopped: Callable[[], bool]
) -> Iterator[_Answered]:
    """Ask for `size` hypotheses, and for what is missing of them at most twice again."""
    found: list[Hypothesis] = []
    wrong: tuple[str, ...] = ()
    for _ in range(ATTEMPTS):
        answered = asker.ask(size - len(found), [*have, *found], wrong)
        yield answered
        found += answered.hypotheses
        wrong = answered.faults or ("it held fewer hypotheses than were asked for",)
        if len(found) >= size or answered.exhausted or stopped():
            return


def _why_fewer(
    asker: _Asker, count: int, found: int, exhausted: bool, failed: GeneratorError | None, wrong: Sequence[str]
) -> str:
    wanted = asker.wanted(count)
    name = "The offline catalogue" if asker.llm.name == "offline catalogue" else asker.llm.name
    if failed:
        return f"{name} stopped answering after {found} of {wanted}: {failed}"
    if exhausted:
        had = f"had only {found} left that were" if found else "has none left that was"
        return f"{name} {had} not used before, of {wanted} asked for."
    why = "; ".join(list(dict.fromkeys(wrong))[:3]) or "it gave fewer than were asked for"
    gave = f"gave {found or 'none'} that could be used"
    return f"{name} was asked for {wanted}, up to {ATTEMPTS} times each, and {gave}: {why}."


def _total(counted: Sequence[int | None]) -> int | None:
    known = [number for number in counted if number is not None]
    return sum(known) if known else None


def from_file(name: str, source: bytes, kind: str, request_id: str, person: str) -> Hypothesis:
    """A person's own component. The file's name is all that is known of it, so it has no claim and no rationale."""
    title = PurePosixPath(name.replace("\\", "/")).name or "component"
    return Hypothesis(
        id=hypothesis_id(request_id, kind, name, source),
        request_id=request_id,
        kind=kind,
        title=title,
        claim="",
        rationale="",
        inspiration="",
        source=source,
        strategy=Strategy.BY_HAND,
        generator=person,
    )


def hypothesis_id(request_id: str, kind: str, title: str, source: bytes) -> str:
    """The same hypothesis of the same request has the same id, so that a step that runs twice records it once."""
    named = json.dumps([request_id, kind, title]).encode()
    return "h-" + hashlib.sha256(named + source).hexdigest()[:10]
