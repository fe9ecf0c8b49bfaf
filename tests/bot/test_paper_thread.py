"""A paper in a thread: read, understood, answered with ideas; votes, changes of plans, approval."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_bot import Json, Running, blocks_of, running, texts, until
from paper_threads import PAGES, PASTED, TITLE, card_of, elements, ideas_of, pdf, read

from engine.experiment.bundle import read_bundle
from storage.ideas import KeptIdea, SqlIdeas
from storage.notebook import SqlNotebook


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONJECTURE_LITERATURE", "own")
        with running(tmp_path_factory.mktemp("home")) as bot:
            yield bot


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("papers") / "gaps.pdf"
    path.write_bytes(pdf(TITLE, *PAGES))
    return path


@pytest.fixture(scope="module")
def thread(live: Running, paper: Path) -> str:
    ts = live.say("@conjecture have a look", files=[paper])
    read(live, ts)
    return ts


def test_the_answer_begins_with_that_it_reads_and_says_that_no_model_is_asked(live: Running, thread: str) -> None:
    first, understood = live.replies(thread)[:2]
    assert "gaps.pdf" in first["text"]
    assert understood["text"].startswith("Tables With Gaps: Imputing Missing Values Twice")
    assert "No model was asked" in understood["text"]


def test_claims_stand_with_their_numbers_and_pages(live: Running, thread: str) -> None:
    understood = live.replies(thread)[1]["text"]
    assert "0.91" in understood
    assert "(p. 1)" in understood
    assert "cannot handle text yet" in understood
    assert "(p. 2)" in understood


def test_each_idea_has_a_plan_with_its_criterion_and_cost_and_buttons(live: Running, thread: str) -> None:
    kept = ideas_of(live, thread)
    assert [one.number for one in kept] == [1, 2, 3, 4, 5]
    for one in kept:
        card = card_of(live, thread, one)
        assert one.idea.plan.criterion.in_words(one.idea.plan.judged_by) in card["text"].replace("&gt;", ">")
        assert "Cost: 10 judged runs" in card["text"]
        assert any(button["text"]["text"].startswith("Approve") for button in elements(card, "actions"))
        assert elements(card, "context_actions")[0]["type"] == "feedback_buttons"


def test_a_vote_on_an_idea_is_kept_once_and_apart_from_votes_on_components(live: Running, thread: str) -> None:
    kept = ideas_of(live, thread)[0]
    card = card_of(live, thread, kept)
    (thumbs,) = elements(card, "context_actions")
    ideas = SqlIdeas(live.bot.laboratory.database)
    for button, up in (("positive_button", True), ("negative_button", False)):
        live.person.click(card["ts"], thumbs["action_id"], thumbs[button]["value"], channel=live.channel)
        until(lambda up=up: [vote.thumbs_up for vote in ideas.votes(kept.id)] == [up])
    assert not live.bot.laboratory.journal.feedback(kept.id)


def test_a_plan_is_changed_in_words_and_its_card_with_it(live: Running, thread: str) -> None:
    answer = texts(live.ask("idea 2: use 7 seeds", thread=thread))
    assert "14 judged runs" in answer
    kept = ideas_of(live, thread)[1]
    assert kept.idea.plan.repeats == 7
    assert "14 judged runs" in card_of(live, thread, kept)["text"]


def test_a_change_that_cannot_be_carried_out_leaves_the_plan_and_says_why(live: Running, thread: str) -> None:
    before = ideas_of(live, thread)[2].idea.plan
    answer = texts(live.ask("idea 3: use 99 seeds, metric beauty", thread=thread))
    assert "stays as it was" in answer
    assert "beauty" in answer
    assert "99" in answer
    assert ideas_of(live, thread)[2].idea.plan == before


def test_which_idea_is_asked_where_it_was_not_said(live: Running, thread: str) -> None:
    assert "Which idea?" in texts(live.ask("use 5 seeds", thread=thread))


def open_form(live: Running, ts: str, kept: KeptIdea, user: str | None = None) -> Json:
    live.person.click(card_of(live, ts, kept)["ts"], "edit_idea_plan", kept.id, user, channel=live.channel)
    return until(lambda: live.person.views(user=user))[-1]  # type: ignore[no-any-return]


def test_a_plan_is_edited_in_a_form_that_says_what_is_wrong_beside_the_input(live: Running, thread: str) -> None:
    kept = ideas_of(live, thread)[3]
    view = open_form(live, thread, kept)
    wrong = live.person.submit(view["id"], {"seeds": "99", "success": "it works"})
    assert not wrong["closed"]
    assert set(wrong["errors"]) == {"seeds", "success"}
    assert "99" in wrong["errors"]["seeds"]
    assert ideas_of(live, thread)[3].idea.plan == kept.idea.plan
    right = {"seeds": "9", "success": "mean improvement > 0.02", "variables": "max_iter = 900"}
    assert live.person.submit(view["id"], right)["closed"]
    (told,) = until(lambda: [m for m in live.replies(thread) if "planned idea 4 anew" in m["text"]])
    assert told["text"].startswith("<@")
    assert "seeds: 9" in told["text"]
    assert "18 judged runs" in told["text"]
    plan = ideas_of(live, thread)[3].idea.plan
    assert (plan.repeats, plan.criterion.above, plan.variables) == (9, 0.02, ("max_iter = 900",))
    assert "18 judged runs" in card_of(live, thread, kept)["text"]


def test_of_two_people_who_edit_a_plan_at_once_neither_undoes_the_other(live: Running, thread: str) -> None:
    kept = ideas_of(live, thread)[4]
    other = next(user["id"] for user in live.person.state()["users"] if user["name"] != "ada" and not user["is_bot"])
    one, two = open_form(live, thread, kept), open_form(live, thread, kept, other)
    assert live.person.submit(one["id"], {"seeds": "6"})["closed"]
    assert live.person.submit(two["id"], {"model": "Two layers instead of one"}, user=other)["closed"]
    told = until(lambda: len(found := [m for m in live.replies(thread) if "idea 5 anew" in m["text"]]) == 2 and found)
    assert any(f"<@{other}>" in m["text"] for m in told)
    plan = ideas_of(live, thread)[4].idea.plan
    assert (plan.repeats, plan.model) == (6, "Two layers instead of one")


@pytest.mark.parametrize(
    ("data", "why"), [(b"%PDF-1.7 something", "damaged"), (b"no paper at all", "is not a PDF")], ids=["cut", "no pdf"]
)
def test_what_is_no_paper_is_refused_in_a_sentence(live: Running, tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "bad.pdf").write_bytes(data)
    ts = live.say("@conjecture read this", files=[tmp_path / "bad.pdf"])
    said = until(lambda: [m for m in live.replies(ts) if m["text"].startswith("I cannot read")])
    assert why in texts(said)


@pytest.mark.long
def test_several_papers_of_one_message_are_read_and_their_ideas_numbered_through(
    live: Running, paper: Path, tmp_path: Path
) -> None:
    (tmp_path / "tweets.txt").write_text(PASTED)
    ts = live.say("@conjecture compare", files=[paper, tmp_path / "tweets.txt"])
    replies = texts(read(live, ts, papers=2))
    assert "Tables With Gaps" in replies
    assert "Rules for Tweets" in replies
    numbers = [one.number for one in ideas_of(live, ts)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 5


def test_pasted_text_is_read(live: Running) -> None:
    ts = live.say(f"@conjecture read this paper: {PASTED}")
    assert "Rules for Tweets" in texts(read(live, ts))


def test_pasted_text_without_a_title_is_named_as_that_and_is_no_work_related_to_itself(live: Running) -> None:
    ts = live.say("@conjecture read this paper: " + "We find that rules improve the accuracy on tweets to 0.91. " * 9)
    replies = [message["text"] for message in read(live, ts)]
    assert any(text.startswith("No title was found in pasted text") for text in replies)
    assert not any("pasted text (this team" in text for text in replies)
    assert any("“pasted text” does not put it to the test" in text for text in replies)


def test_an_order_about_an_idea_needs_no_mention(live: Running, thread: str) -> None:
    ts = live.say("idea 3: use 6 seeds", thread=thread)
    live.finished(ts)
    assert "12 judged runs" in texts(live.replies(thread, after=ts))


@pytest.mark.parametrize(
    "words", ["idea 3 looks good to me", "use 6 seeds", "approve 3, @grace?", "that is an undo of what we said"]
)
def test_what_people_say_to_each_other_below_a_paper_is_theirs(live: Running, thread: str, words: str) -> None:
    ts = live.say(words, thread=thread)
    live.ask("help", thread=thread)
    assert live.inquiry(ts) is None


def test_reading_nothing_is_answered_with_what_can_be_given(live: Running) -> None:
    assert "There is no paper" in texts(live.ask("read this paper"))


def test_an_approved_component_becomes_a_request_in_the_same_thread(live: Running, thread: str) -> None:
    kept = next(one for one in ideas_of(live, thread) if one.idea.kind)
    card, form = card_of(live, thread, kept), open_form(live, thread, kept)
    live.person.click(card["ts"], "approve_idea_component", kept.id, channel=live.channel)
    told = until(lambda: [m for m in live.replies(thread) if "It is measured as a component" in m["text"]])
    assert kept.idea.title in texts(told)
    until(lambda: [m for m in live.replies(thread) if m["text"].startswith("Working on")])
    assert "the plan is fixed" in card_of(live, thread, kept)["text"]
    assert "so its plan is fixed" in texts(live.ask(f"idea {kept.number}: use 9 seeds", thread=thread))
    assert not live.person.submit(form["id"], {"seeds": "9"})["closed"]
    assert "so its plan is fixed" in str(live.person.views()[-1]["blocks"])
    assert ideas_of(live, thread)[kept.number - 1].idea.plan == kept.idea.plan
    live.ask("stop", thread=thread)
    until(lambda: [m for m in live.replies(thread) if m["text"].startswith("Stopped") and "scored" not in m["text"]])


def test_an_approved_plan_starts_at_once_and_stop_ends_it_with_a_true_message(live: Running, thread: str) -> None:
    kept = next(one for one in reversed(ideas_of(live, thread)) if not one.approved_by)
    answer = texts(live.ask(f"approve {kept.number} as an experiment", thread=thread))
    assert f"Experiment: {kept.idea.title}" in answer
    until(lambda: experiment_begun(live, kept))
    answer = texts(live.ask("stop", thread=thread))
    assert "Stopped the experiment" in answer
    assert "nothing was judged after that" in answer
    (progress,) = [m for m in live.replies(thread) if m["text"].startswith(f"Experiment: {kept.idea.title}")]
    assert "Stopped." in progress["text"]


def test_the_workspace_can_be_taken_over(live: Running, thread: str) -> None:
    after = live.say("@conjecture take over", thread=thread)
    (zipped,) = until(lambda: [f for m in live.replies(thread, after=after) for f in m.get("files") or []])
    assert "train.py" in zipfile.ZipFile(io.BytesIO(live.person.download(zipped["id"]))).namelist()


def test_approving_a_stopped_plan_again_sets_it_going_where_it_was(live: Running, thread: str) -> None:
    kept = next(one for one in ideas_of(live, thread) if one.approved_by and experiment_begun(live, one))
    assert "where it was stopped" in texts(live.ask(f"approve {kept.number}", thread=thread))
    (progress,) = [m for m in live.replies(thread) if m["text"].startswith(f"Experiment: {kept.idea.title}")]
    until(lambda: "Stopped." not in next(m for m in live.replies(thread) if m["ts"] == progress["ts"])["text"])
    told = texts(live.ask("stop", thread=thread))
    assert f"approves it again (`approve {kept.number}`)" in told
    stopped = [m for m in live.replies(thread) if m["text"].startswith("Stopped the experiment")][-1]
    go_on = next(one for one in elements(stopped, "actions") if one["text"]["text"] == "Go on")
    live.person.click(stopped["ts"], go_on["action_id"], go_on["value"], channel=live.channel)
    until(lambda: texts(live.replies(thread)).count("where it was stopped") == 2)
    assert "not started twice" in texts(live.ask(f"approve {kept.number} as an experiment", thread=thread))
    live.ask("stop", thread=thread)


def experiment_begun(live: Running, kept: KeptIdea) -> bool:
    begun = [one.id for one in SqlNotebook(live.bot.laboratory.database).experiments()]
    return kept.id.replace("i-", "x-") in begun


def test_stop_ends_reading_and_every_paper_ends_in_a_message(live: Running, tmp_path: Path) -> None:
    papers = [tmp_path / f"{name}.txt" for name in ("one", "two", "three", "four")]
    for number, path in enumerate(papers):
        path.write_text(PASTED.replace("0.91", f"0.9{number}"))
    ts = live.say("@conjecture compare these", files=papers)
    until(lambda: len(live.replies(ts)) >= len(papers))
    live.ask("stop", thread=ts)

    def ended() -> list[str]:
        told = [m["text"] for m in live.replies(ts)]
        return [] if any(text.startswith("Reading ") for text in told) else told

    assert any(text.startswith("Stopped reading") for text in until(ended))


@pytest.mark.long
def test_an_approved_plan_is_run_judged_and_reported_with_its_bundle(
    live: Running, paper: Path, tmp_path: Path
) -> None:
    ts = live.say("@conjecture what is in this?", files=[paper])
    read(live, ts)
    live.ask("idea 1: use 3 seeds, data breast-cancer", thread=ts)
    live.ask("approve 1 as an experiment", thread=ts)
    told = until(lambda: [m for m in live.replies(ts) if "holds the code" in m["text"]] and live.replies(ts))
    (report,) = [m for m in told if blocks_of([m], "table")]
    assert "as fixed before anything ran: mean improvement of accuracy" in report["text"]
    files = {file["name"].partition("-")[0]: file for m in told for file in m.get("files") or []}
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(live.person.download(files["bundle"]["id"]))
    assert read_bundle(bundle).plan == ideas_of(live, ts)[0].idea.plan
    assert b"no model was asked" in live.person.download(files["report"]["id"])
