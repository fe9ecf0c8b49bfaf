"""How good a component is likely to be, before it is measured: what decides which ones are measured.

Two predictors with one face. `RewardModel` learned from measured outcomes and from votes. `Prior`, for as long as there
are too few outcomes, goes by the baselines that a component behaves like. Both know only what the validator found.

Votes and outcomes have nets of their own, with their own random numbers, over inputs that votes cannot move:
whatever people vote, the predicted win rates stay the same to the last bit.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from scipy.special import ndtr

from engine.ensemble import Ensemble
from engine.errors import StaleModel
from engine.features import Encoder, Facts, describe
from engine.hypothesis import Hypothesis
from engine.journal import Snapshot
from engine.ranking import Reference
from engine.score import Estimate
from engine.verdict import Verdict
from sandbox.guest.components.kind import Behaviour, Kind, Vector

FORMAT = 1  # of the bytes; another one is never read, but learned afresh
BANDWIDTHS = 2.0  # width of the prior's neighbourhoods, in typical distances between neighbouring baselines
PRIOR_WEIGHT = 0.5  # of the baselines' mean, in neighbours: shrinks what is far from all of them

Candidate = tuple[Hypothesis, Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    b_wr: float
    spread: float  # standard deviation of b_wr over the model's members: what it does not know
    bsota_wr: float
    thumbs_up: float | None  # probability that a vote would be a thumbs up; None: nobody voted yet
    blind_up: float | None = None  # the same of a vote before any figure is known; learned from such votes alone
    rejected: float | None = None  # probability of being rejected; None: not learned
    effect: float | None = None  # None: not learned
    effect_spread: float | None = None  # standard deviation: what the model does not know of the effect
    effect_deviation: float | None = None  # of a measured effect from the prediction, chance of seeds included
    intervals: Mapping[str, Estimate] = field(
        default_factory=dict, hash=False
    )  # 90 %, of what would be measured, by figure

    @property
    def merit(self) -> float:
        """What the model's order goes by: the effect if it is predicted, else both win rates."""
        return (self.b_wr + self.bsota_wr) / 2 if self.effect is None else self.effect

    @property
    def merit_spread(self) -> float:
        return self.spread if self.effect_spread is None else self.effect_spread

    @property
    def liking(self) -> float:
        """In [-1/2, 1/2]: what people think of those like it, blind votes and others counted alike; 0: nobody voted."""
        known = [up for up in (self.thumbs_up, self.blind_up) if up is not None]
        return sum(known) / len(known) - 0.5 if known else 0.0

    def chance_above(self, effect: float) -> float | None:
        """Probability that the measured effect is larger; None where none is predicted."""
        if self.effect is None or self.effect_deviation is None:
            return None
        return float(ndtr((self.effect - effect) / max(self.effect_deviation, 1e-9)))


class Predictor(Protocol):
    @property
    def version(self) -> str | None:
        """Of the reward model; None for the prior."""
        ...

    @property
    def words(self) -> str:
        """What the predictions rest on, for people."""
        ...

    def predict(self, kind: Kind, candidates: Sequence[Candidate]) -> list[Prediction]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmark:
    """A baseline with its own win rates against the other baselines (its reference row)."""

    name: str
    code: str
    behaviour: Behaviour
    b_wr: float
    bsota_wr: float


def landmarks(kind: Kind, references: Sequence[Reference], behaviours: Mapping[str, Behaviour]) -> list[Landmark]:
    """The baselines of `references` whose behaviour is known, by name."""
    codes = {known.name: known.code for known in kind.known}
    return [
        Landmark(
            name=row.baseline,
            code=codes.get(row.baseline, ""),
            behaviour=behaviours[row.baseline],
            b_wr=row.b_wr.value,
            bsota_wr=row.bsota_wr.value,
        )
        for row in references
        if row.baseline in behaviours
    ]


@dataclass(frozen=True, slots=True)
class Prior:
    """Kernel regression on the baselines' win rates over behaviour, shrunk to their mean."""

    landmarks: Sequence[Landmark]

    @property
    def version(self) -> None:
        return None

    @property
    def words(self) -> str:
        return f"closeness to {len(self.landmarks)} baselines" if self.landmarks else "nothing measured yet"

    def predict(self, kind: Kind, candidates: Sequence[Candidate]) -> list[Prediction]:
        if not self.landmarks:
            return [Prediction(b_wr=0.5, spread=0.5, bsota_wr=0.5, thumbs_up=None) for _ in candidates]
        points = np.stack([kind.canonical(landmark.behaviour) for landmark in self.landmarks])
        rates = np.array([[landmark.b_wr, landmark.bsota_wr] for landmark in self.landmarks])
        return [self._one(kind, verdict.behaviour, points, rates) for _, verdict in candidates]

    def _one(self, kind: Kind, behaviour: Behaviour, points: Vector, rates: Vector) -> Prediction:
        closeness = np.zeros(len(points))
        if behaviour:
            distances = np.linalg.norm(points - kind.canonical(behaviour), axis=1)
            closeness = np.exp(-0.5 * (distances / (BANDWIDTHS * _typical_distance(points))) ** 2)
        total = closeness.sum() + PRIOR_WEIGHT
        b_wr, bsota_wr = (closeness @ rates + PRIOR_WEIGHT * rates.mean(0)) / total
        spread = rates[:, 0].std() * (PRIOR_WEIGHT / total) ** 0.5
        return Prediction(b_wr=float(b_wr), spread=float(spread), bsota_wr=float(bsota_wr), thumbs_up=None)


