"""A few Gaussian processes over the same examples: they say how sure they are, and go far with few examples.

The covariance of two components is a sum of Matern kernels (nu = 5/2; Rasmussen and Williams, Gaussian Processes for
Machine Learning, 2006, ch. 4.2) of their distances: one over all groups of inputs together, one over each group alone,
and a linear one a group. Members differ in which of these they have; their mean predicts, and their disagreement adds
to what each of them does not know. All targets share the kernels, so that one decomposition serves them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from torch import Tensor

from engine.ensemble import one_thread
from engine.shrinkage import Z90
from sandbox.guest.components.kind import Vector

MOST_EXAMPLES = 1200  # kept: the cost of a prediction grows with them, of learning with their cube
FITTED_ON = 192  # examples that the kernels' scales are fitted to: more change them little
STEPS, STEP_SIZE = 30, 0.15
JITTER = 1e-5
ALIKE = 0.05  # of the median distance: nearer ones are left out together when the intervals are checked
MODEST, WIDEST = 0.8, 2.5  # factors within which intervals are corrected

# Means and standard deviations of the logarithms of: lengths, shares of single groups, linear shares, the share of all
# groups together, noise; in units of median distances and of the targets' variance. Weakly informative.
PRIORS = ((0.7, 1.0), (-1.5, 1.5), (-3.0, 1.5), (0.0, 1.0), (-1.5, 1.0))

Columns = tuple[tuple[int, int], ...]  # where each group of inputs starts and ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaussians:
    """`members`: for each, whether a joint kernel is used, and over how many of the first groups all of it is."""

    inputs: Tensor  # [n, d], float32
    targets: Tensor  # [n, k], float32
    columns: Columns
    members: tuple[tuple[bool, int], ...]
    scales: Tensor  # [members, 3 groups + 2], logarithms, in the order of PRIORS
    factors: Tensor  # [k]: by which deviations are multiplied so that 90 % intervals hold 90 %

    @classmethod
    @one_thread()
    def fit(cls, inputs: Tensor, targets: Tensor, columns: Columns, behaviour: int, seed: int) -> Gaussians:
        """Fit inputs [n, d] to targets [n, k]. The first `behaviour` groups are enough for one of the members.

        Deterministic in `seed`. Of more than MOST_EXAMPLES a tenth with the largest first target and a sample stay.
        """
        random = torch.Generator().manual_seed(seed)
        if len(inputs) > MOST_EXAMPLES:
            top = targets[:, 0].argsort(descending=True, stable=True)[: MOST_EXAMPLES // 10]
            rest = torch.randperm(len(inputs), generator=random)[: MOST_EXAMPLES - len(top)]
            rows = torch.tensor(sorted({*top.tolist(), *rest.tolist()}))
            inputs, targets = inputs[rows], targets[rows]
        members = ((True, len(columns)), (False, len(columns)), (True, behaviour))
        some = torch.randperm(len(inputs), generator=random)[:FITTED_ON].sort().values
        near = _Nearness.of(inputs[some], inputs[some], columns)
        y = _standard(targets.double())[0][some]
        scales = torch.stack([_fitted(near, y, *member) for member in members]).float().double()  # as they are kept
        found = cls(
            inputs=inputs.float(),
            targets=targets.float(),
            columns=columns,
            members=members,
            scales=scales,
            factors=torch.ones(targets.shape[1]),
        )
        return cls(
            **{name: getattr(found, name) for name in found.__slots__ if name != "factors"}, factors=found._checked()
        )

    @one_thread()
    def predict(self, inputs: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Means, deviations of the truth and deviations of what would be measured, each [m, k], for inputs [m, d]."""
        with torch.no_grad():
            y, mean, deviation = _standard(self.targets.double())
            near = _Nearness.of(self.inputs, self.inputs, self.columns)
            between = _Nearness.of(inputs, self.inputs, self.columns)
            means, unknown, noise = [], [], []
            for scales, member in zip(self.scales, self.members, strict=True):
                root = _root(near.kernel(scales, *member), scales)
                across = between.kernel(scales, *member)
                means.append(across @ torch.cholesky_solve(y, root))
                reached = torch.linalg.solve_triangular(root, across.T, upper=False).square().sum(0)
                unknown.append((between.variance(scales, *member) - reached).clamp_min(1e-6))
                noise.append(scales[-1].exp())
            middle = torch.stack(means).mean(0)
            spread = torch.stack(unknown).mean(0)[:, None] + torch.stack(means).var(0, correction=0)
            whole = spread + torch.stack(noise).mean()
            wide = deviation * self.factors
            return (middle * deviation + mean).numpy(), (spread.sqrt() * wide).numpy(), (whole.sqrt() * wide).numpy()

    def _checked(self) -> Tensor:
        """How much wider intervals must be, from predictions of each cluster of similar examples without itself.

        Leave-cluster-out has a closed form: for the block b of the inverse Q of the covariance, the residuals are
        Q_bb^-1 (Q y)_b and their covariance Q_bb^-1 (Rasmussen and Williams, ch. 5.4.2, for blocks).
        """
        y = _standard(self.targets.double())[0]
        near = _Nearness.of(self.inputs, self.inputs, self.columns)
        clusters = _clusters(near.distances[0].numpy())
        residuals, variances = [], []
        for scales, member in zip(self.scales, self.members, strict=True):
            inverse = torch.cholesky_inverse(_root(near.kernel(scales, *member), scales))
            weighted, residual, variance = inverse @ y, torch.zeros_like(y), torch.zeros(len(y), dtype=y.dtype)
            for block in clusters:
                own = torch.linalg.inv(inverse[block][:, block])
                residual[block], variance[block] = own @ weighted[block], own.diagonal()
            residuals.append(residual)
            variances.append(variance)
        spread = torch.stack(variances).mean(0)[:, None] + torch.stack(residuals).var(0, correction=0)
        off = (torch.stack(residuals).mean(0) / spread.clamp_min(1e-9).sqrt()).abs()
        return (off.quantile(0.9, dim=0) / Z90).clamp(MODEST, WIDEST).float()

    def arrays(self) -> dict[str, Vector]:
        return {
            "inputs": self.inputs.numpy(),
            "targets": self.targets.numpy(),
            "columns": np.array(self.columns, np.float32),
            "members": np.array(self.members, np.float32),
            "scales": self.scales.float().numpy(),
            "factors": self.factors.numpy(),
        }

    @classmethod
    def of(cls, arrays: Mapping[str, Vector]) -> Gaussians:
        return cls(
            inputs=torch.from_numpy(np.array(arrays["inputs"])),
            targets=torch.from_numpy(np.array(arrays["targets"])),
            columns=tuple((int(start), int(end)) for start, end in arrays["columns"]),
            members=tuple((bool(joint), int(groups)) for joint, groups in arrays["members"]),
            scales=torch.from_numpy(np.array(arrays["scales"])).double(),
            factors=torch.from_numpy(np.array(arrays["factors"])),
        )


