"""Images: what is on one, or which of its pixels belong to something."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import TaskDataError
from engine.experiment.packages import DebianPackage
from engine.experiment.task import Data, Source, Task
from engine.experiment.tasks.images.contrails import CONTRAILS
from sandbox.workspace import Numbers

IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
FASHION = DebianPackage(
    name="dataset-fashion-mnist",
    folder="/usr/share/datasets/fashion-mnist",
    parts=(
        (IMAGES, "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7"),
        (LABELS, "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056"),
    ),
)
CLOTHES = (
    "t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
ROWS = 12_000  # of the 60,000: enough to tell models apart, in seconds
FASHION_FROM = f"{ROWS:,} images of Fashion-MNIST (Xiao, Rasul and Vollgraf 2017) in Debian's dataset-fashion-mnist"
DIGITS_FROM = "optical digits (Alpaydin and Kaynak 1998, UCI), as scikit-learn ships them"
METRICS = ("accuracy", "macro-f1")


def fashion_mnist(home: Path) -> Data:
    """28 x 28 grey images of clothes, ten kinds."""
    files = FASHION.files(home)
    images, labels = _idx(files[IMAGES], 16).reshape(-1, 28, 28), _idx(files[LABELS], 8)
    chosen = np.random.default_rng(0).permutation(len(labels))[:ROWS]
    return Data(
        name="fashion-mnist",
        columns={"images": images[chosen]},
        targets=labels[chosen].astype(np.float64),
        target="label",
        classes=CLOTHES,
        metrics=METRICS,
        licence="MIT",
        provenance=FASHION_FROM,
    )


def _idx(path: Path, header: int) -> Any:
    """The bytes after the header of LeCun's idx format."""
    try:
        return np.frombuffer(gzip.decompress(path.read_bytes()), dtype=np.uint8, offset=header)
    except (OSError, EOFError, ValueError) as error:
        raise TaskDataError(f"{path} cannot be read: {error}.") from error


def digits(home: Path) -> Data:
    """8 x 8 grey images of digits."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return Data(
        name="digits",
        columns={"images": found.images.astype(np.uint8)},
        targets=found.target.astype(np.float64),
        target="label",
        classes=tuple("0123456789"),
        metrics=METRICS,
        licence="CC BY 4.0",
        provenance=DIGITS_FROM,
    )


TASK = Task(
    name="images",
    title="Images",
    description=(
        "Predict the class of an image; judged by accuracy. With the contrails, predict which pixels belong to one; "
        "judged by the Dice coefficient."
    ),
    prediction="the class number of each image, or a mask of 0 and 1 of its size",
    kind=Numbers.INTEGER,
    metrics=(*METRICS, "dice"),
    keywords=(
        "image",
        "vision",
        "visual",
        "pixel",
        "photograph",
        "scan",
        "convolution",
        "convolutional",
        "cnn",
        "resnet",
        "object",
        "detection",
        "segmentation",
        "mask",
        "contrail",
        "mnist",
        "cifar",
        "imagenet",
        "medical",
        "lesion",
    ),
    sources=(
        Source(
            name="fashion-mnist",
            title="Fashion-MNIST, clothes in ten classes",
            licence="MIT",
            provenance=FASHION_FROM,
            needs=f"Debian's package {FASHION.name} (30 MB)",
            load=fashion_mnist,
        ),
        Source(
            name="digits",
            title="Handwritten digits of 8 x 8 pixels",
            licence="CC BY 4.0",
            provenance=DIGITS_FROM,
            needs="nothing",
            load=digits,
        ),
        CONTRAILS,
    ),
    folder=Path(__file__).parent,
)