def _typical_distance(points: Vector) -> float:
    """Median distance from a point to its nearest other one; 1 (the scale of canonical vectors) for a single point."""
    if len(points) < 2:
        return 1.0
    between = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(between, np.inf)
    return max(float(np.median(between.min(1))), 1e-6)


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardModel:
    """Heads by net: `outcome` answers (B-WR, BSOTA-WR), `vote` (thumbs up). Another net takes another name."""

    kind: str
    shapes: Mapping[str, tuple[int, ...]]  # of the behaviour that it was trained on
    encoder: Encoder
    nets: Mapping[str, Ensemble]
    outcomes: int
    votes: int

    @classmethod
    def fit(
        cls,
        kind: Kind,
        outcomes: Sequence[tuple[Facts, float, float]],
        votes: Sequence[tuple[Facts, bool, float]],
        baselines: Sequence[tuple[Facts, float, float]] = (),
        seed: int = 0,
    ) -> RewardModel:
        """Learn from (facts, B-WR, BSOTA-WR) and from (facts, thumbs up, weight of the vote).

        The baselines' own rows are examples like any other: few outcomes go further with them. Deterministic in `seed`
        and in the order of the examples; about a second for 300 outcomes on one thread.
        """
        examples = [*outcomes, *baselines]
        encoder = Encoder.fit([one for one, _, _ in examples])
        rates = torch.tensor([[b_wr, bsota_wr] for _, b_wr, bsota_wr in examples])
        weights = torch.ones(len(examples))
        nets = {"outcome": Ensemble.fit(encoder.encode([one for one, _, _ in examples]), rates, weights, seed)}
        if votes:
            up = torch.tensor([[float(thumbs_up)] for _, thumbs_up, _ in votes])
            trust = torch.tensor([weight for _, _, weight in votes])
            nets["vote"] = Ensemble.fit(encoder.encode([one for one, _, _ in votes]), up, trust, seed + 1)
        return cls(
            kind=kind.name,
            shapes={name: tuple(shape) for name, shape in kind.behaviour.items()},
            encoder=encoder,
            nets=nets,
            outcomes=len(outcomes),
            votes=len(votes),
        )

    @property
    def version(self) -> str:
        return version_of(self.to_bytes())

    @property
    def words(self) -> str:
        return f"reward model {self.version}, learned from {self.outcomes} outcomes and {self.votes} votes"

    def predict(self, kind: Kind, candidates: Sequence[Candidate]) -> list[Prediction]:
        if not candidates:
            return []
        inputs = self.encoder.encode([describe(kind, hypothesis, verdict) for hypothesis, verdict in candidates])
        rates = self.nets["outcome"].predict(inputs)  # [members, n, 2]
        means, spreads = rates.mean(0), rates[:, :, 0].std(0, correction=0)
        ups = self.nets["vote"].predict(inputs).mean(0)[:, 0] if "vote" in self.nets else None
        return [
            Prediction(
                b_wr=float(means[i, 0]),
                spread=float(spreads[i]),
                bsota_wr=float(means[i, 1]),
                thumbs_up=None if ups is None else float(ups[i]),
            )
            for i in range(len(candidates))
        ]

    def to_bytes(self) -> bytes:
        """A NumPy archive of float32 arrays and one JSON header. Equal models have equal bytes."""
        header = {
            "format": FORMAT,
            "kind": self.kind,
            "shapes": {name: list(shape) for name, shape in sorted(self.shapes.items())},
            "outcomes": self.outcomes,
            "votes": self.votes,
        }
        arrays = {f"encoder/{name}": array for name, array in self.encoder.arrays().items()}
        for net, ensemble in self.nets.items():
            arrays |= {f"{net}/{name}": array for name, array in ensemble.arrays().items()}
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, weights: bytes, kind: Kind) -> RewardModel:
        """Raises StaleModel when the bytes are damaged, of another format, or of another kind or probe set."""
        try:
            with np.load(io.BytesIO(weights), allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
            header = json.loads(arrays.pop("header").tobytes())
            expected = {name: list(shape) for name, shape in sorted(kind.behaviour.items())}
            found = (header["format"], header["kind"], header["shapes"])
            if found != (FORMAT, kind.name, expected):
                raise StaleModel(
                    f"a reward model is for {found}, expected {(FORMAT, kind.name, expected)}; learn it again"
                )
            grouped: dict[str, dict[str, Vector]] = {}
            for name, array in arrays.items():
                group, _, rest = name.partition("/")
                grouped.setdefault(group, {})[rest] = array
            encoder = Encoder.of(grouped.pop("encoder"))
            nets = {net: Ensemble.of(parts) for net, parts in grouped.items()}
        except (zipfile.BadZipFile, OSError, EOFError, KeyError, ValueError) as error:
            raise StaleModel(
                f"the {len(weights)} bytes of a reward model cannot be read ({error}); learn it again"
            ) from error
        return cls(
            kind=kind.name,
            shapes=dict(kind.behaviour),
            encoder=encoder,
            nets=nets,
            outcomes=header["outcomes"],
            votes=header["votes"],
        )


def version_of(weights: bytes) -> str:
    """`r-` and the start of the digest: equal bytes are the same version."""
    return f"r-{hashlib.sha256(weights).hexdigest()[:8]}"


def predictor(kind: Kind, snapshot: Snapshot | None, baselines: Sequence[Landmark]) -> Predictor:
    """The reward model if there is one that fits this kind as it is now, else the prior; `version` tells which."""
    if snapshot is None:
        return Prior(baselines)
    try:
        return RewardModel.from_bytes(snapshot.weights, kind)
    except StaleModel:  # the product moved on since; the next learning replaces it
        return Prior(baselines)
