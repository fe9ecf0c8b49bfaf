"""How often the passage that answers a question is among the first five: by words, by meaning, and by both.

    python benchmarks/retrieval.py [--json] [--papers FOLDER] [--words N] [--database URL]

Questions: benchmarks/data/questions.jsonl, written by us, each with words of the sentence that answers it. A passage is
right when it holds these words. All papers are searched at once. Papers: benchmarks/fetch_papers.py fetches them.
Intervals are Wilson's, 90 %, over questions. Meaning needs the sentence model; without it, words only.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import root  # noqa: F401
from fetch_papers import FOLDER, fetch

from engine.papers.embedding import local_embedder
from engine.papers.ingest import read_pdf
from engine.papers.passages import WORDS, Passage, passages_of
from engine.papers.reading import letters
from engine.papers.retrieval import Retrieval, fused
from storage.database import open_database
from storage.library import SqlLibrary

QUESTIONS = Path(__file__).parent / "data" / "questions.jsonl"
FIRST = 5
DEPTH = 50
Z = 1.6449  # two-sided 90 %


def questions() -> list[dict[str, str]]:
    return [json.loads(line) for line in QUESTIONS.read_text(encoding="utf-8").splitlines()]


def wilson(hits: int, n: int) -> tuple[float, float]:
    p, spread = hits / n, Z * math.sqrt(hits / n * (1 - hits / n) / n + Z * Z / (4 * n * n))
    middle, scale = p + Z * Z / (2 * n), 1 + Z * Z / n
    return (middle - spread) / scale, (middle + spread) / scale


def place(found: Sequence[Passage], answer: str) -> int | None:
    """From 1; None: not among them."""
    return next((n for n, one in enumerate(found, start=1) if letters(answer) in letters(one.text)), None)


def measure(papers: Path, words: int, url: str) -> dict[str, Any]:
    library = SqlLibrary(open_database(url))
    retrieval = Retrieval(library, local_embedder())
    passages = 0
    for path in sorted(papers.glob("*.pdf")):
        paper = read_pdf(path.read_bytes(), path.name)
        made = passages_of(paper, words)
        passages += len(made)
        library.add(paper, made)
        retrieval.add(paper)  # embeds what is there
    places: dict[str, list[int | None]] = {}
    asked = questions()
    for one in asked:
        rankings = {"words": library.by_words(one["question"], DEPTH)}
        if retrieval.embedder is not None:
            rankings["meaning"] = retrieval.by_meaning(one["question"], DEPTH)
            rankings["both"] = [found.passage for found in fused(dict(rankings))]
        for way, found in rankings.items():
            places.setdefault(way, []).append(place(found, one["answer"]))
    ways = {way: figures(found) for way, found in places.items()}
    return {"questions": len(asked), "passages": passages, "words_a_passage": words, "ways": ways}


def figures(places: Sequence[int | None]) -> dict[str, Any]:
    hits = sum(one is not None and one <= FIRST for one in places)
    low, high = wilson(hits, len(places))
    reciprocal = sum(1 / one for one in places if one) / len(places)
    return {"recall_at_5": hits / len(places), "low": low, "high": high, "mean_reciprocal_rank": reciprocal}


def in_words(told: Mapping[str, Any]) -> str:
    head = f"{told['questions']} questions, {told['passages']} passages of about {told['words_a_passage']} words"
    rows = [
        f"| {way} | {at['recall_at_5']:.3f} [{at['low']:.3f}, {at['high']:.3f}] | {at['mean_reciprocal_rank']:.3f} |"
        for way, at in told["ways"].items()
    ]
    return "\n".join([head, "", "| search | recall@5 | mean reciprocal rank |", "|---|---|---|", *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--papers", type=Path, default=FOLDER)
    parser.add_argument("--words", type=int, default=WORDS)
    parser.add_argument("--database", help="an empty database; SQLite in a temporary folder when not given")
    given = parser.parse_args()
    fetch(given.papers)
    with tempfile.TemporaryDirectory() as folder:
        told = measure(given.papers, given.words, given.database or f"sqlite:///{folder}/papers.db")
    print(json.dumps(told, indent=2) if given.json else in_words(told))


if __name__ == "__main__":
    main()
