"""Scoring texts: how somebody would rate a text, from its words."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from engine.errors import TaskDataError
from engine.experiment.packages import Package
from engine.experiment.published import Published
from engine.experiment.task import Data, Source, Task, table
from engine.experiment.tasks import invented
from engine.experiment.tasks.essays.ellipse import ELLIPSE
from sandbox.workspace import Numbers, Workspace

ARCHIVE = "additional_resources/hutto_ICWSM_2014.tar.gz"
LEXICON, SCORER = "vaderSentiment/vader_lexicon.txt", "vaderSentiment/vaderSentiment.py"
VADER = Package(
    name="vaderSentiment",
    version="3.3.2",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    parts=(ARCHIVE, LEXICON, SCORER, "vaderSentiment/emoji_utf8_lexicon.txt", "LICENSE.txt"),
    source=True,
)
TWEETS, PAPER = "hutto_ICWSM_2014/tweets_GroundTruth.txt", "hutto_ICWSM_2014/vader_icwsm2014_final.pdf"
LICENCE = "MIT"
PROVENANCE = (
    f"Hutto and Gilbert (ICWSM 2014), as in the source archive of {VADER.pinned}: 4,200 tweets, each rated by 20"
)


def vader_file(home: Path, name: str) -> bytes:
    """A file of the paper's own archive, such as PAPER or TWEETS. Raises TaskDataError."""
    archive = VADER.files(home)[ARCHIVE]
    try:
        with tarfile.open(archive) as packed:
            stream = packed.extractfile(name)
            assert stream is not None
            return stream.read()
    except (KeyError, tarfile.TarError, OSError) as error:
        raise TaskDataError(f"{archive} cannot be read: {error}. Delete its folder; it is fetched again.") from error


def vader_tweets(home: Path) -> Data:
    """4,200 tweets with the mean of 20 ratings from -4 (extremely negative) to 4."""
    stream = io.TextIOWrapper(io.BytesIO(vader_file(home, TWEETS)), encoding="utf-8", errors="replace")
    rows = [line.rstrip("\r\n").split("\t", 2) for line in stream]
    return table(
        {"text": [row[2] for row in rows]},
        [float(row[1]) for row in rows],
        name="vader-tweets",
        target="score",
        metrics=("pearson", "spearman", "rmse", "mae"),
        licence=LICENCE,
        provenance=PROVENANCE,
    )


def vader_code(home: Path) -> Workspace:
    files = VADER.files(home)
    wanted = (name for name in VADER.parts if name != ARCHIVE)
    return {name.rpartition("/")[2]: files[name].read_bytes() for name in wanted}


PUBLISHED = Published(
    paper="VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media Text",
    claim=(
        "The Pearson Product Moment Correlation Coefficient shows that VADER (r = 0.881) performs as well as "
        "individual human raters (r = 0.888) at matching ground truth"
    ),
    metric="pearson",
    figure=0.881,
    code=f"VADER's own code ({VADER.pinned})",
    script=Path(__file__).parent / "published" / "train.py",
    files=vader_code,
)

TASK = Task(
    name="essays",
    title="Scoring texts",
    description=(
        "Predict the score that people gave a text (an essay's quality, a message's sentiment intensity) from the text "
        "alone. A regression; judged by the correlation with people's scores."
    ),
    prediction="one number a text, on the scale of the training scores",
    kind=Numbers.NUMBER,
    metrics=("pearson", "spearman", "rmse", "mae"),
    keywords=(
        "essay",
        "score",
        "scoring",
        "grading",
        "grade",
        "quality",
        "readability",
        "student",
        "regression",
        "rating",
        "valence",
        "intensity",
        "vader",
        "tweet",
        "human",
        "judgement",
    ),
    sources=(
        Source(
            name="vader-tweets",
            title="Tweets with the mean of 20 people's ratings",
            licence=LICENCE,
            provenance=PROVENANCE,
            needs=f"{VADER.pinned} (2.4 MB)",
            load=vader_tweets,
            published=PUBLISHED,
        ),
        invented.source("invented-scores", invented.scored_texts),
        ELLIPSE,
    ),
    folder=Path(__file__).parent,
)
