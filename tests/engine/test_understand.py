"""What people write, and what it means."""

from __future__ import annotations

import dataclasses
import re
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.request import Strategy
from engine.understand import (
    CountOutOfRange,
    DigestDaily,
    DigestNow,
    DigestOff,
    Empty,
    EvaluateInFull,
    ExportFinding,
    Help,
    MeasureRest,
    Propose,
    Stop,
    TryFile,
    Unclear,
    Understanding,
    Unknown,
    UnsupportedKind,
    understand,
)
from sandbox.guest.components.kinds import KINDS

SUPPORTED = {name: KINDS[name] for name in ("activation", "regularizer")}
BOTH = (Strategy.INCREMENTAL, Strategy.NOVEL)
NOVEL, INCREMENTAL = (Strategy.NOVEL,), (Strategy.INCREMENTAL,)


def read(text: str, *, attached: bool = False) -> Understanding:
    return understand(text, SUPPORTED, attached=attached)


def proposed(text: str) -> Propose:
    meant = read(text)
    assert isinstance(meant, Propose), meant
    return meant


@pytest.mark.parametrize(
    ("text", "activations", "regularizers"),
    [
        ("propose 8 activation functions for small image classifiers", 8, 0),
        ("<@U123> propose 8 activation functions", 8, 0),
        ("<@U123|conjecture>: propose 8 activation functions", 8, 0),
        ("@conjecture propose 8 activation functions", 8, 0),
        ("hey conjecture, propose 8 activation functions", 8, 0),
        ("PROPOSE EIGHT ACTIVATION FUNCTIONS!!!", 8, 0),
        ("propose *8* _activation_ functions :rocket: 🎉", 8, 0),
        ("propose 8\nactivation\n functions", 8, 0),
        ("give me ten novel activations", 10, 0),
        ("can you suggest a dozen regularisers for tabular data?", 0, 12),
        ("Could you generate a hundred activations?", 100, 0),
        ("propose twenty-five activation functions", 25, 0),
        ("propose two hundred and forty five regularizers", 0, 245),
        ("propose half a dozen regularizers", 0, 6),
        ("try new activation functions", 8, 0),
        ("suggest some regularizers", 0, 8),
        ("suggest a few regularizers", 0, 3),
        ("a couple of activations please", 2, 0),
        ("propose an activation function", 1, 0),
        ("suggest another novel regularizer", 0, 1),
        ("propose regularization terms", 0, 8),
        ("8 activation functions", 8, 0),
        ("activation functions: 10", 10, 0),
        ("activations?", 8, 0),
        ("ideas for new activation functions", 8, 0),
        ("propose activations for MNIST, 12 of them", 12, 0),
        ("propose 5-10 activations", 10, 0),
        ("suggest between 5 and 10 activations", 10, 0),
        ("propose 2.5 activations", 3, 0),
        ("I'd like to see 20 activation functions that are bounded", 20, 0),
        ("what activation functions would you suggest for speech?", 8, 0),
        ("how about 5 regularizers?", 0, 5),
        ("help me find 7 activation functions for speech", 7, 0),
        ("for tabular data, propose 5 regularizers", 0, 5),
        ("come up with 5 activations and 5 regularizers", 5, 5),
        ("propose 5 activations, 3 regularizers", 5, 3),
        ("propose a regularizer and 5 activations", 5, 1),
        ("propose 9 activations and regularizers", 5, 4),
        ("8 each of activations and regularizers", 8, 8),
        ("activation functions and regularizers, 5 each", 5, 5),
        ("propose 5 activations for images and 4 regularizers for tabular data", 5, 4),
        ("propose 4 activations and 3 more activation functions", 7, 0),
        ("propose 5 activations but no regularizers", 5, 0),
        ("propose not only activations but also regularizers", 4, 4),
        ("propose 5 novel and 3 incremental activations", 8, 0),
        ("propose something for tabular data", 4, 4),
        ("propose 6 components", 3, 3),
        ("propose 7 components but no regularizers", 7, 0),
        ("propose", 4, 4),
        ("5 more", 3, 2),
        ("&gt; propose 3 regularizers\npropose 4 activations", 4, 0),
        ("propose 4 activations\n```\npropose 9 regularizers\n```", 4, 0),
        ("propose 4 activations for <http://x.org|CIFAR-10> and <http://y.org>", 4, 0),
        ("propose 300 activation functions", 300, 0),
    ],
)
def test_how_many_of_which_kind(text: str, activations: int, regularizers: int) -> None:
    meant = proposed(text)
    assert {"activation": 0, "regularizer": 0} | dict(zip(meant.kinds, meant.counts, strict=True)) == {
        "activation": activations,
        "regularizer": regularizers,
    }
    assert meant.count == activations + regularizers


