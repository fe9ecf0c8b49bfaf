"""Ideas that follow from a paper, each with the plan of an experiment that can prove it wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from engine.errors import GeneratorError, PlanError
from engine.experiment.claims import numbers_in
from engine.experiment.metric import METRICS
from engine.experiment.plan import Plan, read_plan
from engine.experiment.published import PUBLISHED
from engine.experiment.steps import Material, Ready
from engine.experiment.task import Task
from engine.experiment.tasks.catalogue import TASKS
from engine.llm.catalogue import Entry, entries, offline_catalogue
from engine.llm.client import LLM
from engine.llm.prompt import title_key
from engine.papers.liking import Opinion, in_words, order_by_liking
from engine.papers.literature import Work
from engine.papers.paper import Paper
from engine.papers.passages import passages_of
from engine.papers.reading import Quote, Understanding, ask, located
from engine.papers.retrieval import RANK_OFFSET
from engine.papers.shelf import terms
from sandbox.guest.components.kinds import KINDS

COUNT = 5
OFFERED = 10  # components that a model is shown
PER_KIND = 2  # of the offered, so that not all are of one kind
PASSAGES = 6  # of the team's papers that a model is shown
_TEXTS = ("title", "hypothesis", "novelty", "nearest", "quote", "component")

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        "ideas": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    **{name: {"type": "string"} for name in _TEXTS},
                    "plan": {
                        "type": "object",
                        "properties": {
                            **{
                                name: {"type": "string"}
                                for name in ("task", "data", "model", "baseline", "metric", "direction", "success")
                            },
                            "variables": {"type": "array", "items": {"type": "string"}},
                            "seeds": {"type": "integer"},
                        },
                        "required": ["task", "metric", "direction", "success"],
                    },
                },
                "required": [*_TEXTS, "plan"],
            },
        }
    },
    "required": ["ideas"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Idea:
    """`kind`, `catalogue_id` and `code` are there when it puts a ready component to use; `code` alone, when it runs a
    paper's own code."""

    title: str
    hypothesis: str
    novelty: str  # names the nearest known work
    plan: Plan
    quote: Quote | None  # what of the paper it builds on; None: it quotes nothing that is there
    kind: str | None = None
    catalogue_id: str | None = None
    code: str = ""

    @property
    def ready(self) -> Ready | None:
        """What an experiment can put in without a model."""
        return Ready(kind=self.kind or PUBLISHED, title=self.title, code=self.code) if self.code else None

    @property
    def material(self) -> tuple[Material, ...]:
        """What of the paper an experiment is told, with the numbers that a report may cite."""
        if self.quote is None:
            return ()
        published = self.plan.template.source(self.plan.data).published if self.code and not self.kind else None
        return (
            Material(
                source=f"paper p. {self.quote.page}",
                text=self.quote.text,
                numbers=numbers_in(self.quote.text),
                reported=published.figure if published and published.metric == self.plan.metric else None,
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ideas:
    """Best first: see `ranked` and `order_by_liking` for what that means."""

    ideas: tuple[Idea, ...]
    generator: str
    notes: tuple[str, ...] = ()


def propose(
    paper: Paper,
    understood: Understanding,
    model: LLM,
    works: Sequence[Work] = (),
    count: int = COUNT,
    opinions: Sequence[Opinion] = (),
    passages: Sequence[Mapping[str, Any]] = (),
) -> Ideas:
    """Ideas of a model, or, where it cannot be asked or none of its plans can be carried out, of the catalogue.

    opinions: what people voted on earlier ones, the newest last; they move the order. passages: what was found in the
    team's papers, each with "paper", "page" and "text".
    """
    subject = subject_of(understood)
    components = closest_components(subject, [passage.text for passage in passages_of(paper)])
    brief = {**_brief(paper, understood, works, components, closest_tasks(subject), count), "passages": list(passages)}
    values = {"count": count}
    try:
        answer, generator = ask(model, "paper_ideas.md", brief, SCHEMA, values, _faults), model.name
        notes: tuple[str, ...] = _distance(subject)
    except GeneratorError as error:
        offline = offline_catalogue()
        answer, generator = ask(offline, "paper_ideas.md", brief, SCHEMA, values, _faults), offline.name
        notes = (f"{error} The ideas come from the catalogue, without a model.", *_distance(subject))
    by_id = {entry.id: entry for entry in components}
    made = [idea for item in answer["ideas"] if (idea := _idea(paper, item, by_id)) is not None]
    again, found = measured_again(paper), ranked(made, subject, works)
    order = order_by_liking(found, opinions)
    return Ideas(
        ideas=tuple([*again, *(found[place] for place in order)][:count]),
        generator=generator,
        notes=(*notes, *in_words(found, order, len(opinions))),
    )


def measured_again(paper: Paper) -> list[Idea]:
    """The paper's own claim, where its data and its code are at hand: what any other idea has to be held against."""
    found = []
    for task, source in ((one, source) for one in TASKS.values() for source in one.sources):
        published = source.published
        place = located(paper, published.claim) if published else None
        if published is None or place is None or title_key(paper.title) != title_key(published.paper):
            continue
        metric = METRICS[published.metric]
        hypothesis = (
            f"{published.code} predicts the targets of “{source.title}” better than the prototype by {metric.title}; "
            f"the paper reports {published.figure:g}."
        )
        plan = {
            "hypothesis": hypothesis,
            "task": task.name,
            "data": source.name,
            "model": f"{published.code}, as it is",
            "baseline": task.baseline,
            "variables": ["the method"],
            "metric": published.metric,
        }
        found.append(
            Idea(
                title="The paper's own claim, measured again",
                hypothesis=hypothesis,
                novelty=f"It is not new: what is new has to be held against it. Nearest known: {paper.title}.",
                plan=read_plan(plan),
                quote=Quote(text=place.text, page=place.page),
                code=published.script.read_text(encoding="utf-8"),
            )
        )
    return found


def closest_tasks(subject: str) -> list[Task]:
    """Every task that can be run here, the nearest to the paper's subject first."""
    tasks = list(TASKS.values())
    return [tasks[i] for i in _closest(subject, [f"{t.title} {t.description} {' '.join(t.keywords)}" for t in tasks])]


def _distance(subject: str) -> tuple[str, ...]:
    """What to say when no task here has anything to do with the paper."""
    shared = {task.name: set(terms(" ".join(task.keywords))) & set(terms(subject)) for task in TASKS.values()}
    if any(len(found) > 1 for found in shared.values()):
        return ()
    return ("No task that can be run here is near to this paper's subject: the plans use the nearest there is.",)


def closest_components(subject: str, passages: Sequence[str]) -> list[Entry]:
    """Components of the catalogue by their closeness to the paper, at most PER_KIND of a kind."""
    found = [entry for kind in KINDS for entry in entries(kind)]
    order = _closest(" ".join([subject, *passages]), [f"{e.title} {e.claim} {e.rationale}" for e in found])
    chosen: list[Entry] = []
    for i in order:
        if sum(entry.kind == found[i].kind for entry in chosen) < PER_KIND:
            chosen.append(found[i])
    return chosen[:OFFERED]


def ranked(ideas: Sequence[Idea], subject: str, works: Sequence[Work]) -> list[Idea]:
    """By reciprocal rank fusion of three orders: the generator's own, closeness to what the paper claims and misses,
    and distance from the nearest work that is known. Ours; votes order them anew (liking.py)."""
    texts = [f"{idea.title} {idea.hypothesis}" for idea in ideas]
    near = _closest(subject, texts)
    known = [f"{work.title} {work.abstract}" for work in works]
    nearness = [max((_cosine(text, other) for other in known), default=0.0) for text in texts]
    far = sorted(range(len(ideas)), key=lambda i: nearness[i])
    orders = [list(range(len(ideas))), near, far if known else list(range(len(ideas)))]
    scores = {i: sum(1 / (RANK_OFFSET + order.index(i)) for order in orders) for i in range(len(ideas))}
    return [ideas[i] for i in sorted(scores, key=lambda i: -scores[i])]


def subject_of(understood: Understanding) -> str:
    """What to search for."""
    told = [*understood.keywords, *understood.data_sets, *understood.claims[:4], *understood.gaps]
    return " ".join([understood.title, understood.task.text, *(one.text for one in told)])


def _brief(
    paper: Paper,
    understood: Understanding,
    works: Sequence[Work],
    components: Sequence[Entry],
    tasks: Sequence[Task],
    count: int,
) -> dict[str, Any]:
    return {
        "task": "ideas",
        "count": count,
        "title": paper.name,
        "about": understood.task.text,
        "claims": [{"text": one.text, "page": one.page} for one in understood.claims],
        "gaps": [{"text": one.text, "page": one.page} for one in understood.gaps],
        "related": [{"title": work.title, "year": work.year, "source": work.source} for work in works],
        "tasks": [
            {
                "name": task.name,
                "title": task.title,
                "about": task.description,
                "baseline": task.baseline,
                "data": [{"name": s.name, "title": s.title} for s in task.sources if not s.original and not s.invented],
                "metrics": list(task.metrics),
            }
            for task in tasks
        ],
        "components": [
            {
                "id": entry.id,
                "kind": KINDS[entry.kind].title,
                "title": entry.title,
                "claim": entry.claim,
                "from": entry.inspiration,
            }
            for entry in components
        ],
    }


def _faults(answer: Mapping[str, Any]) -> list[str]:
    """None when at least one idea can be carried out: a model that wrote four good plans of five is not asked again."""
    told = answer.get("ideas")
    if not isinstance(told, list) or not told:
        return ['"ideas" is no list, or empty']
    faults: list[str] = []
    for number, item in enumerate(told, start=1):
        fault = _fault(item)
        if not fault:
            return []
        faults.append(f"idea {number}: {fault}")
    return faults


def _fault(item: object) -> str:
    if not isinstance(item, dict) or not isinstance(item.get("plan"), dict):
        return "it has no plan"
    if not str(item.get("title") or "").strip():
        return "it has no title"
    try:
        read_plan({**item["plan"], "hypothesis": item.get("hypothesis")})
    except PlanError as error:
        return " ".join(str(error).split())
    return ""


def _idea(paper: Paper, item: Any, components: Mapping[str, Entry]) -> Idea | None:
    """None for one whose plan cannot be carried out."""
    if _fault(item):
        return None
    texts = {name: " ".join(str(item.get(name) or "").split())[:2_000] for name in _TEXTS}
    place = located(paper, texts["quote"])
    component = components.get(texts["component"])
    nearest, novelty = texts["nearest"], texts["novelty"]
    if nearest and title_key(nearest) not in title_key(novelty):
        novelty = f"{novelty} Nearest known: {nearest}.".strip()
    return Idea(
        title=texts["title"][:160],
        hypothesis=texts["hypothesis"],
        novelty=novelty or "The generator does not say why it is new.",
        plan=read_plan({**item["plan"], "hypothesis": texts["hypothesis"]}),
        quote=Quote(text=texts["quote"], page=place.page) if place else None,
        kind=component.kind if component else None,
        catalogue_id=component.id if component else None,
        code=component.code if component else "",
    )


def _closest(words: str, texts: Sequence[str]) -> list[int]:
    """Indices of texts, the closest to the words first by the cosine of TF-IDF; equally close ones keep their order."""
    if not texts:
        return []
    try:
        vectorizer = TfidfVectorizer(analyzer=terms, sublinear_tf=True)
        closeness = (vectorizer.fit_transform(texts) @ vectorizer.transform([words]).T).toarray().ravel()
    except ValueError:  # no words at all
        return list(range(len(texts)))
    return [int(i) for i in np.argsort(-np.round(closeness, 9), kind="stable")]


def _cosine(one: str, other: str) -> float:
    try:
        vectors = TfidfVectorizer(analyzer=terms).fit_transform([one, other])
    except ValueError:
        return 0.0
    return float((vectors[0] @ vectors[1].T).toarray()[0, 0])
