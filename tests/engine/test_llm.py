"""The openai client against a scripted OpenAI-compatible endpoint on loopback, over real sockets; and without any."""

from __future__ import annotations

import json
import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from engine.errors import GeneratorError
from engine.generate import generate
from engine.llm.catalogue import offline_catalogue
from engine.llm.client import LLM, Message, OpenAIModel
from engine.llm.prompt import ANSWER_SCHEMA, render
from engine.request import Request, Strategy
from sandbox.guest.components.kinds import KINDS

KEY = "sk-secret-7"
ASK = [Message(role="user", content="Say ok.")]
Reply = tuple[int, Any]  # HTTP status, and a body: JSON, a page (str), or bytes that claim to be JSON


def said(text: str, **more: Any) -> Reply:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    body = {"id": "c", "object": "chat.completion", "created": 0, "model": "tiny-1", "choices": [choice]}
    return 200, body | {"usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}} | more


def refused(status: int, message: str = "no", code: str | None = None) -> Reply:
    return status, {"error": {"message": message, "type": "invalid_request_error", "code": code, "param": None}}


@contextmanager
def endpoint(answer: Callable[[Mapping[str, Any]], Reply]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serves `answer(body)`; yields the base URL and the bodies that were received."""
    received: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.append(body)
            self.reply(*answer(body))

        def do_GET(self) -> None:
            self.reply(*answer({"path": self.path}))

        def reply(self, status: int, body: Any) -> None:
            sent = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.send_header("retry-after-ms", "1")
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def model(url: str, **more: Any) -> OpenAIModel:
    return OpenAIModel(**({"model": "tiny-1", "api_key": KEY, "base_url": url} | more))


# --- one contract, two endpoints


@pytest.fixture(params=["catalogue", "loopback"])
def llm(request: pytest.FixtureRequest) -> Iterator[LLM]:
    if request.param == "catalogue":
        yield offline_catalogue()
    else:
        with endpoint(lambda _: said('{"hypotheses": []}')) as (url, _):
            yield model(url)


def test_every_model_answers_the_rendered_prompt_with_json(llm: LLM) -> None:
    prompt = render(kind=KINDS["activation"], strategy=Strategy.NOVEL, request="r", purpose="", count=2)
    completion = llm.complete(prompt.messages, schema=ANSWER_SCHEMA)
    assert "hypotheses" in json.loads(completion.text)
    assert completion.seconds >= 0
    assert completion.model
    assert llm.name
    assert not completion.cut


def test_every_model_can_be_asked_from_several_threads(llm: LLM) -> None:
    prompt = render(kind=KINDS["activation"], strategy=Strategy.NOVEL, request="r", purpose="", count=2)
    answers: list[str] = []
    threads = [threading.Thread(target=lambda: answers.append(llm.complete(prompt.messages).text)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert len(set(answers)) == 1


# --- what is asked and what is read


def test_the_answer_carries_text_model_and_tokens() -> None:
    with endpoint(lambda _: said("ok")) as (url, received):
        completion = model(url).complete(ASK, max_tokens=5, temperature=0.5)
    assert (completion.text, completion.model) == ("ok", "tiny-1")
    assert (completion.prompt_tokens, completion.completion_tokens) == (7, 3)
    assert received[0]["messages"] == [{"role": "user", "content": "Say ok."}]
    assert (received[0]["max_tokens"], received[0]["temperature"]) == (5, 0.5)
    assert "response_format" not in received[0]


def test_tokens_that_were_not_counted_are_absent() -> None:
    with endpoint(lambda _: said("ok", usage=None)) as (url, _):
        completion = model(url).complete(ASK)
    assert completion.prompt_tokens is None
    assert completion.completion_tokens is None


def test_an_answer_that_ended_at_the_limit_says_so() -> None:
    choice = {"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": "o"}}
    with endpoint(lambda _: said("", choices=[choice])) as (url, _):
        assert model(url).complete(ASK).cut


def test_an_answer_without_content_is_empty_text() -> None:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": None}}
    with endpoint(lambda _: said("", choices=[choice])) as (url, _):
        assert model(url).complete(ASK).text == ""


def test_the_schema_is_sent_as_a_strict_json_schema() -> None:
    with endpoint(lambda _: said("{}")) as (url, received):
        model(url).complete(ASK, schema=ANSWER_SCHEMA)
    sent = received[0]["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["schema"] == ANSWER_SCHEMA
    assert sent["json_schema"]["strict"] is True


# --- what compatible servers do not understand


def formats(received: list[dict[str, Any]]) -> list[str]:
    return [body.get("response_format", {"type": "none"})["type"] for body in received]


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_server_without_json_schema_is_asked_for_a_json_object(status: int) -> None:
    def answer(body: Mapping[str, Any]) -> Reply:
        return refused(status) if body["response_format"]["type"] == "json_schema" else said("{}")

    with endpoint(answer) as (url, received):
        tiny = model(url, max_retries=0)
        assert tiny.complete(ASK, schema=ANSWER_SCHEMA).text == "{}"
        assert received[-1]["response_format"]["schema"] == ANSWER_SCHEMA
        tiny.complete(ASK, schema=ANSWER_SCHEMA)
    assert formats(received) == ["json_schema", "json_object", "json_object"]  # remembered


def test_a_server_without_any_structure_is_asked_without() -> None:
    def answer(body: Mapping[str, Any]) -> Reply:
        return refused(400) if "response_format" in body else said("{}")

    with endpoint(answer) as (url, received):
        tiny = model(url)
        tiny.complete(ASK, schema=ANSWER_SCHEMA)
        tiny.complete(ASK, schema=ANSWER_SCHEMA)
    assert formats(received) == ["json_schema", "json_object", "none", "none"]


def test_a_server_that_is_down_does_not_lose_its_structure_for_good() -> None:
    down = True

    def answer(body: Mapping[str, Any]) -> Reply:
        return refused(500) if down else said("{}")

    with endpoint(answer) as (url, received):
        tiny = model(url, max_retries=0)
        with pytest.raises(GeneratorError, match="500"):
            tiny.complete(ASK, schema=ANSWER_SCHEMA)
        down = False
        tiny.complete(ASK, schema=ANSWER_SCHEMA)
    assert formats(received)[-1] == "json_schema"


def test_a_model_with_its_own_name_for_the_limit_and_a_fixed_temperature_is_asked_its_way() -> None:
    def answer(body: Mapping[str, Any]) -> Reply:
        if "max_tokens" in body:
            return refused(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        if "temperature" in body:
            return refused(400, "Unsupported value: 'temperature' does not support 0.5 with this model.")
        return said("{}")

    with endpoint(answer) as (url, received):
        tiny = model(url)
        tiny.complete(ASK, schema=ANSWER_SCHEMA, max_tokens=9, temperature=0.5)
        tiny.complete(ASK, schema=ANSWER_SCHEMA, max_tokens=9)
    assert len(received) == 4
    assert received[-1]["max_completion_tokens"] == 9
    assert formats(received) == ["json_schema"] * 4


def test_a_limit_beyond_the_models_own_is_left_out() -> None:
    def answer(body: Mapping[str, Any]) -> Reply:
        return refused(400, "max_tokens is too large: 9600.") if "max_tokens" in body else said("{}")

    with endpoint(answer) as (url, received):
        model(url).complete(ASK, schema=ANSWER_SCHEMA, max_tokens=9600)
    assert "max_completion_tokens" not in received[-1]
    assert formats(received) == ["json_schema"] * 2


# --- faults


@pytest.mark.parametrize(
    ("reply", "advice"),
    [
        (refused(401, f"Incorrect API key provided: {KEY}"), "OPENAI_API_KEY"),
        (refused(403, f"key {KEY} may not"), "OPENAI_API_KEY"),
        (refused(404, "The model `tiny-1` does not exist", "model_not_found"), "name"),
        (refused(429, f"slow down, {KEY}"), "Wait"),
        (refused(429, "pay", "insufficient_quota"), "quota"),
        (refused(500, f"boom {KEY}"), "Try again"),
        (refused(400, f"context length exceeded by {KEY}"), "context length"),
        ((200, "<html>Log in</html>"), "/v1"),
        ((200, {"object": "chat.completion", "choices": []}), "/v1"),
        ((200, {}), "/v1"),
    ],
)
def test_a_fault_names_model_and_address_and_what_to_do_but_never_the_key(reply: Reply, advice: str) -> None:
    with endpoint(lambda _: reply) as (url, _), pytest.raises(GeneratorError) as raised:
        model(url, max_retries=1).complete(ASK)
    message = str(raised.value)
    assert url in message
    assert advice in message
    assert KEY not in message
    assert KEY not in "".join(traceback.format_exception(raised.value))


def test_an_endpoint_that_is_not_there_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
    with pytest.raises(GeneratorError, match="cannot be reached"):
        model(url, max_retries=0).complete(ASK)


def test_an_endpoint_that_does_not_answer_in_time_is_named() -> None:
    release = threading.Event()

    def answer(body: Mapping[str, Any]) -> Reply:
        release.wait(20)
        return said("late")

    with endpoint(answer) as (url, _):
        try:
            with pytest.raises(GeneratorError, match="in time"):
                model(url, max_retries=0, timeout_seconds=0.2).complete(ASK)
        finally:
            release.set()


@pytest.mark.parametrize("body", [b"{", b"", b"null", b"[1]", b'{"choices": null}'])
def test_a_body_that_is_no_completion_is_a_fault(body: bytes) -> None:
    with endpoint(lambda _: (200, body)) as (url, _), pytest.raises(GeneratorError, match="OPENAI_BASE_URL"):
        model(url, max_retries=0).complete(ASK)


def test_a_choice_without_a_message_is_an_empty_answer() -> None:
    with endpoint(lambda _: (200, b'{"choices": [{}]}')) as (url, _):
        assert model(url, max_retries=0).complete(ASK).text == ""


def test_a_password_in_the_address_is_not_shown() -> None:
    with endpoint(lambda _: refused(401)) as (url, _), pytest.raises(GeneratorError) as raised:
        model(url.replace("http://", "http://me:hunter2@"), max_retries=0).complete(ASK)
    assert "hunter2" not in str(raised.value)


def test_only_the_client_retries_and_as_often_as_told() -> None:
    with endpoint(lambda _: refused(429)) as (url, received), pytest.raises(GeneratorError):
        model(url, max_retries=2).complete(ASK, schema=ANSWER_SCHEMA)
    assert len(received) == 3


def test_the_models_of_an_endpoint_are_listed() -> None:
    listed = {"object": "list", "data": [{"id": "tiny-1", "object": "model", "created": 0, "owned_by": "x"}]}
    with endpoint(lambda _: (200, listed)) as (url, _):
        assert model(url).models() == ("tiny-1",)


def test_an_endpoint_that_refuses_to_list_is_a_fault() -> None:
    with endpoint(lambda _: refused(401)) as (url, _), pytest.raises(GeneratorError, match="OPENAI_API_KEY"):
        model(url).models()


# --- the whole way


def test_hypotheses_come_over_a_socket() -> None:
    item = {"title": "Soft step", "claim": "c", "rationale": "r", "inspiration": "i", "code": "def build(): ..."}
    asked = Request(
        id="q-1",
        text="propose 1 activation",
        kinds=("activation",),
        count=1,
        counts=(1,),
        strategies=(Strategy.NOVEL,),
        purpose="",
        asked_by="U1",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    with endpoint(lambda _: said("Sure!\n```json\n" + json.dumps({"hypotheses": [item]}) + "\n```")) as (url, received):
        made = generate(asked, "activation", Strategy.NOVEL, 1, model(url), [])
    (hypothesis,) = made.hypotheses
    assert (hypothesis.title, hypothesis.generator) == ("Soft step", "tiny-1")
    assert (made.prompt_tokens, made.completion_tokens, made.faults) == (7, 3, ())
    assert len(received) == 1
