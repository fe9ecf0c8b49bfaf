"""Where code, models and data for an experiment are looked for: what lies here, and the hub where a network is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils import all_estimators

from engine.experiment.fetched import MODELS, SINGULAR
from engine.experiment.hub import Client
from engine.experiment.tasks.catalogue import TASKS
from engine.llm.catalogue import entries
from sandbox.guest.components.kinds import KINDS

FOUND = 5
PAPERS = "papers"  # searched where there is a library of them, see papers.py
MOST_CODE = 6_000  # characters of one result


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    title: str
    words: str  # that it is found by
    result: dict[str, Any]


class Search(Protocol):
    def find(self, what: str, query: str) -> Sequence[dict[str, Any]]:
        """what: code, models, data or papers. The best first; one that cannot be asked is an entry that says so."""
        ...


class LocalSearch:
    """Prototypes and components as code, the estimators that are installed as models, the catalogue's data sets."""

    def find(self, what: str, query: str) -> Sequence[dict[str, Any]]:
        if what == PAPERS:
            return []
        items = {"code": _code, "models": _models, "data": _data}[what]()
        return [item.result for item in _closest(items, query)]


class HubSearch:
    """Names of models and data sets on the Hugging Face hub, beside what lies here."""

    def __init__(self, local: Search | None = None, endpoint: str | None = None) -> None:
        self._local = local or LocalSearch()
        self._endpoint = endpoint

    def find(self, what: str, query: str) -> Sequence[dict[str, Any]]:
        here = [*self._local.find(what, query)]
        return [*here, *self._hub(what, query)] if what in ("models", "data") else here

    def _hub(self, what: str, query: str) -> list[dict[str, Any]]:
        try:
            client = Client.of(self._endpoint)
        except ImportError:
            return [{"hub": "huggingface_hub is not installed, so the hub was not asked"}]
        try:
            client.probe()
            ask = client.api.list_models if what == MODELS else client.api.list_datasets
            found = list(ask(search=query, limit=FOUND))
        except client.faults as error:
            return [{"hub": f"the hub cannot be asked ({type(error).__name__}): only what lies here was searched"}]
        return [{"hub": one.id, "is": f"a {SINGULAR[what]} on the hub, which `fetch` brings in"} for one in found]


@cache
def _code() -> tuple[Item, ...]:
    prototypes = [
        Item(
            title=f"prototype of {task.name}",
            words=f"{task.title} {task.description} {' '.join(task.keywords)} {source}",
            result={"title": f"prototype of {task.name}", "about": task.baseline, "code": source[:MOST_CODE]},
        )
        for task in TASKS.values()
        for source in [task.prototype()[task.entry].decode()]
    ]
    components = [
        Item(
            title=entry.title,
            words=f"{KINDS[kind].title} {entry.title} {entry.claim} {entry.rationale}",
            result={"title": f"{KINDS[kind].title}: {entry.title}", "about": entry.claim, "code": entry.code},
        )
        for kind in KINDS
        for entry in entries(kind)
    ]
    return (*prototypes, *components)


@cache
def _models() -> tuple[Item, ...]:
    found = []
    for name, estimator in all_estimators():
        lines = (estimator.__doc__ or "").strip().splitlines()
        about, where = lines[0] if lines else "", ".".join(estimator.__module__.split(".")[:2])
        result = {"title": f"{where}.{name}", "about": about}
        found.append(Item(title=name, words=f"{_spaced(name)} {where} {about}", result=result))
    return tuple(found)


def _spaced(name: str) -> str:
    return "".join(f" {letter}" if letter.isupper() else letter for letter in name)


@cache
def _data() -> tuple[Item, ...]:
    return tuple(
        Item(
            title=source.title,
            words=f"{source.name} {source.title} {source.provenance} {task.title} {' '.join(task.keywords)}",
            result={
                "title": source.title,
                "data": source.name,
                "task": task.name,
                "licence": source.licence,
                "needs": source.needs,
            },
        )
        for task in TASKS.values()
        for source in task.sources
    )


def _closest(items: Sequence[Item], query: str) -> list[Item]:
    """By the cosine of TF-IDF vectors; what shares no word is not found."""
    vectorizer = TfidfVectorizer(stop_words="english", sublinear_tf=True, token_pattern=r"(?u)[^\W_]{2,}")
    texts = vectorizer.fit_transform([f"{item.title} {item.words}" for item in items])
    scores = np.asarray((texts @ vectorizer.transform([query]).T).todense()).ravel()
    order = np.argsort(-scores, kind="stable")[:FOUND]
    return [items[i] for i in order if scores[i] > 0]
