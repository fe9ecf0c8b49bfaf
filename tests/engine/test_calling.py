"""Calls of tools on the wire, native and as JSON in the text."""

from __future__ import annotations

import json

import pytest
from scripted_llm import Line, endpoint

from engine.errors import GeneratorError
from engine.experiment.tools import offered
from engine.llm.calling import Call, Tool, messages_sent, read_call
from engine.llm.client import Message, OpenAIModel

RUN = Call(tool="run", arguments='{"seed": 1}', id="call_0")
TOOLS = (Tool(name="run", description="Run it.", parameters={"type": "object", "properties": {"seed": {}}}),)
HISTORY = [("system", "S", None), ("user", "U", None), ("assistant", "Now.", RUN), ("tool", "done", RUN)]
ASK = [Message(role="user", content="Go.")]


@pytest.mark.parametrize(
    "text",
    [
        '{"tool": "run", "arguments": {"seed": 1}}',
        'I will run it.\n```json\n{"tool": "run", "arguments": {"seed": 1}}\n```\nThat is all.',
        "{'tool': 'run', 'arguments': {'seed': 1,}}",
        '{"name": "run", "arguments": "{\\"seed\\": 1}"}',
        '<think>{"tool": "no", "arguments": {}}</think>{"tool": "run", "arguments": {"seed": 1}}',
        '<tool_call>\n{"name": "run", "arguments": {"seed": 1}}\n</tool_call>',
    ],
)
def test_a_call_is_read_from_a_text_whatever_is_around_it(text: str) -> None:
    found = read_call(text)
    assert found is not None
    assert (found.tool, json.loads(found.arguments)) == ("run", {"seed": 1})


@pytest.mark.parametrize("text", ["", "run", "{}", '{"seed": 1}', '{"tool": 3, "arguments": {}}', '{"tool": "run", "'])
def test_what_is_no_complete_call_is_none(text: str) -> None:
    assert read_call(text) is None


def test_a_call_in_words_is_read_back() -> None:
    found = read_call(RUN.in_words)
    assert found is not None
    assert (found.tool, json.loads(found.arguments)) == ("run", {"seed": 1})


def test_natively_a_tool_answers_the_call_by_its_id() -> None:
    *_, asked, answered = messages_sent(HISTORY, TOOLS, native=True)
    assert asked["tool_calls"][0]["id"] == answered["tool_call_id"] == "call_0"
    assert asked["tool_calls"][0]["function"] == {"name": "run", "arguments": '{"seed": 1}'}


def test_without_tools_users_and_assistants_take_turns_and_the_tools_are_told() -> None:
    sent = messages_sent([*HISTORY, ("user", "More.", None)], TOOLS, native=False)
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "user"]
    assert sent[-1]["content"] == "done\n\nMore."
    assert "- run: Run it." in sent[0]["content"]
    assert all(message.keys() == {"role", "content"} for message in sent)


def test_calls_come_back_with_what_was_said_beside_them() -> None:
    with endpoint([Line(text="Well.", calls=(("run", "{oops"), ("run", "{}")))]) as served:
        found = OpenAIModel(model="m", api_key="k", base_url=served.url).complete(ASK, tools=TOOLS)
    assert found.text == "Well."
    assert [(call.tool, call.arguments) for call in found.calls] == [("run", "{oops"), ("run", "{}")]
    assert served.received[0]["tools"][0]["function"]["name"] == "run"


@pytest.mark.parametrize("status", [400, 404, 500])
def test_an_endpoint_that_knows_no_tools_is_asked_without_and_that_is_remembered(status: int) -> None:
    def play(body: object) -> Line:
        assert isinstance(body, dict)
        if "tools" in body:
            return Line(status=status, text="no endpoint supports tool use")
        return Line(text=RUN.in_words)

    with endpoint(play) as served:
        model = OpenAIModel(model="m", api_key="k", base_url=served.url, max_retries=0)
        found = [model.complete(ASK, tools=TOOLS) for _ in range(2)]
    assert [read_call(one.text) for one in found] == [Call(tool="run", arguments='{"seed": 1}')] * 2
    assert ["tools" in body for body in served.received] == [True, False, False]


def test_a_fault_that_is_not_about_tools_stays_a_fault() -> None:
    with endpoint(lambda body: Line(status=500, text="out of memory")) as served:
        model = OpenAIModel(model="m", api_key="k", base_url=served.url, max_retries=0)
        with pytest.raises(GeneratorError, match="out of memory"):
            model.complete(ASK, tools=TOOLS)
    assert len(served.received) == 1


def test_every_tool_is_described_to_the_model() -> None:
    for tool in offered():
        assert tool.description.endswith(".")
        assert tool.parameters["additionalProperties"] is False
        assert set(tool.parameters["required"]) <= set(tool.parameters["properties"])
