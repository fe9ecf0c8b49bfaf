"""IMDB: 25,000 movie reviews to train on (Maas et al., Learning Word Vectors for Sentiment Analysis, ACL 2011)."""

from __future__ import annotations

from pathlib import Path

from engine.experiment.task import Data, Source, table
from engine.experiment.tasks.original import first_of, from_hub, numbers

REPOSITORY, FILE = "stanfordnlp/imdb", "plain_text/train-00000-of-00001.parquet"
LICENCE = "not stated; for research"
PROVENANCE = f"{FILE} of hf:{REPOSITORY}; Maas et al., ACL 2011"
WHERE = f"Download {FILE} of huggingface.co/datasets/{REPOSITORY}"


def imdb(home: Path) -> Data:
    found = from_hub(home, "imdb", REPOSITORY, FILE, WHERE)
    return table(
        {"text": first_of(found, "text")},
        numbers(first_of(found, "label"), "label"),
        name="imdb",
        target="label",
        classes=("negative", "positive"),
        metrics=("accuracy", "auc", "log-loss"),
        licence=LICENCE,
        provenance=PROVENANCE,
    )


IMDB = Source(
    name="imdb",
    title="IMDB movie reviews",
    licence=LICENCE,
    provenance=PROVENANCE,
    needs=f"a network, or the file in data/imdb/. {WHERE}",
    load=imdb,
    original=True,
)
