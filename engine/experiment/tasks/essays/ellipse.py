"""ELLIPSE: essays of English language learners with an overall score (Crossley et al. 2023), CC BY-NC-SA 4.0.

From the authors' repository (columns Filename, full_text, Overall, Cohesion, ...), or as the train.csv of the Kaggle
competition "Feedback Prize - English Language Learning", which has the six analytic scores and no overall one.
"""

from __future__ import annotations

from pathlib import Path

from engine.experiment.task import Data, Source, table
from engine.experiment.tasks.original import first_of, local_file, numbers, read_csv

FILE = "train.csv"
ANALYTIC = ("cohesion", "syntax", "vocabulary", "phraseology", "grammar", "conventions")
LICENCE = "CC BY-NC-SA 4.0: not for commercial use"
PROVENANCE = "the ELLIPSE corpus, Crossley et al., International Journal of Learner Corpus Research 9(2), 2023"
WHERE = (
    "Get it from github.com/scrosseye/ELLIPSE-Corpus or the Kaggle competition feedback-prize-english-language-learning"
)


def ellipse(home: Path) -> Data:
    """The overall score, or where only the analytic ones are there, their mean; from 1 to 5."""
    found = read_csv(local_file(home, "ellipse", FILE, WHERE), ("full_text",))
    columns = {name.lower(): values for name, values in found.items()}
    if "overall" in columns:
        scores = numbers(columns["overall"], "Overall")
    else:
        each = [numbers(first_of(columns, name), name) for name in ANALYTIC]
        scores = [sum(row) / len(row) for row in zip(*each, strict=True)]
    return table(
        {"text": columns["full_text"]},
        scores,
        name="ellipse",
        target="score",
        metrics=("rmse", "pearson", "spearman", "mae"),
        licence=LICENCE,
        provenance=PROVENANCE,
    )


ELLIPSE = Source(
    name="ellipse",
    title="ELLIPSE essays of English language learners",
    licence=LICENCE,
    provenance=PROVENANCE,
    needs=f"{FILE} in data/ellipse/. {WHERE}",
    load=ellipse,
    original=True,
)