@pytest.mark.parametrize(
    ("text", "purpose"),
    [
        ("propose 8 activation functions for small image classifiers", "small image classifiers"),
        ("propose 8 activation functions for small image classifiers, please!", "small image classifiers"),
        ("propose 8 activation functions for image classifiers, only incremental", "image classifiers"),
        ("propose 8 activation functions for image classifiers (novel)", "image classifiers"),
        ("propose 8 activations for image classifiers using the novelty encouraging strategy", "image classifiers"),
        ("propose 8 activations for small nets. Use both strategies.", "small nets"),
        ("propose activations for MNIST, 12 of them", "MNIST"),
        ("propose 5 activations for 3-layer nets on 28x28 images", "3-layer nets on 28x28 images"),
        ("propose 5 regularizers on CIFAR-10 &amp; SVHN", "CIFAR-10 & SVHN"),
        ("propose 5 activations for small, fast networks", "small, fast networks"),
        ("for tabular data, propose 5 regularizers", "tabular data"),
        ("for tabular data please propose 5 regularizers", "tabular data"),
        ("propose 5 activations for images and 5 regularizers for tabular data", "images and tabular data"),
        ("propose 8 activation functions for text and images", "text and images"),
        ("propose 8 activation functions for me", ""),
        ("propose 8 activation functions", ""),
        ("10 regularization terms for overfitting in tiny nets", "overfitting in tiny nets"),
    ],
)
def test_the_purpose_is_what_follows_for(text: str, purpose: str) -> None:
    assert proposed(text).purpose == purpose


@pytest.mark.parametrize(
    ("text", "strategies"),
    [
        ("propose 8 activations", BOTH),
        ("propose 8 novel activations", NOVEL),
        ("propose 8 incremental activations", INCREMENTAL),
        ("propose 8 activations, only incremental", INCREMENTAL),
        ("propose 8 activations for speech, novel ones only", NOVEL),
        ("propose 8 activations for speech with the novelty encouraging strategy", NOVEL),
        ("propose 8 activations for speech, half each", BOTH),
        ("propose 8 activations, half novel and half incremental", BOTH),
        ("propose 8 activations, nothing novel", INCREMENTAL),
        ("not novel: propose 8 activations", INCREMENTAL),
        ("propose 8 activations for novel view synthesis", BOTH),
        ("try new activation functions", BOTH),
    ],
)
def test_strategies_are_taken_from_the_request(text: str, strategies: tuple[Strategy, ...]) -> None:
    assert proposed(text).strategies == strategies


@pytest.mark.parametrize(
    "typed", ["activaton functions", "activation funtions", "acitvation functions", "activatoins", "Activaton Function"]
)
def test_a_typing_error_in_the_kind_is_understood_and_said(typed: str) -> None:
    meant = proposed(f"propose 5 {typed} for speech")
    assert meant.kinds == ("activation",)
    assert meant.note is not None
    assert typed in meant.note


@pytest.mark.parametrize(
    "text", ["propose 5 activation functions", "propose 5 regularisers", "propose 5 non-linearities"]
)
def test_what_is_spelled_right_is_not_remarked_on(text: str) -> None:
    assert proposed(text).note is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("propose 10 activations and 3 pooling layers", "3 pooling layers"),
        ("propose 5-10 activations", "as 10"),
        ("propose 2.5 activations", "as 3"),
        ("propose 5 novel and 3 incremental activations", "evenly"),
    ],
)
def test_what_was_read_differently_is_said(text: str, said: str) -> None:
    assert said in (proposed(text).note or "")


