"""Claims: every number is found, a rounding of a result rests on it, an invented one is flagged."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from engine.experiment.claims import check_claims, unsupported

NUMBERS = {"experiment mean": 0.87234, "baseline mean": 0.7681, "improvement": 0.10424, "seeds": 5.0, "rows": 4200.0}
VALUES = st.floats(-1e5, 1e5).filter(lambda value: abs(value) > 1e-6)


@given(VALUES, st.integers(1, 8))
def test_a_result_written_with_any_number_of_decimals_is_supported(value: float, decimals: int) -> None:
    written = f"{value:.{decimals}f}"
    (claim,) = check_claims(f"The mean was {written} this time.", {"mean": value})
    assert (claim.text, claim.source) == (written, "mean")


@given(VALUES, st.integers(0, 4))
def test_a_share_written_as_per_cent_is_supported(value: float, decimals: int) -> None:
    assert not unsupported(f"It rose by {100 * value:.{decimals}f} %.", {"share": value})


@given(VALUES, VALUES, st.integers(1, 6))
def test_a_number_further_off_than_its_rounding_is_flagged(value: float, other: float, decimals: int) -> None:
    assume(abs(abs(round(other, decimals)) - abs(value)) > 0.51 * 10.0**-decimals + 1e-6)
    found = unsupported(f"The mean was {other:.{decimals}f}.", {"mean": value})
    assert [claim.text for claim in found] == [f"{other:.{decimals}f}"]


@given(st.text(max_size=200))
def test_any_text_can_be_checked_and_claims_lie_where_they_say(text: str) -> None:
    for claim in check_claims(text, NUMBERS):
        assert claim.text in text[claim.start :]


@given(st.lists(st.integers(0, 999999).map(lambda n: n / 1000), min_size=1, max_size=8))
def test_every_number_of_a_text_is_looked_at_once(values: list[float]) -> None:
    text = "We saw " + " and ".join(f"{value:.3f}" for value in values) + " there."
    assert [claim.text for claim in check_claims(text, {})] == [f"{value:.3f}" for value in values]


def test_an_invented_number_is_flagged_with_its_sentence() -> None:
    text = "The correlation rose from 0.768 to 0.872. That beats the state of the art of 0.913 by far."
    (claim,) = unsupported(text, NUMBERS)
    assert claim.text == "0.913"
    assert claim.sentence == "That beats the state of the art of 0.913 by far."


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("it fell by 0.104", "improvement"),
        ("from 4,200 tweets", "rows"),
        ("over 5 seeds", "seeds"),
        ("87.2% of it", "experiment mean"),
        ("r = .872", "experiment mean"),
        ("8.72e-1", "experiment mean"),
        ("(0.77–0.87)", "baseline mean"),
    ],
)
def test_a_number_is_recognized_however_it_is_written(text: str, source: str) -> None:
    assert check_claims(text, NUMBERS)[0].source == source
    assert not unsupported(text, NUMBERS)


@pytest.mark.parametrize(
    "text", ["a 3x improvement", "0.99", "-0.104", "6 seeds", "0.88", "1 of them", "92 percent", "4,300"]
)
def test_a_number_that_no_result_rounds_to_is_flagged(text: str) -> None:
    assert len(unsupported(text, NUMBERS)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "Hutto and Gilbert (2014)", "see Figure 3 and p. 7", "1. First\n2. Second", "the F1 of MNIST-1D", "`x = 17.5`",
        "arXiv 2408.14033", "in section 12", "conv2d with ICWSM-14",
    ],
)  # fmt: skip
def test_what_counts_or_names_is_no_claim(text: str) -> None:
    assert check_claims(text, {}) == ()
