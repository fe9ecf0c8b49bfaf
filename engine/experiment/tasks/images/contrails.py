"""Contrails in satellite images, as masks (Ng et al., OpenContrails, arXiv 2304.02122; Kaggle 2023).

One folder a record with `band_NN.npy` [256, 256, times] of brightness temperatures and `human_pixel_masks.npy`
[256, 256, 1]; the labelled time is the fifth. Shown as the "ash" false colours of the competition.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import TaskDataError
from engine.experiment.task import Data, Source
from engine.experiment.tasks.original import local_file

FOLDER, MASK, BANDS = "train", "human_pixel_masks.npy", (11, 13, 14, 15)
LABELLED = 4
RECORDS = 300  # of 20,000 and 450 GB
RED, GREEN, BLUE = (-4.0, 2.0), (-4.0, 5.0), (243.0, 303.0)  # kelvin: 15 - 13, 14 - 11, 14
LICENCE = "CC BY 4.0"
PROVENANCE = (
    f"OpenContrails, Kaggle competition google-research-identify-contrails-reduce-global-warming, {RECORDS} records"
)
WHERE = "Get some records of the Kaggle competition google-research-identify-contrails-reduce-global-warming"


def contrails(home: Path) -> Data:
    folder = local_file(home, "contrails", FOLDER, WHERE)
    records = sorted(path.parent for path in folder.glob(f"*/{MASK}"))[:RECORDS]
    if not records:
        raise TaskDataError(f"{folder} holds no record, a folder with {MASK}. {WHERE}.")
    try:
        images = np.stack([_ash(record) for record in records])
        masks = np.stack([np.load(record / MASK, allow_pickle=False)[..., 0] for record in records])
    except (OSError, ValueError, IndexError) as error:
        raise TaskDataError(f"{folder}: a record cannot be read: {error}.") from error
    return Data(
        name="contrails",
        columns={"images": images},
        targets=masks.astype(np.uint8),
        target="mask",
        metrics=("dice",),
        licence=LICENCE,
        provenance=PROVENANCE,
    )


def _ash(record: Path) -> Any:
    """[height, width, 3] uint8."""
    band = {number: np.load(record / f"band_{number:02}.npy", allow_pickle=False)[..., LABELLED] for number in BANDS}
    shades = ((band[15] - band[13], RED), (band[14] - band[11], GREEN), (band[14], BLUE))
    scaled = [np.clip((values - low) / (high - low), 0, 1) for values, (low, high) in shades]
    return np.round(255 * np.stack(scaled, axis=-1)).astype(np.uint8)


CONTRAILS = Source(
    name="contrails",
    title="Contrails in satellite images",
    licence=LICENCE,
    provenance=PROVENANCE,
    needs=f"records in data/contrails/{FOLDER}/. {WHERE}",
    load=contrails,
    original=True,
)
