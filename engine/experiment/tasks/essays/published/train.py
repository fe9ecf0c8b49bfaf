"""Scores of texts by VADER's own rules and lexicon, as published. Nothing is learned; the seed changes nothing."""

from __future__ import annotations

import argparse
import csv

import numpy as np
from published.vaderSentiment import SentimentIntensityAnalyzer  # type: ignore[import-not-found]


def main() -> None:
    analyzer = SentimentIntensityAnalyzer()
    with open("inputs/heldout.csv", newline="", encoding="utf-8") as stream:
        texts = [row["text"] for row in csv.DictReader(stream)]
    np.save("predictions.npy", np.array([analyzer.polarity_scores(text)["compound"] for text in texts]))
    print(f"{len(texts)} texts scored")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.parse_args()
    main()