@dataclass(frozen=True, slots=True)
class _Nearness:
    """Of rows to the examples, by group: distances over the examples' median one, products over their mean square."""

    distances: Tensor  # [groups, rows, examples]
    products: Tensor  # [groups, rows, examples]
    squares: Tensor  # [groups, rows], of the rows over the examples' mean

    @classmethod
    def of(cls, rows: Tensor, examples: Tensor, columns: Columns) -> _Nearness:
        distances, products, squares = [], [], []
        for start, end in columns:
            x, z = examples[:, start:end].double(), rows[:, start:end].double()
            among = torch.pdist(x) if len(x) > 1 else torch.zeros(1).double()
            usual = float(among[among > 0].median()) if bool((among > 0).any()) else 1.0
            mean = max(float(x.square().sum(1).mean()), 1e-9)
            distances.append(torch.cdist(z, x, compute_mode="donot_use_mm_for_euclid_dist") / usual)
            products.append(z @ x.T / mean)
            squares.append(z.square().sum(1) / mean)
        return cls(torch.stack(distances), torch.stack(products), torch.stack(squares))

    def kernel(self, scales: Tensor, joint: bool, groups: int) -> Tensor:
        lengths, single, linear = (part[:groups] for part in scales[:-2].exp().chunk(3))
        apart = self.distances[:groups] / lengths[:, None, None]
        alone = torch.einsum("g,gij->ij", single, _matern(apart))
        total = alone + torch.einsum("g,gij->ij", linear, self.products[:groups])
        return total + scales[-2].exp() * _matern((apart.square().sum(0) + 1e-12).sqrt()) if joint else total

    def variance(self, scales: Tensor, joint: bool, groups: int) -> Tensor:
        """Of each row, before anything is known."""
        _, single, linear = (part[:groups] for part in scales[:-2].exp().chunk(3))
        return single.sum() + linear @ self.squares[:groups] + (scales[-2].exp() if joint else 0.0)


def _matern(distance: Tensor) -> Tensor:
    a = sqrt(5) * distance
    return (1 + a + a * a / 3) * torch.exp(-a)


def _standard(targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Targets of mean 0 and deviation 1, with what they were."""
    mean = targets.mean(0)
    deviation = (targets - mean).square().mean(0).sqrt().clamp_min(1e-6)
    return (targets - mean) / deviation, mean, deviation


def _root(kernel: Tensor, scales: Tensor) -> Tensor:
    noise = (scales[-1].exp() + JITTER) * torch.eye(len(kernel), dtype=kernel.dtype)
    root: Tensor = torch.linalg.cholesky(kernel + noise)
    return root


def _fitted(near: _Nearness, y: Tensor, joint: bool, groups: int) -> Tensor:
    """The scales of greatest posterior density [3 groups + 2]."""
    sizes = torch.tensor([len(near.distances)] * 3 + [1, 1])
    means, deviations = (torch.tensor(row).double().repeat_interleave(sizes) for row in zip(*PRIORS, strict=True))
    scales = means.clone().requires_grad_()
    optimizer = torch.optim.Adam([scales], lr=STEP_SIZE)
    with torch.enable_grad():
        for _ in range(STEPS):
            root = _root(near.kernel(scales, joint, groups), scales)
            fit = (y * torch.cholesky_solve(y, root)).sum() / 2 / y.shape[1] + root.diagonal().log().sum()
            loss = fit + ((scales - means) / deviations).square().sum() / 2
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    return scales.detach()


def _clusters(distances: NDArray[np.float64]) -> list[Tensor]:
    """Rows that are alike, by single linkage."""
    if len(distances) < 2:
        return [torch.arange(len(distances))]
    condensed = distances[np.triu_indices(len(distances), 1)]
    labels = fcluster(linkage(condensed, "single"), ALIKE, "distance")
    return [torch.from_numpy(np.flatnonzero(labels == label)) for label in np.unique(labels)]
