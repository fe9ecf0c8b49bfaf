"""The rows and the values that they keep."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from sqlmodel import SQLModel

from engine.feedback import Feedback
from engine.hypothesis import Hypothesis
from engine.journal import Choice, Epoch, Snapshot
from engine.request import Request
from engine.score import BaselineTrials, Score
from engine.verdict import Verdict
from storage.inquiries import Inquiry
from storage.message_tables import InquiryRow, PostRow
from storage.posts import Post
from storage.score_tables import BaselineRow, EpochRow, ScoreRow
from storage.tables import (
    ChoiceRow,
    FeedbackRow,
    HypothesisRow,
    RequestRow,
    SnapshotRow,
    VerdictRow,
)

KEPT: dict[type[Any], type[SQLModel]] = {
    Request: RequestRow,
    Hypothesis: HypothesisRow,
    Verdict: VerdictRow,
    Choice: ChoiceRow,
    Score: ScoreRow,
    BaselineTrials: BaselineRow,
    Feedback: FeedbackRow,
    Snapshot: SnapshotRow,
    Epoch: EpochRow,
    Inquiry: InquiryRow,
    Post: PostRow,
}


@pytest.mark.parametrize("value", KEPT, ids=lambda value: value.__name__)
def test_every_field_of_a_value_has_a_column(value: type[Any]) -> None:
    assert {field.name for field in fields(value)} <= set(KEPT[value].model_fields)
