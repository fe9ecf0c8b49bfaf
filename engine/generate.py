"""Asking a model for hypotheses until there are enough, and making values of what it answers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from engine.errors import GeneratorError
from engine.hypothesis import Hypothesis
from engine.llm.answer import Proposal, read_answer
from engine.llm.client import LLM, Completion
from engine.llm.prompt import ANSWER_SCHEMA, Prompt, render, title_key
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


@dataclass(slots=True)
class _Round:
    """What has come together so far for one call of `generate`."""

    request: Request
    kind: Kind
    strategy: Strategy
    llm: LLM
    avoid: list[str]
    proposals: list[Proposal] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    exhausted: bool = False
    answers: list[Completion] = field(default_factory=list)

    def ask(self, count: int, wrong: Sequence[str]) -> tuple[str, ...]:
        """Ask for `count` once; keeps what can be used and returns what could not."""
        prompt = self._prompt(count, wrong)
        completion = self.llm.complete(
            prompt.messages,
            schema=ANSWER_SCHEMA,
            max_tokens=TOKENS_EACH * count,
            temperature=TEMPERATURE,
        )
        self.answers.append(completion)
        answer = read_answer(completion.text, cut=completion.cut)
        self.exhausted = answer.exhausted
        used, faults = {title_key(title) for title in self.avoid}, list(answer.faults)
        fresh = [p for p in answer.proposals if title_key(p.title) not in used][:count]
        faults += [f"“{p.title}” was proposed before" for p in answer.proposals if title_key(p.title) in used]
        self.proposals += fresh
        self.digests += [prompt.digest] * len(fresh)
        self.avoid += [p.title for p in fresh]
        return tuple(faults)

    def _prompt(self, count: int, wrong: Sequence[str]) -> Prompt:
        return render(
            kind=self.kind,
            strategy=self.strategy,
            request=self.request.text,
            purpose=self.request.purpose,
            count=count,
            avoid=self.avoid,
            wrong=wrong,
        )


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
    going = _Round(request=request, kind=KINDS[kind], strategy=strategy, llm=llm, avoid=list(avoid))
    remaining = count
    while remaining > 0 and not going.exhausted and not stopped():
        size, before = min(BATCH, remaining), len(going.proposals)
        try:
            _batch(going, size, stopped)
        except GeneratorError as error:
            if not going.proposals:
                raise
            going.faults.append(f"{llm.name} stopped answering: {error}")
            break
        if len(going.proposals) == before:
            break
        remaining -= size
    if going.exhausted:
        going.faults.append(_ran_out(going, count))
    return _generated(going)


def _batch(going: _Round, size: int, stopped: Callable[[], bool]) -> None:
    wrong: tuple[str, ...] = ()
    target = len(going.proposals) + size
    for _ in range(ATTEMPTS):
        wrong = going.ask(target - len(going.proposals), wrong) or ("it held fewer hypotheses than were asked for",)
        if len(going.proposals) >= target or going.exhausted or stopped():
            return
    usable = size - (target - len(going.proposals))
    going.faults.append(
        f"{going.llm.name} was asked {ATTEMPTS} times for {size} {going.strategy} {going.kind.plural} and gave "
        f"{usable or 'none'} that could be used: {'; '.join(wrong[:3])}."
    )


def _ran_out(going: _Round, count: int) -> str:
    found = len(going.proposals)
    left = "none that was" if found == 0 else "one more that was" if found == 1 else f"{found} more that were"
    return f"The {going.llm.name} has {left} not used before; asked for {count} {going.strategy} {going.kind.plural}."


def _generated(going: _Round) -> Generated:
    prompt_tokens = [a.prompt_tokens for a in going.answers if a.prompt_tokens is not None]
    completion_tokens = [a.completion_tokens for a in going.answers if a.completion_tokens is not None]
    return Generated(
        hypotheses=tuple(_hypothesis(going, p, d) for p, d in zip(going.proposals, going.digests, strict=True)),
        faults=tuple(going.faults),
        exhausted=going.exhausted,
        prompt_tokens=sum(prompt_tokens) if prompt_tokens else None,
        completion_tokens=sum(completion_tokens) if completion_tokens else None,
        seconds=sum(a.seconds for a in going.answers),
    )


def _hypothesis(going: _Round, proposal: Proposal, digest: str) -> Hypothesis:
    source = proposal.code.encode()
    return Hypothesis(
        id=hypothesis_id(going.request.id, going.kind.name, proposal.title, source),
        request_id=going.request.id,
        kind=going.kind.name,
        title=proposal.title,
        claim=proposal.claim,
        rationale=proposal.rationale,
        inspiration=proposal.inspiration,
        source=source,
        strategy=going.strategy,
        generator=going.llm.name,
        origin=proposal.catalogue_id,
        prompt_digest=digest,
    )


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
    named = "\0".join((request_id, kind, title)).encode("utf-8", errors="replace")
    return "h-" + hashlib.sha256(named + b"\0" + source).hexdigest()[:10]
