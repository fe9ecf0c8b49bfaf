"""Classes of images by a random forest on grey levels, or masks by logistic regression on each pixel's surroundings."""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from scipy.ndimage import uniform_filter
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

PIXELS = 200_000  # that a mask is learned from


def classes(images: Any, labels: Any, heldout: Any, seed: int) -> Any:
    model = RandomForestClassifier(n_estimators=60, random_state=seed)
    model.fit(images.reshape(len(images), -1), labels)
    return model.predict(heldout.reshape(len(heldout), -1))


def surroundings(image: Any) -> Any:
    """[pixels, features]: each colour, and its mean over squares of 5 and 15 pixels."""
    colours = image.reshape(*image.shape[:2], -1).astype(np.float64) / 255
    means = [uniform_filter(colours, size=(size, size, 1)) for size in (5, 15)]
    return np.concatenate([colours, *means], axis=-1).reshape(colours.shape[0] * colours.shape[1], -1)


def masks(images: Any, targets: Any, heldout: Any, seed: int) -> Any:
    rng = np.random.default_rng(seed)
    share = min(1.0, PIXELS / targets.size)
    chosen = [rng.random(mask.size) < share for mask in targets]
    pixels = np.concatenate([surroundings(image)[kept] for image, kept in zip(images, chosen, strict=True)])
    inside = np.concatenate([mask.ravel()[kept] > 0 for mask, kept in zip(targets, chosen, strict=True)])
    model = LogisticRegression(max_iter=300, class_weight="balanced").fit(pixels, inside)
    return np.stack([model.predict(surroundings(image)).reshape(image.shape[:2]) for image in heldout])


def main(seed: int) -> None:
    with open("inputs/task.json", encoding="utf-8") as stream:
        task = json.load(stream)
    train, heldout = np.load("inputs/train.npz"), np.load("inputs/heldout.npz")
    images, targets = train["images"], train[task["target"]]
    predict = classes if targets.ndim == 1 else masks
    predictions = predict(images, targets, heldout["images"], seed)
    np.save("predictions.npy", predictions.astype(np.int64))
    print(f"{len(images)} images of {images.shape[1:]}, seed {seed}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args().seed)
