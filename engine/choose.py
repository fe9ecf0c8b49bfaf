"""Which of the candidates are measured: mostly the most promising, and always one at random."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from engine.journal import Choice
from engine.reward import Candidate, Prediction, Predictor
from sandbox.guest.components.kind import Kind

PREDICTED = "predicted"
AT_RANDOM = "at random"
ASKED_FOR = "asked for"
NOT_YET = "others were predicted to do better"

EXPLORATION = 0.5  # standard deviations of B-WR that not knowing is worth
VOTE = 0.05  # what a certain thumbs up is worth over a certain thumbs down, on the scale of win rates


def choose(
    request_id: str, kind: Kind, candidates: Sequence[Candidate], count: int, predictor: Predictor
) -> list[Choice]:
    """A choice for every candidate, in the order given; `count` of them are to be measured.

    One of them is drawn at random from all candidates, by the request's id: it shows whether the predictor's order is
    worth anything, and it keeps what is measured from being only what the model likes. Does not depend on the order of
    the candidates, so a step that runs again chooses the same. When there is room for all, all are measured. A request
    for a single one gets the one predicted best. Raises ValueError for a negative count.
    """
    if count < 0:
        raise ValueError(f"count is {count}; expected 0 or more hypotheses to measure")
    predictions = dict(zip((h.id for h, _ in candidates), predictor.predict(kind, candidates), strict=True))
    why = _reasons(request_id, predictions, count)
    version = predictor.version
    return [
        Choice(
            hypothesis_id=hypothesis_id,
            request_id=request_id,
            measured=hypothesis_id in why,
            why=why.get(hypothesis_id, NOT_YET),
            predicted_b_wr=prediction.b_wr,
            predicted_spread=prediction.spread,
            model_version=version,
        )
        for hypothesis_id, prediction in predictions.items()
    ]


def _reasons(request_id: str, predictions: dict[str, Prediction], count: int) -> dict[str, str]:
    """Why each of those to be measured is."""
    if count >= len(predictions):
        return dict.fromkeys(predictions, ASKED_FOR)
    by_id = sorted(predictions)
    reasons = {Random(request_id).choice(by_id): AT_RANDOM} if count > 1 else {}
    # Equal worth is broken by chance, the same for every run of this request: ids would favour no one's order.
    order = Random(f"{request_id}/order").sample(by_id, len(by_id))
    best = sorted(order, key=lambda hypothesis_id: -worth(predictions[hypothesis_id]))
    for hypothesis_id in best:
        if len(reasons) == count:
            break
        reasons.setdefault(hypothesis_id, PREDICTED)
    return reasons


def worth(prediction: Prediction) -> float:
    """How much a candidate deserves to be measured: both win rates, what is not known of it, and people's liking."""
    liking = 0.0 if prediction.thumbs_up is None else VOTE * (prediction.thumbs_up - 0.5)
    return (prediction.b_wr + prediction.bsota_wr) / 2 + EXPLORATION * prediction.spread + liking


def explained(choice: Choice) -> str:
    """Why a hypothesis was or was not measured, as one clause for people."""
    if choice.why == AT_RANDOM:
        return "drawn at random, to check the order of the others"
    if choice.why == ASKED_FOR or choice.predicted_b_wr is None:
        return choice.why
    by = f"reward model {choice.model_version}" if choice.model_version else "closeness to the baselines"
    spread = f" ± {choice.predicted_spread:.2f}" if choice.predicted_spread is not None else ""
    verb = "chosen" if choice.measured else "not measured yet"
    return f"{verb}: {by} predicts a B-WR of {choice.predicted_b_wr:.2f}{spread}"
