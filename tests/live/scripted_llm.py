"""An OpenAI-compatible endpoint on loopback that plays a script: what a model would answer, the awkward included."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

MODEL = "scripted-1"
Body = Mapping[str, Any]


@dataclass(frozen=True)
class Line:
    """One answer: calls of tools, or words, or a refusal."""

    text: str = ""
    calls: tuple[tuple[str, str], ...] = ()  # tool and arguments, as they stand on the wire
    status: int = 200
    tokens: tuple[int, int] | None = (700, 90)  # of prompt and completion; None: not counted
    before: Callable[[Body], None] = lambda body: None  # called when it is asked for


def call(tool: str, **arguments: Any) -> Line:
    return Line(calls=((tool, json.dumps(arguments)),))


def says(text: str) -> Line:
    return Line(text=text)


Player = Callable[[Body], Line]
THE_END = call("ask_person", question="The script is over.")


def in_order(lines: Sequence[Line]) -> Player:
    """One line after the other, whatever is asked."""
    left = list(lines)
    return lambda body: left.pop(0) if left else THE_END


@dataclass
class Endpoint:
    """`received`: the bodies of what was asked, without what was refused. tools: whether it knows them."""

    play: Player
    tools: bool = True
    url: str = ""
    received: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0

    def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "tools" in body and not self.tools:
            self.refused += 1
            return 400, {"error": {"message": "tools are not supported by this model", "type": "invalid_request_error"}}
        self.received.append(body)
        line = self.play(body)
        line.before(body)
        if line.status != 200:
            return line.status, {"error": {"message": line.text or "no", "type": "server_error"}}
        return 200, completion(line, len(self.received), native=self.tools)

    def conversation(self, number: int = -1) -> str:
        """All that was sent with one request, as text."""
        return json.dumps(self.received[number]["messages"], ensure_ascii=False)


def completion(line: Line, number: int, native: bool) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": line.text or None}
    if line.calls and native:
        message["tool_calls"] = [
            {"id": f"wire-{number}-{i}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for i, (name, arguments) in enumerate(line.calls)
        ]
    elif line.calls:
        name, arguments = line.calls[0]
        message["content"] = f'{line.text}\n```json\n{{"tool": "{name}", "arguments": {arguments}}}\n```'
    choice = {"index": 0, "finish_reason": "tool_calls" if line.calls and native else "stop", "message": message}
    body = {"id": f"c-{number}", "object": "chat.completion", "created": 0, "model": MODEL, "choices": [choice]}
    if line.tokens is None:
        return body
    prompt, written = line.tokens
    usage = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
    return body | {"usage": usage}


@contextmanager
def endpoint(play: Player | Sequence[Line], *, tools: bool = True) -> Iterator[Endpoint]:
    """Serves until the block ends; `url` is what OPENAI_BASE_URL would be."""
    playing = Endpoint(play if callable(play) else in_order(play), tools=tools)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, answered = playing.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            sent = json.dumps(answered).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(sent)))
            self.send_header("retry-after-ms", "1")
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    playing.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield playing
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
