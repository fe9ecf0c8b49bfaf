"""Writes clicks.csv: made-up results of made-up queries, and whether they were clicked.

A result is clicked when it fits the query, stands high, and is neither stale nor slow, but not by a formula that is
linear in the columns. Nothing in it comes from people.
"""

import csv
from pathlib import Path

import numpy as np

QUERIES, RESULTS = 150, 8
COLUMNS = ("position", "match", "title_match", "age_days", "popularity", "length", "load_seconds", "same_language")


def rows(rng: np.random.Generator) -> list[list[float]]:
    found = []
    for query in range(QUERIES):
        taste = rng.normal(0, 0.6)
        for position in range(RESULTS):
            match, title = rng.beta(3, 2), rng.beta(2, 3)
            age, popularity = rng.exponential(200), rng.lognormal(0, 1)
            length, load, language = rng.lognormal(6, 0.7), rng.gamma(2, 0.4), float(rng.random() < 0.8)
            wish = 4 * match * title + 1.2 * np.tanh(popularity) - 0.35 * position - (age > 300) * match * 1.5
            wish += 1.5 * language * np.sin(3 * match) - 0.8 * max(0.0, load - 1) ** 2 - 0.3 * (np.log(length) - 6) ** 2
            clicked = rng.random() < 1 / (1 + np.exp(-2 * (wish - 1.2 + taste)))
            values = (position, match, title, age, popularity, length, load, language)
            found.append([query, *(round(float(value), 3) for value in values), int(clicked)])
    return found


def main() -> None:
    with (Path(__file__).parent / "clicks.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("query", *COLUMNS, "clicked"))
        writer.writerows(rows(np.random.default_rng(0)))


if __name__ == "__main__":
    main()
