"""The head of the reward model for ideas: what votes on earlier ideas do to the order of new ones."""

from __future__ import annotations

from engine.experiment.plan import read_plan
from engine.papers.ideas import Idea
from engine.papers.liking import Opinion, in_words, liking, order_by_liking

SUBJECTS = (
    "Wavelet features of essays",
    "Dropout of rare words",
    "Periodic activations for sums of cosines",
    "Trees boosted on residuals",
    "Labels smoothed by prototypes",
)


def idea(subject: str, kind: str | None = None, task: str = "essays") -> Idea:
    plan = read_plan({"hypothesis": f"{subject} predict better.", "task": task})
    return Idea(title=subject, hypothesis=plan.hypothesis, novelty="new", plan=plan, quote=None, kind=kind)


IDEAS = [idea(subject) for subject in SUBJECTS]


def votes(subject: str, *people: str, up: bool = True, **more: str) -> list[Opinion]:
    return [Opinion(idea=idea(subject, **more), person=person, thumbs_up=up) for person in people]


def titles(opinions: list[Opinion]) -> list[str]:
    return [SUBJECTS[place] for place in order_by_liking(IDEAS, opinions)]


def test_without_votes_the_order_stays_and_nothing_is_told() -> None:
    order = order_by_liking(IDEAS, [])
    assert order == [0, 1, 2, 3, 4]
    assert in_words(IDEAS, order, 0) == ()


def test_thumbs_up_for_an_idea_move_what_is_like_it_up_and_it_is_told_how_far() -> None:
    opinions = votes("Periodic activations for cosines", "U1", "U2", "U3", "U4")
    order = order_by_liking(IDEAS, opinions)
    assert order[0] == 2
    assert in_words(IDEAS, order, len(opinions)) == (
        "Your 4 votes on earlier ideas moved “Periodic activations for sums of cosines” up 2 places.",
    )


def test_thumbs_down_move_what_is_like_it_down() -> None:
    down = votes("Wavelet features of texts", "U1", "U2", "U3", "U4", up=False)
    assert titles(down).index("Wavelet features of essays") > 0


def test_a_vote_counts_for_ideas_of_its_kind_and_task_as_well() -> None:
    opinions = votes("Something else", "U1", kind="activation", task="images")
    same, other = idea("Unlike it", "activation", "images"), idea("Unlike it", "loss", "sentiment")
    liked = liking([same, other], opinions)
    assert liked[0] > 1.5 * liked[1]


def test_one_person_however_often_does_not_outweigh_four_others() -> None:
    alone = votes("Trees boosted on residuals", *["U1"] * 50)
    others = votes("Trees boosted on residuals", "U2", "U3", "U4", "U5", up=False)
    (liked,) = liking([IDEAS[3]], [*alone, *others])
    assert liked < 0


def test_the_person_who_votes_often_moves_less_than_as_many_people_who_vote_once() -> None:
    one, many = votes(SUBJECTS[4], *["U1"] * 8), votes(SUBJECTS[4], *(f"U{n}" for n in range(8)))
    assert liking(IDEAS, one)[4] < liking(IDEAS, many)[4] < 1.0


def test_the_order_depends_on_the_votes_and_not_on_who_is_who() -> None:
    assert titles(votes(SUBJECTS[3], "U1", "U2")) == titles(votes(SUBJECTS[3], "U8", "U9"))
