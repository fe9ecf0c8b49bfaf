"""Scores for texts: ridge regression on TF-IDF weights."""

from __future__ import annotations

import argparse
import csv

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline


def read(path: str) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def main(seed: int) -> None:
    np.random.seed(seed)
    train, heldout = read("inputs/train.csv"), read("inputs/heldout.csv")
    texts, scores = [row["text"] for row in train], np.array([float(row["score"]) for row in train])

    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), Ridge(alpha=1.0))
    model.fit(texts, scores)

    np.save("predictions.npy", model.predict([row["text"] for row in heldout]))
    correlation = np.corrcoef(model.predict(texts), scores)[0, 1]
    print(f"{len(train)} texts, seed {seed}, correlation on training {correlation:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args().seed)