def test_a_kind_left_open_is_marked() -> None:
    assert not proposed("propose something for tabular data").kind_named
    assert proposed("propose activations for tabular data").kind_named


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("propose 5 pooling layers", "pooling layers"),
        ("give me 5 attention mechanisms for text", "attention mechanisms"),
        ("propose marriage", "marriage"),
    ],
)
def test_what_is_no_kind_is_named_with_what_is_supported(text: str, word: str) -> None:
    assert read(text) == UnsupportedKind(word=word, supported=("activation functions", "regularizers"))


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("propose 5 optimisers for vision", {"optimizer": 5}),
        ("propose 4 optimizers and 4 schedules", {"optimizer": 4, "schedule": 4}),
        (
            "propose 2 loss functions, 3 preprocessors and a normalization layer",
            {"loss": 2, "preprocessor": 3, "normalizer": 1},
        ),
        ("suggest 6 learning rate schedules and weight initialisations", {"schedule": 3, "initializer": 3}),
        ("3 lr schedulers please", {"schedule": 3}),
        ("propose 8 pre-processors for tables", {"preprocessor": 8}),
        ("propose 4 activation functions for nets with batch norm", {"activation": 4}),
        ("propose 4 activation functions for nets without normalization", {"activation": 4}),
        ("propose 4 optimizers with a lower training loss", {"optimizer": 4}),
        ("propose 5 optimizers that need no learning rate schedule", {"optimizer": 5}),
        ("propose 5 initializers that work well with ReLU activations", {"initializer": 5}),
    ],
)
def test_every_kind_can_be_asked_for_and_what_it_is_for_is_not(text: str, counts: dict[str, int]) -> None:
    meant = understand(text, KINDS)
    assert isinstance(meant, Propose), meant
    assert dict(zip(meant.kinds, meant.counts, strict=True)) == counts


@pytest.mark.parametrize("kind", KINDS)
def test_every_name_of_a_kind_is_understood(kind: str) -> None:
    about = KINDS[kind]
    for name in (about.plural, about.title, *about.synonyms):
        meant = understand(f"propose 3 {name}", KINDS)
        assert isinstance(meant, Propose)
        assert (meant.kinds, meant.counts, meant.note) == ((kind,), (3,), None)


NINE = {f"kind {n}": dataclasses.replace(KINDS["activation"], name=f"kind {n}", synonyms=()) for n in range(9)}


@pytest.mark.parametrize(
    "text",
    [
        "propose 8 components for small image nets",
        "surprise me",
        "surprise us with 8 components",
        "any kind",
        "8 components of any kind please",
        "propose 8 of whatever kind you like",
    ],
)
def test_an_open_kind_is_drawn_by_lot_two_of_each(text: str) -> None:
    drawn = understand(text, NINE, chance="a")
    assert isinstance(drawn, Propose)
    assert (set(drawn.counts), drawn.count, drawn.kind_named) == ({2}, 8, False)
    assert "I drew 4 of 9 kinds by lot" in (drawn.note or "")


def test_the_lot_is_the_same_for_the_same_message_and_falls_on_every_kind() -> None:
    def drawn(chance: str) -> tuple[str, ...]:
        meant = understand("surprise me", NINE, chance=chance)
        assert isinstance(meant, Propose)
        return meant.kinds

    assert drawn("a") == drawn("a")
    assert {kind for number in range(60) for kind in drawn(str(number))} == set(NINE)


@pytest.mark.parametrize(
    ("text", "each", "total"),
    [("2 of each kind", 2, 18), ("propose 2 components of every kind", 2, 18), ("18 components of all kinds", 2, 18)],
)
def test_all_kinds_can_be_asked_for(text: str, each: int, total: int) -> None:
    meant = understand(text, NINE)
    assert isinstance(meant, Propose)
    assert (set(meant.counts), meant.count, meant.note) == ({each}, total, None)


@pytest.mark.parametrize("text", ["what kinds are there?", "kinds", "which kinds can you do"])
def test_a_question_for_the_kinds_is_answered_with_help(text: str) -> None:
    assert read(text) == Help(topic=None)


@pytest.mark.parametrize(
    ("text", "unknown"),
    [("help pooling", "pooling"), ("help me with attention", "attention"), ("help me", ""), ("help regularizers", "")],
)
def test_help_on_what_there_is_not_keeps_its_name(text: str, unknown: str) -> None:
    meant = read(text)
    assert isinstance(meant, Help)
    assert meant.unknown == unknown


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("propose 5000 activation functions", 5000),
        ("propose 5,000 activation functions", 5000),
        ("propose 5k activation functions", 5000),
        ("propose five thousand activation functions", 5000),
        ("propose 0 activation functions", 0),
        ("propose zero activation functions", 0),
        ("propose -3 activation functions", -3),
        ("propose three hundred and one activation functions", 301),
        ("propose 200 activations and 101 regularizers", 301),
        ("propose 200 each of activations and regularizers", 400),
        ("propose 301 components", 301),
        ("propose 0 components", 0),
    ],
)
def test_a_count_outside_of_1_to_300_is_named(text: str, count: int) -> None:
    assert read(text) == CountOutOfRange(count=count)


@pytest.mark.parametrize("text", [f"propose {'9' * 5000} activations", f"propose {'9' * 40} activations"])
def test_a_number_without_end_is_out_of_range(text: str) -> None:
    assert isinstance(read(text), CountOutOfRange | Propose | UnsupportedKind)


