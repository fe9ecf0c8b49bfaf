"""How good a component is likely to be, before it is measured: what decides which ones are measured.

Two predictors with one face. `RewardModel` learned from measured outcomes and from votes. `Prior`, for as long as there
are too few outcomes, goes by the baselines that a component behaves like. Both know only what the validator found.

Votes, rejections and outcomes have parameters of their own, with their own random numbers, over inputs that votes
cannot move:
whatever people vote, the predicted win rates stay the same to the last bit.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import torch
from scipy.special import ndtr

from engine.ensemble import Ensemble
from engine.errors import StaleModel
from engine.features import BEHAVIOUR_GROUPS, Encoder, Facts, describe
from engine.gaussian import Gaussians
from engine.hypothesis import Hypothesis
from engine.journal import Snapshot
from engine.ranking import Reference
from engine.score import Estimate
from engine.shrinkage import Z90
from engine.verdict import Verdict
from sandbox.guest.components.kind import Behaviour, Kind, Vector

FORMAT = 2  # of the bytes; another one is never read, but learned afresh
BANDWIDTHS = 2.0  # width of the prior's neighbourhoods, in typical distances between neighbouring baselines
EFFECT_SCALE = 0.02  # effects are learned as asinh(effect / this): about the seeds' noise, so that losses, however
# large, count little more than defeats, and what is near the top is told apart
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
        predicted, wanted = np.arcsinh(np.array([self.effect, effect]) / EFFECT_SCALE)
        deviation = self.effect_deviation / (EFFECT_SCALE * np.cosh(predicted))
        return float(ndtr((predicted - wanted) / max(deviation, 1e-9)))


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
    """Heads with parameters of their own: `measured` answers B-WR, BSOTA-WR and the effect, and each net one question.

    The nets: `vote` and `blind`, whether people would like it, after and before they see figures; `rejected`, which
    knows only what is known before validation: text, code and who wrote it.
    """

    kind: str
    shapes: Mapping[str, tuple[int, ...]]  # of the behaviour that it was trained on
    encoder: Encoder
    measured: Gaussians  # targets: B-WR, BSOTA-WR, and the effect if it was learned, see EFFECT_SCALE
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
        *,
        effects: Sequence[float] = (),
        rejections: Sequence[tuple[Facts, bool]] = (),
        blind: Sequence[tuple[Facts, bool, float]] = (),
    ) -> RewardModel:
        """Learn from (facts, B-WR, BSOTA-WR) and from (facts, thumbs up, weight of the vote).

        `effects` are those of `outcomes`, in their order; without them, or when all are the same, no effect is
        predicted. `rejections` are all that were validated, with True for what was rejected; `blind` are votes cast
        before any figure was known. The baselines' own rows are examples like any other: few outcomes go further with
        them. Deterministic in `seed` and in the order of the examples; about three seconds for 300 outcomes on one
        thread. Raises ValueError when there are effects, but not as many as outcomes.
        """
        if effects and len(effects) != len(outcomes):
            raise ValueError(f"{len(effects)} effects of {len(outcomes)} outcomes; expected one of each, or none")
        examples = [*outcomes, *baselines]
        encoder = Encoder.fit([one for one, _, _ in examples])
        told = encoder.encode([one for one, _, _ in examples])
        measured = Gaussians.fit(told, _targets(examples, effects), encoder.columns(), BEHAVIOUR_GROUPS, seed)
        nets = {}
        for number, (name, cast) in enumerate((("vote", votes), ("blind", blind)), 1):
            if cast:
                up = torch.tensor([[float(thumbs_up)] for _, thumbs_up, _ in cast])
                trust = torch.tensor([weight for _, _, weight in cast])
                nets[name] = Ensemble.fit(encoder.encode([one for one, _, _ in cast]), up, trust, seed + number)
        if len({rejected for _, rejected in rejections}) == 2:
            marks = torch.from_numpy(np.stack([one.marks for one, _ in rejections]))
            fate = torch.tensor([[float(rejected)] for _, rejected in rejections])
            nets["rejected"] = Ensemble.fit(marks, fate, torch.ones(len(fate)), seed + 3)
        return cls(
            kind=kind.name,
            shapes={name: tuple(shape) for name, shape in kind.behaviour.items()},
            encoder=encoder,
            measured=measured,
            nets=nets,
            outcomes=len(outcomes),
            votes=len(votes) + len(blind),
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
        described = [describe(kind, hypothesis, verdict) for hypothesis, verdict in candidates]
        inputs = self.encoder.encode(described)
        marks = torch.from_numpy(np.stack([one.marks for one in described]))
        answers = {
            name: net.predict(marks if name == "rejected" else inputs).mean(0)[:, 0] for name, net in self.nets.items()
        }
        means, spreads, deviations = self.measured.predict(inputs)
        return [
            replace(
                _measured(means[i], spreads[i], deviations[i]),
                thumbs_up=_at(answers, "vote", i),
                blind_up=_at(answers, "blind", i),
                rejected=_at(answers, "rejected", i),
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
        arrays |= {f"measured/{name}": array for name, array in self.measured.arrays().items()}
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
            encoder, measured = Encoder.of(grouped.pop("encoder")), Gaussians.of(grouped.pop("measured"))
            nets = {net: Ensemble.of(parts) for net, parts in grouped.items()}
        except (zipfile.BadZipFile, OSError, EOFError, KeyError, ValueError) as error:
            raise StaleModel(
                f"the {len(weights)} bytes of a reward model cannot be read ({error}); learn it again"
            ) from error
        return cls(
            kind=kind.name,
            shapes=dict(kind.behaviour),
            encoder=encoder,
            measured=measured,
            nets=nets,
            outcomes=header["outcomes"],
            votes=header["votes"],
        )


def _targets(examples: Sequence[tuple[Facts, float, float]], effects: Sequence[float]) -> torch.Tensor:
    """[n, 2], or [n, 3] with effects on EFFECT_SCALE. That of a baseline, the best of which it would be held against
    itself, is read off the plane through the others over both win rates."""
    rates = np.array([[b_wr, bsota_wr] for _, b_wr, bsota_wr in examples], np.float64)
    if len(set(effects)) < 2:
        return torch.from_numpy(rates.astype(np.float32))
    known = np.arcsinh(np.array(effects) / EFFECT_SCALE)
    plane = np.column_stack([np.ones(len(rates)), rates])
    weights, *_ = np.linalg.lstsq(plane[: len(known)], known, rcond=None)
    guessed = np.clip(plane[len(known) :] @ weights, known.min(), known.max())
    return torch.from_numpy(np.column_stack([rates, np.concatenate([known, guessed])]).astype(np.float32))


def _measured(mean: Vector, spread: Vector, deviation: Vector) -> Prediction:
    """Of one candidate, from the figures' means and deviations; the effect's are on EFFECT_SCALE."""
    rates = np.clip(mean[:2], 0.0, 1.0)
    half = Z90 * deviation
    low, high = np.clip(mean[:2] - half[:2], 0.0, 1.0), np.clip(mean[:2] + half[:2], 0.0, 1.0)
    intervals = {
        name: Estimate(value=float(rates[i]), low=float(low[i]), high=float(high[i]))
        for i, name in enumerate(("b_wr", "bsota_wr"))
    }
    plain = Prediction(
        b_wr=float(rates[0]), spread=float(spread[0]), bsota_wr=float(rates[1]), thumbs_up=None, intervals=intervals
    )
    if len(mean) < 3:
        return plain
    value, least, most = (
        float(np.clip(EFFECT_SCALE * np.sinh(at), -1.0, 1.0)) for at in (mean[2], mean[2] - half[2], mean[2] + half[2])
    )
    steepness = EFFECT_SCALE * float(np.cosh(np.arcsinh(value / EFFECT_SCALE)))
    return replace(
        plain,
        effect=value,
        effect_spread=steepness * float(spread[2]),
        effect_deviation=steepness * float(deviation[2]),
        intervals={**intervals, "effect": Estimate(value=value, low=least, high=most)},
    )


def _at(answers: Mapping[str, torch.Tensor], name: str, i: int) -> float | None:
    return float(answers[name][i]) if name in answers else None


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
