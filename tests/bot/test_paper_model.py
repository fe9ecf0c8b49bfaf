"""A whole investigation in one thread, with a model behind it: a scripted endpoint that says what a model would."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
from live_bot import Json, Running, blocks_of, running, texts, until
from paper_threads import PAGES, TITLE, card_of, ideas_of, pdf, read
from scripted_llm import MODEL, Body, Line, call, endpoint, in_order, says
from wire_hub import NOBODY, wire_hub

from bot.views.figures import win_rate
from engine.experiment.bundle import read_bundle

READING = {
    "task": "Classifying tables with missing values",
    "method": "Every missing value is imputed twice.",
    "data_sets": ["tables"],
    "keywords": ["missing values", "Activation functions"],
    "claims": [
        {"text": "The accuracy rises to 0.91.", "quote": "Our method improves the accuracy to 0.91 on three tables."},
        {"text": "It wins everywhere, by 0.3.", "quote": "It wins on every table by 0.3, as Table 9 shows."},
    ],
    "gaps": [{"text": "Text is left out.", "quote": "The method cannot handle text yet."}],
}
PLAN = {"task": "tabular", "data": "breast-cancer", "metric": "accuracy", "seeds": 3}
SUCCESS = "mean improvement over the baseline > 0.0"
INVENTED = "0.987654"
UNDEFINED = [
    call("edit_file", path="train.py", old="max_iter=500", new="max_iter=500, C=strength"),
    call("run"),
    call("edit_file", path="train.py", old="C=strength", new="C=strong"),
    call("run"),
    call("ask_person", question="Which strength of the penalty shall I take?"),
]
REPAIRED = [
    call("edit_file", path="train.py", old="C=strong", new="C=0.5"),
    call("run"),
    call("edit_file", path="train.py", old="C=0.5", new="C=1e-9"),
    call("ask_person", question="I made the penalty much stronger. Is that what you meant?"),
]
RUN_AGAIN = [
    call("fetch", what="models", repository="someone/tiny-bert"),
    call("run"),
    call("ask_person", question="Shall I hand it in?"),
]
HANDED_IN = [call("finish", done=f"A stronger penalty, C=0.5. In my own runs it reached {INVENTED}.")]


@dataclass
class Model:
    """Reads papers, has ideas, and writes experiments by a script."""

    said: list[str] = field(default_factory=list)  # what people said to it, as its prompts held it
    experiment: Any = field(default_factory=lambda: in_order([*UNDEFINED, *REPAIRED, *RUN_AGAIN, *HANDED_IN]))

    def play(self, body: Body) -> Line:
        if body.get("tools"):
            self.said = [str(message["content"]) for message in body["messages"] if message["role"] == "user"]
            return self.experiment(body)  # type: ignore[no-any-return]
        brief = json.loads(str(body["messages"][-1]["content"]).split("```json")[1].split("```")[0])
        return says(json.dumps(READING if brief["task"] == "reading" else {"ideas": ideas(brief)}))


def ideas(brief: Json) -> list[Json]:
    ready = next(one for one in brief["components"] if one["kind"] == "activation function")
    text = {"novelty": "Nobody tried it.", "nearest": "On baselines", "quote": "The method cannot handle text yet."}
    return [
        {"title": title, "hypothesis": f"{title} helps.", "component": component, "plan": plan} | text
        for title, component, plan in (
            ("A stronger penalty", "", PLAN | {"direction": "higher", "success": SUCCESS}),
            ("Less accuracy", "", PLAN | {"direction": "lower", "success": SUCCESS}),
            ("A ready activation", ready["id"], PLAN | {"direction": "higher", "success": SUCCESS}),
        )
    ]


@pytest.fixture(scope="module")
def model() -> Model:
    return Model()


@pytest.fixture(scope="module")
def live(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with endpoint(model.play) as served, wire_hub() as hub, pytest.MonkeyPatch.context() as patch:
        hub.add("models", "someone/tiny-bert", config__json=b"{}")
        resolved = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
        patch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", resolved)
        patch.setenv("CONJECTURE_ARXIV_URL", NOBODY)
        patch.setenv("CONJECTURE_SEMANTIC_SCHOLAR_URL", NOBODY)
        patch.setenv("CONJECTURE_MODELS", MODEL)
        patch.setenv("OPENAI_API_KEY", "k")
        patch.setenv("OPENAI_BASE_URL", served.url)
        with running(tmp_path_factory.mktemp("home")) as bot:
            yield bot


@pytest.fixture(scope="module")
def thread(live: Running, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("papers") / "gaps.pdf"
    path.write_bytes(pdf(TITLE, *PAGES))
    ts = live.say("@conjecture what follows from this?", files=[path])
    read(live, ts)
    return ts


def test_what_a_model_says_of_a_paper_is_shown_with_its_page_and_what_the_paper_does_not_say_is_left_out(
    live: Running, thread: str
) -> None:
    understood = live.replies(thread)[1]["text"]
    assert MODEL in understood
    assert "The accuracy rises to 0.91. (p. 2)" in understood
    assert "wins" not in understood
    assert "1 of scripted-1's statements are left out" in understood


def test_a_models_idea_whose_plan_turns_its_metric_around_is_not_offered(live: Running, thread: str) -> None:
    assert [one.idea.title for one in ideas_of(live, thread)] == ["A stronger penalty", "A ready activation"]


def asked(live: Running, thread: str, words: str) -> Json:
    """The question in the thread, once it is asked."""
    return until(lambda: next((m for m in live.replies(thread) if words in m["text"]), None))  # type: ignore[no-any-return]


def script_of(live: Running, message: Json) -> str:
    (zipped,) = message["files"]
    archive = zipfile.ZipFile(io.BytesIO(live.person.download(zipped["id"])))
    return archive.read("train.py").decode()


def taken_over(live: Running, thread: str) -> str:
    """The script as it is handed to whoever takes over."""
    told = live.ask("take over", thread=thread)
    return script_of(live, next(message for message in told if message.get("files")))


@pytest.mark.long
def test_a_whole_investigation_with_people_steering_it(
    live: Running, thread: str, model: Model, tmp_path: Path
) -> None:
    kept = ideas_of(live, thread)[0]
    live.person.click(card_of(live, thread, kept)["ts"], "approve_idea_plan", kept.id, channel=live.channel)

    asked(live, thread, "Which strength of the penalty")
    progress = next(m["text"] for m in live.replies(thread) if m["text"].startswith("Experiment:"))
    assert re.search(r"Attempt 1: .*strength.*\n.*Attempt 2: .*strong", progress)
    aside = live.say("@grace what do you think?", thread=thread)
    live.finished(live.say("use C = 0.5, please, and the metric auc", thread=thread))
    assert live.inquiry(aside) is None

    asked(live, thread, "Is that what you meant?")
    assert any("use C = 0.5, please, and the metric auc" in said for said in model.said)
    live.finished(live.say("undo", thread=thread))

    asked(live, thread, "Shall I hand it in?")
    assert "C=0.5" in taken_over(live, thread)
    assert "Stopped the experiment" in texts(live.ask("stop", thread=thread))
    assert not any(blocks_of([message], "table") for message in live.replies(thread))
    live.ask("yes, go on", thread=thread)

    report = asked(live, thread, "as fixed before anything ran")
    assert report["text"].startswith("The hypothesis ")
    (table,) = blocks_of([report], "table")
    assert [row[0]["text"] for row in table["rows"][1:3]] == ["Prototype (baseline)", "Experiment"]
    assert "Fetched from the Hugging Face hub" in report["text"]
    assert "someone/tiny-bert" in report["text"]
    assert INVENTED in report["text"].partition("Written, but in no result")[2]
    asked(live, thread, "holds the code")
    named = {file["name"]: file for message in live.replies(thread) for file in message.get("files") or []}
    bundle = tmp_path / "bundle.zip"
    bundle.write_bytes(live.person.download(next(named[name]["id"] for name in named if name.startswith("bundle"))))
    assert read_bundle(bundle).plan == kept.idea.plan
    assert [one.repository for one in read_bundle(bundle).fetched] == ["someone/tiny-bert"]

    assert "was approved before" in texts(live.ask("approve 1 as an experiment", thread=thread))
    assert sum(m["text"].startswith("Experiment:") for m in live.replies(thread)) == 1


@pytest.mark.long
@pytest.mark.timeout(900)  # a ranking begins with training the baselines
def test_an_idea_that_is_a_component_runs_through_the_win_rates_to_its_ranking(live: Running, thread: str) -> None:
    kept = ideas_of(live, thread)[1]
    card = card_of(live, thread, kept)
    live.person.click(card["ts"], "approve_idea_component", kept.id, channel=live.channel)
    until(lambda: [m for m in live.replies(thread) if m["text"].startswith("Done in")], 800)
    (ranked,) = [m for m in live.replies(thread) if blocks_of([m], "table") and "A ready activation" in m["text"]]
    inquiry = live.bot.inquiries.get(kept.id)
    assert inquiry.request_id
    (ranking,) = live.bot.laboratory.research.rankings(inquiry.request_id)
    (place,) = ranking.places
    assert win_rate(place.score.b_wr) in ranked["text"]