@pytest.mark.parametrize(
    "text",
    [
        "stop",
        "Stop!",
        "<@U1> stop",
        "please stop",
        "stop it",
        "cancel this request",
        "abort",
        "stop proposing",
        "STOP NOW",
    ],
)
def test_stop(text: str) -> None:
    assert read(text) == Stop()


@pytest.mark.parametrize("text", ["don't stop", "stop and think about activations", "propose stop", "non-stop"])
def test_what_only_mentions_stopping_stops_nothing(text: str) -> None:
    assert read(text) != Stop()


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("help", None),
        ("Help!", None),
        ("<@U1> help me", None),
        ("?", None),
        ("what can you do?", None),
        ("how does this work?", None),
        ("hi", None),
        ("help activation", "activation"),
        ("help on regularisers", "regularizer"),
        ("what is an activation function?", "activation"),
        ("how do activation functions work?", "activation"),
        ("help digest", "digest"),
        ("what is a digest?", "digest"),
        ("digest help", "digest"),
        ("help try", "try"),
    ],
)
def test_help(text: str, topic: str | None) -> None:
    assert read(text) == Help(topic=topic)


@pytest.mark.parametrize(
    ("text", "hour", "minute"),
    [
        ("digest daily 09:00", 9, 0),
        ("digest daily 9:05", 9, 5),
        ("digest daily 9", 9, 0),
        ("digest daily 9am", 9, 0),
        ("digest daily 9 a.m.", 9, 0),
        ("digest daily at 9.30 pm", 21, 30),
        ("Digest every day at 21:45, please", 21, 45),
        ("daily digest at 12am", 0, 0),
        ("daily digest at 12 pm", 12, 0),
        ("digest daily 0930", 9, 30),
        ("digest daily at noon", 12, 0),
        ("digest daily at midnight", 0, 0),
        ("post the digest each morning at 7", 7, 0),
        ("digest daily 23:59", 23, 59),
    ],
)
def test_a_daily_digest_at_a_time(text: str, hour: int, minute: int) -> None:
    assert read(text) == DigestDaily(hour=hour, minute=minute)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("digest daily 25:00", "25:00"),
        ("digest daily 24:00", "24:00"),
        ("digest daily 09:75", "09:75"),
        ("digest daily 13pm", "13pm"),
        ("digest daily", "time"),
        ("digest weekly", "daily"),
        ("digest every monday at 9", "daily"),
        ("digest daily 9:00 and 17:00", "one time"),
        ("digest daily 09:00 UTC", "zone"),
        ("digest tomorrow maybe", "daily"),
    ],
)
def test_a_digest_that_cannot_be_is_refused_with_a_reason(text: str, named: str) -> None:
    meant = read(text)
    assert isinstance(meant, Unclear)
    assert named in meant.reason
    assert not isinstance(read(meant.example), Unclear)


@pytest.mark.parametrize("text", ["digest now", "digest", "show me the digest", "digset now", "post a digest please"])
def test_a_digest_now(text: str) -> None:
    assert read(text) == DigestNow()


@pytest.mark.parametrize("text", ["digest off", "stop the digest", "no more digests", "unsubscribe from the digest"])
def test_the_digest_off(text: str) -> None:
    assert read(text) == DigestOff()


@pytest.mark.parametrize("text", ["measure the rest", "please evaluate the remaining ones", "try the others"])
def test_measure_the_rest(text: str) -> None:
    assert read(text) == MeasureRest()


@pytest.mark.parametrize(
    ("text", "kind"),
    [("", None), ("try this", None), ("here is my regularizer", "regularizer"), ("try this activation", "activation")],
)
def test_an_attached_component_is_tried(text: str, kind: str | None) -> None:
    assert read(text, attached=True) == TryFile(kind=kind)


def test_trying_a_file_is_understood_without_one() -> None:
    assert read("test my regularizer") == TryFile(kind="regularizer")


def test_a_request_beside_an_attached_file_stays_a_request() -> None:
    assert isinstance(read("propose 5 activations like this one", attached=True), Propose)


@pytest.mark.parametrize("text", ["", "   \n", "<@U1>", "🎉", ":tada:", "&gt; quoted", "..."])
def test_no_words_is_empty(text: str) -> None:
    assert read(text) == Empty()


@pytest.mark.parametrize(
    "text",
    [
        "I like activation functions",
        "there are 8 activation functions in torch",
        "don't propose activation functions",
        "please do not suggest 5 regularizers",
        "foo bar baz",
        "give me a break",
        "the weather is nice",
    ],
)
def test_what_asks_for_nothing_starts_nothing(text: str) -> None:
    meant = read(text)
    assert isinstance(meant, Unknown)
    assert not isinstance(read(meant.suggestion), Unknown)


