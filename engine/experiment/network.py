"""A small network in the place of a prototype's estimator, with one component of its own.

This file is copied into workspaces as it is: it imports nothing but torch, numpy and scikit-learn. The component lies
beside it as component.py; its `build` obeys the contract of its kind.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.preprocessing import StandardScaler
from torch import nn

WIDTH, LAYERS, BATCH, RATE = 64, 2, 128, 2e-3
DIRECTIONS = 100  # that columns of words are reduced to
FEWEST_STEPS, MOST_STEPS, EPOCHS = 200, 1500, 30


class _Net(nn.Module):
    def __init__(self, inputs: int, outputs: int, build: Callable[..., Any] | None, kind: str) -> None:
        super().__init__()
        sizes = [inputs, *[WIDTH] * LAYERS]
        self.maps = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(build(WIDTH) if build and kind == "normalizer" else nn.Identity() for _ in self.maps)
        self.bends = nn.ModuleList(build() if build and kind == "activation" else nn.ReLU() for _ in self.maps)
        self.last = nn.Linear(WIDTH, outputs)
        if build and kind == "initializer":
            fill = build()
            for layer in (*self.maps, self.last):
                with torch.no_grad():
                    fill(layer.weight)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        hidden = []
        for affine, norm, bend in zip(self.maps, self.norms, self.bends, strict=True):
            x = bend(norm(affine(x)))
            hidden.append(x)
        return self.last(x), hidden

    @property
    def weights(self) -> list[torch.Tensor]:
        return [layer.weight for layer in (*self.maps, self.last)]


class _Network(BaseEstimator):  # type: ignore[misc]
    """kind: of the component, empty for none. steps: of training, None for what the rows ask for."""

    def __init__(
        self, kind: str = "", build: Callable[..., Any] | None = None, seed: int = 0, steps: int | None = None
    ) -> None:
        self.kind, self.build, self.seed, self.steps = kind, build, seed, steps

    def _prepare(self, x: Any) -> torch.Tensor:
        """Rows as the network reads them: words reduced, columns scaled, then the preprocessor where there is one."""
        if self.svd_ is not None:
            x = self.svd_.transform(x)
        rows = torch.tensor(np.nan_to_num(np.asarray(x, dtype=np.float32)))
        if self.preprocessor_ is not None:
            with torch.no_grad():
                return torch.as_tensor(self.preprocessor_.eval()(rows)).float()
        return torch.tensor(self.scaler_.transform(rows.numpy()), dtype=torch.float32)

    def _fit(self, x: Any, y: torch.Tensor, outputs: int, loss: Callable[..., Any]) -> None:
        torch.set_num_threads(1)  # so small a net gains nothing by more, and on a busy machine they wait for each other
        torch.manual_seed(self.seed)
        self.svd_, self.preprocessor_ = None, None
        if hasattr(x, "tocsr"):
            self.svd_ = TruncatedSVD(min(DIRECTIONS, x.shape[1] - 1), random_state=self.seed).fit(x)
        dense = np.nan_to_num(np.asarray(self.svd_.transform(x) if self.svd_ is not None else x, dtype=np.float32))
        self.scaler_ = StandardScaler().fit(dense)
        if self.kind == "preprocessor" and self.build:
            self.preprocessor_ = self.build()
            self.preprocessor_.fit(torch.tensor(dense))
        rows = self._prepare(x)
        self.net_ = _Net(rows.shape[1], outputs, self.build, self.kind)
        self._train(rows, y, loss)

    def _part(self, kind: str, *arguments: Any) -> Any:
        return self.build(*arguments) if self.build and self.kind == kind else None

    def _train(self, rows: torch.Tensor, y: torch.Tensor, loss: Callable[..., Any]) -> None:
        steps = self.steps or int(np.clip(EPOCHS * len(rows) / BATCH, FEWEST_STEPS, MOST_STEPS))
        parameters = list(self.net_.parameters())
        optimizer = self._part("optimizer", parameters, RATE) or torch.optim.Adam(parameters, lr=RATE)
        rates = [group["lr"] for group in optimizer.param_groups]
        schedule, penalty = self._part("schedule", steps), self._part("regularizer")
        augment = self._part("augmentation")
        loss = self._part("loss") or loss
        self.net_.train()
        for step in range(steps):
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["lr"] = rate * (float(schedule(step)) if schedule else 1.0)
            chosen = torch.randint(len(rows), (min(BATCH, len(rows)),))
            batch = augment(rows[chosen]) if augment else rows[chosen]
            optimizer.zero_grad()
            answer, hidden = self.net_(batch)
            total = loss(answer, y[chosen])
            if penalty:
                total = total + penalty(self.net_.weights, hidden)
            total.backward()
            optimizer.step()

    def _answer(self, x: Any) -> torch.Tensor:
        self.net_.eval()
        with torch.no_grad():
            found: torch.Tensor = self.net_(self._prepare(x))[0]
        return found


class NetworkRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    def fit(self, x: Any, y: Any) -> NetworkRegressor:
        y = np.asarray(y, dtype=np.float64)
        self.mean_, self.scale_ = float(y.mean()), float(y.std()) or 1.0
        targets = torch.tensor((y - self.mean_) / self.scale_, dtype=torch.float32)[:, None]
        self._fit(x, targets, 1, nn.functional.mse_loss)
        return self

    def predict(self, x: Any) -> Any:
        return self._answer(x)[:, 0].double().numpy() * self.scale_ + self.mean_


class NetworkClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    def fit(self, x: Any, y: Any) -> NetworkClassifier:
        self.classes_, places = np.unique(y, return_inverse=True)
        self._fit(x, torch.tensor(places), len(self.classes_), nn.functional.cross_entropy)
        return self

    def predict_proba(self, x: Any) -> Any:
        return self._answer(x).double().softmax(1).numpy()

    def predict(self, x: Any) -> Any:
        return self.classes_[self.predict_proba(x).argmax(1)]
