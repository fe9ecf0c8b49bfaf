"""SemRel2024, English: pairs of sentences scored from 0 to 1 (Ousidhoum et al., Findings of ACL 2024)."""

from __future__ import annotations

from pathlib import Path

from engine.errors import TaskDataError
from engine.experiment.packages import FOLDER
from engine.experiment.task import Data, Source, table
from engine.experiment.tasks.original import first_of, from_hub, numbers, read_csv

REPOSITORY, FILE, CSV = "SemRel/SemRel2024", "eng/train-00000-of-00001.parquet", "eng_train.csv"
LICENCE = "see the data set's card; for research"
PROVENANCE = f"{FILE} of hf:{REPOSITORY}, or {CSV} of the shared task's release"
WHERE = f"Download {FILE} of huggingface.co/datasets/{REPOSITORY}"


def semrel(home: Path) -> Data:
    """From the shared task's CSV (PairID, Text with both sentences in two lines, Score) or from the Hub."""
    path = home / FOLDER / "semrel" / CSV
    if path.is_file():
        found = read_csv(path, ("Text", "Score"))
        pairs, scores = [text.split("\n", 1) for text in found["Text"]], found["Score"]
        if any(len(pair) != 2 for pair in pairs):
            raise TaskDataError(f"{path}: a Text without two lines, one a sentence.")
        columns = {"text1": [pair[0] for pair in pairs], "text2": [pair[1] for pair in pairs]}
    else:
        found = from_hub(home, "semrel", REPOSITORY, FILE, WHERE)
        columns = {"text1": first_of(found, "sentence1", "text1"), "text2": first_of(found, "sentence2", "text2")}
        scores = first_of(found, "label", "score")
    return table(
        columns,
        numbers(scores, "score"),
        name="semrel",
        target="score",
        metrics=("spearman", "pearson", "rmse", "mae"),
        licence=LICENCE,
        provenance=PROVENANCE,
    )


SEMREL = Source(
    name="semrel",
    title="SemRel2024 pairs of English sentences",
    licence=LICENCE,
    provenance=PROVENANCE,
    needs=f"a network, or {CSV} in data/semrel/. {WHERE}",
    load=semrel,
    original=True,
)