@pytest.mark.parametrize(
    ("text", "suggestion"), [("hlep", "help"), ("stpo", "stop"), ("mesure the rst", "measure the rest")]
)
def test_a_mistyped_command_is_suggested(text: str, suggestion: str) -> None:
    meant = read(text)
    assert isinstance(meant, Unknown)
    assert meant.suggestion == suggestion


# --- properties

WORDS = st.sampled_from(
    re.findall(
        r"\S+",
        "propose give me activation functions regularizers 5 300 0 -1 2.5 a dozen and for on , . ( ) no not each half "
        "novel incremental digest daily 09:00 25:00 off stop help try this the rest <@U1> > ``` &gt; please more of "
        "them ideas pooling layers what is how about between to twenty hundred something",
    )
)


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(), st.lists(WORDS, max_size=14).map(" ".join)), st.booleans())
@example("propose" * 400, False)
@example("\ud800 propose 5 activations", False)
@example("propose " + "activaton " * 300, False)
def test_any_text_has_a_meaning(text: str, attached: bool) -> None:
    meant = understand(text, SUPPORTED, attached=attached)
    if isinstance(meant, Propose):
        assert 1 <= meant.count <= 300
        assert len(meant.kinds) == len(set(meant.kinds)) == len(meant.counts) >= 1
        assert min(meant.counts) >= 1
        assert meant.strategies
        assert set(meant.kinds) <= set(SUPPORTED)


SENTENCES = st.sampled_from(
    [
        "propose {n} activation functions for small image classifiers",
        "give me {n} novel activations",
        "can you suggest {n} regularisers for tabular data?",
        "{n} regularizers please",
        "come up with activations on CIFAR-10, {n} of them",
        "for speech: propose {n} activation functions using the incremental strategy",
        "propose {n} components for 3-layer nets",
    ]
)


@given(SENTENCES, st.integers(1, 300))
def test_a_number_from_1_to_300_survives(sentence: str, number: int) -> None:
    assert proposed(sentence.format(n=number)).count == number


@given(SENTENCES, st.integers(301, 10**14))
def test_a_larger_number_is_named(sentence: str, number: int) -> None:
    assert read(sentence.format(n=number)) == CountOutOfRange(count=number)


@given(SENTENCES, st.integers(1, 300), st.sampled_from([" ", "  ", "\n", "\t ", " \u00a0"]), st.data())
def test_case_and_spacing_mean_nothing(sentence: str, number: int, space: str, data: st.DataObject) -> None:
    text = sentence.format(n=number)
    cased = "".join(c.upper() if data.draw(st.booleans()) else c for c in text)
    one, other = proposed(text), proposed(space + cased.replace(" ", space) + space)
    assert other.purpose.lower() == one.purpose.lower()
    assert (other.kinds, other.counts, other.strategies) == (one.kinds, one.counts, one.strategies)


@given(st.integers(0, 9), st.sampled_from(string.ascii_lowercase))
def test_one_wrong_letter_in_the_kind_is_forgiven(position: int, letter: str) -> None:
    word = "activation"
    typed = word[:position] + letter + word[position + 1 :]
    assert proposed(f"propose 5 {typed} functions").kinds == ("activation",)


@pytest.mark.parametrize(
    ("text", "place", "kind"),
    [
        ("evaluate 4 in full", 4, None),
        ("@conjecture please evaluate #4 in full", 4, None),
        ("evaluate the second one in full", 2, None),
        ("fully evaluate number three", 3, None),
        ("run 1 on the full suite", 1, None),
        ("confirm 2 please", 2, None),
        ("evaluate regularizer 4 in full", 4, "regularizer"),
    ],
)
def test_a_place_of_a_ranking_can_be_evaluated_in_full(text: str, place: int, kind: str | None) -> None:
    assert read(text) == EvaluateInFull(place=place, kind=kind)


@pytest.mark.parametrize("text", ["export 4", "export 4 as drop-in", "please export the fourth one as a module"])
def test_a_place_of_a_ranking_can_be_exported(text: str) -> None:
    assert read(text) == ExportFinding(place=4, kind=None)


@pytest.mark.parametrize("text", ["evaluate 4 activation functions in full", "test 4 regularizers on the full suite"])
def test_a_number_of_components_is_not_a_place(text: str) -> None:
    assert isinstance(read(text), Propose)
