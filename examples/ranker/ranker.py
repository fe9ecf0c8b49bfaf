"""Our ranker: will a shown result be clicked? Register it with `conjecture suite add examples/ranker/ranker.py`."""

from torch import nn

NAME = "ranker"
DATA = "clicks.csv"  # beside this file
TARGET = "clicked"
GROUP = "query"  # results of one query stay together, in training or held out
METRIC = "auc"
BUDGET = {"steps": 200, "batch": 64, "learning_rate": 3e-3, "seeds": 8}


def make_model(component):
    return nn.Sequential(
        nn.Linear(8, 32),
        component(32),  # a normalizer of 32 features; nothing while another kind is tried
        component(),  # an activation; ReLU while another kind is tried
        nn.Linear(32, 32),
        component(32),
        component(),
        nn.Linear(32, 2),
    )
