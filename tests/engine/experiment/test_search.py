"""Looking for code, models and data."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from engine.experiment.search import HubSearch, LocalSearch


@pytest.mark.parametrize(
    ("what", "query", "title"),
    [
        ("code", "prototype for sentiment of reviews, logistic regression on TF-IDF", "prototype of sentiment"),
        ("models", "gradient boosting regressor", "GradientBoostingRegressor"),
        ("data", "tweets sentiment intensity", "weets"),
    ],
)
def test_what_lies_here_is_found_by_words(what: str, query: str, title: str) -> None:
    assert any(title in found["title"] for found in LocalSearch().find(what, query))


def test_words_that_nothing_has_find_nothing() -> None:
    assert LocalSearch().find("models", "zebra crossing") == []


@pytest.fixture
def hub() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = b'[{"_id": "1", "id": "someone/tiny-bert", "modelId": "someone/tiny-bert"}]'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(wanted)))
            self.end_headers()
            self.wfile.write(wanted)

        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Nothing:
    def find(self, what: str, query: str) -> list[dict[str, str]]:
        return [{"title": "here"}]


def test_the_hub_is_asked_beside_what_lies_here(hub: str) -> None:
    found = HubSearch(Nothing(), endpoint=hub).find("models", "bert")
    assert [one.get("title") or one["hub"] for one in found] == ["here", "someone/tiny-bert"]


def test_a_hub_that_cannot_be_reached_is_said_and_costs_nothing_else() -> None:
    found = HubSearch(Nothing(), endpoint="http://127.0.0.1:9").find("data", "tweets")
    assert found[0] == {"title": "here"}
    assert "cannot be asked" in found[1]["hub"]
