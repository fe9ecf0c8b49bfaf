"""What a person in a channel gets, over real sockets: the local workspace, the Bolt app, the sandbox, the evaluator."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_bot import Running, blocks_of, texts, until

from bot.views.message import unescape
from sandbox.guest.components.kind import Kind
from sandbox.guest.components.kinds import KINDS

GELU_AGAIN = b"import torch\n\ndef build():\n    return torch.nn.GELU()\n"


def test_help_lists_what_can_be_asked(live: Running) -> None:
    assert "propose 8 activation functions" in texts(live.ask("help"))


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_help_on_every_kind_shows_its_contract_and_its_baselines(live: Running, kind: Kind) -> None:
    told = unescape(texts(live.ask(f"help {kind.plural}")))
    assert kind.contract.strip() in told
    assert all(f"{known.name}: {known.source}, {known.year}" in told for known in kind.baselines)


def test_help_on_what_there_is_not_says_what_there_is(live: Running) -> None:
    told = texts(live.ask("help pooling"))
    assert "I know nothing called “pooling”" in told
    assert all(kind.plural in told for kind in KINDS.values())


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", "I can propose and test activation functions"),
        ("what is the weather like", "I did not understand"),
        ("propose 5 pooling layers", "cannot propose"),
        ("propose 5000 activation functions", "outside what I can measure"),
        ("propose 0 activation functions", "outside what I can measure"),
        ("digest daily 25:00", "25"),
        ("measure the rest", "no request in this thread"),
        ("stop", "nothing to stop"),
        ("digest off", "nothing to end"),
    ],
)
def test_what_cannot_be_done_gets_one_helpful_answer(live: Running, text: str, answer: str) -> None:
    replies = live.ask(text)
    assert len(replies) == 1
    assert answer in texts(replies)


def test_a_mention_is_answered_once_although_it_arrives_as_two_events(live: Running) -> None:
    ts = live.say("@conjecture help")
    live.finished(ts)
    assert len(live.replies(ts)) == 1


def test_people_talking_in_a_thread_of_ours_are_left_alone(live: Running) -> None:
    ts = live.say("@conjecture help")
    live.finished(ts)
    chat = live.say("nice, thanks", thread=ts)
    after = live.say("@conjecture help", thread=ts)
    live.finished(after)
    assert live.inquiry(chat) is None


def test_an_attached_component_is_tried(live: Running, tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_bytes(GELU_AGAIN)
    told = texts(live.ask("try this activation", files=[module]))
    assert "1 of 1 file scored" in told
    assert "the same function as GELU" in told


PASTED = """what about this one?
```
import torch
from torch import nn

class Gate(nn.Module):
    def forward(self, x):
        return torch.where(x > 0, x, x * torch.sigmoid(x))

def build():
    return Gate()
```"""


def test_pasted_code_is_tried_as_what_it_looks_like(live: Running) -> None:
    told = texts(live.ask(PASTED))
    assert "I take `pasted code` for an activation function" in told
    assert "1 of 1 file scored (activation functions)" in told


def test_code_of_which_the_kind_cannot_be_told_is_asked_about(live: Running) -> None:
    ts = live.say("@conjecture try this ```def build():\n    return Something()\n```")
    live.finished(ts)
    (asked,) = live.replies(ts)
    assert "I cannot tell which kind" in asked["text"]
    buttons = [e for block in blocks_of([asked], "actions") for e in block["elements"]]
    chosen = next(button for button in buttons if "activation" in button["value"])
    live.person.click(asked["ts"], chosen["action_id"], chosen["value"], channel=live.channel)
    told = until(lambda: [m["text"] for m in live.replies(ts) if "file scored" in m["text"]])
    assert told[0].startswith("0 of 1 file scored (activation functions)")


def test_a_digest_is_subscribed_shown_and_ended(live: Running) -> None:
    assert "every day at" in texts(live.ask("digest daily 09:00"))
    assert "Every day at 09:00" in texts(live.ask("digest now"))
    assert "no more digests" in texts(live.ask("digest off"))


def test_stop_in_the_thread_ends_a_request_and_says_what_was_finished(live: Running) -> None:
    ts = live.say("@conjecture propose 60 activation functions")
    until(lambda: any("Working on" in m["text"] for m in live.replies(ts)))
    live.say("stop", thread=ts)
    inquiry = live.finished(ts)
    assert inquiry.state == "stopped"
    assert "Finished:" in texts(live.replies(ts))


def test_the_stop_button_ends_a_request(live: Running) -> None:
    ts = live.say("@conjecture propose 60 activation functions")
    (working,) = until(lambda: [m for m in live.replies(ts) if "Working on" in m["text"]])
    assert live.person.click(working["ts"], "stop_request", channel=live.channel)
    assert live.finished(ts).state == "stopped"


@pytest.mark.long
def test_a_request_in_the_thread_of_another_is_told_and_answered(live: Running) -> None:
    first = live.say("@conjecture propose 2 activation functions")
    until(lambda: any("Working on" in m["text"] for m in live.replies(first)))
    second = live.say("@conjecture propose 2 activation functions", thread=first)
    assert live.finished(second).state == "answered"
    assert live.finished(first).state == "answered"
    told = texts(live.replies(first))
    assert "still working on" in told
    assert told.count("Understood:") == 2


@pytest.mark.long
def test_every_message_of_a_thread_has_text_for_notifications(live: Running) -> None:
    assert all(message["text"].strip() for message in live.ask("propose 1 activation function"))
