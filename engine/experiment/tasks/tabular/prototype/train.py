"""Probabilities of class 1 for rows of a table with gaps: logistic regression."""

from __future__ import annotations

import argparse
import csv
import json
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def read(path: str) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def table(rows: list[dict[str, str]], numeric: list[str], categories: list[str]) -> Any:
    """Numbers first, NaN for a gap; then categories as text."""
    found = np.empty((len(rows), len(numeric) + len(categories)), dtype=object)
    for place, name in enumerate(numeric):
        found[:, place] = [float(row[name]) if row[name] else np.nan for row in rows]
    for place, name in enumerate(categories, len(numeric)):
        found[:, place] = [row[name] or "missing" for row in rows]
    return found


def main(seed: int) -> None:
    with open("inputs/task.json", encoding="utf-8") as stream:
        task = json.load(stream)
    train, heldout = read("inputs/train.csv"), read("inputs/heldout.csv")
    labels = np.array([int(float(row[task["target"]])) for row in train])
    numeric = [name for name in task["columns"] if all(is_number(row[name]) for row in train if row[name])]
    categories = [name for name in task["columns"] if name not in numeric]

    columns = [
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), list(range(len(numeric)))),
        ("categories", OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist"),
         list(range(len(numeric), len(task["columns"])))),
    ]  # fmt: skip
    model = make_pipeline(ColumnTransformer(columns), LogisticRegression(max_iter=500, random_state=seed))
    model.fit(table(train, numeric, categories), labels)

    np.save("predictions.npy", model.predict_proba(table(heldout, numeric, categories))[:, 1])
    accuracy = model.score(table(train, numeric, categories), labels)
    print(f"{len(train)} rows, {len(numeric)} columns of numbers, {len(categories)} of categories, seed {seed}")
    print(f"accuracy on training {accuracy:.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    main(parser.parse_args().seed)
