"""An experiment that a real sandbox runs: its prototype predicts the column with noise, and less noise is better."""

from __future__ import annotations

from engine.experiment.agent import Ending, Finished

SCRIPT = """\
import argparse, csv
import numpy as np
NOISE = 0.5
parser = argparse.ArgumentParser()
parser.add_argument("--seed", type=int, default=0)
seed = parser.parse_args().seed
x = np.array([float(row["x"]) for row in csv.DictReader(open("inputs/heldout.csv"))])
np.save("predictions.npy", x + NOISE * np.random.default_rng(seed).normal(size=len(x)))
"""


def finished(ending: Ending) -> Finished:
    assert isinstance(ending, Finished), ending
    return ending
