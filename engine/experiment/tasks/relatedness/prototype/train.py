"""How related two texts are: gradient boosting on measures of their overlap."""

from __future__ import annotations

import argparse
import csv
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer

Rows = list[dict[str, str]]


def read(path: str) -> Rows:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def cosines(rows: Rows, vectorizer: Any) -> Any:
    first, second = (vectorizer.transform([row[name] for row in rows]) for name in ("text1", "text2"))
    return np.asarray(first.multiply(second).sum(1)).ravel()


def overlaps(rows: Rows) -> Any:
    found = []
    for row in rows:
        one, two = row["text1"].lower().split(), row["text2"].lower().split()
        shared, either = len(set(one) & set(two)), len(set(one) | set(two))
        lengths = sorted((len(one), len(two)))
        found.append((shared, shared / max(either, 1), shared / max(lengths[0], 1), lengths[0] / max(lengths[1], 1)))
    return np.array(found)


def main(seed: int) -> None:
    train, heldout = read("inputs/train.csv"), read("inputs/heldout.csv")
    scores = np.array([float(row["score"]) for row in train])
    texts = [row[name] for row in train + heldout for name in ("text1", "text2")]
    words = TfidfVectorizer(sublinear_tf=True).fit(texts)
    letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True).fit(texts)

    def features(rows: Rows) -> Any:
        return np.column_stack([cosines(rows, words), cosines(rows, letters), overlaps(rows)])

    model = HistGradientBoostingRegressor(max_iter=120, learning_rate=0.06, random_state=seed)
    model.fit(features(train), scores)

    np.save("predictions.npy", model.predict(features(heldout)))
    print(f"{len(train)} pairs, seed {seed}, R2 on training {model.score(features(train), scores):.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args().seed)
