"""A hub on loopback that speaks the Hugging Face hub's interface, as far as searching and fetching need it."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".onnx", ".parquet", ".bin")  # kept with a sha256 of their own
NOBODY = "http://127.0.0.1:9"  # an address at which nothing listens


@dataclass
class Repository:
    kind: str  # "models" or "datasets"
    name: str
    files: dict[str, bytes]
    licence: str = "mit"
    sizes: Mapping[str, int | None] = field(default_factory=dict)  # where another than the true one is told

    @property
    def commit(self) -> str:
        """Of what it holds now."""
        return hashlib.sha1(repr(sorted(self.files.items())).encode()).hexdigest()

    def described(self) -> dict[str, object]:
        siblings = []
        for path, content in self.files.items():
            size = self.sizes.get(path, len(content))
            one: dict[str, object] = {"rfilename": path, "size": size, "blobId": _git(content)}
            if path.endswith(LARGE):
                one["lfs"] = {"size": size, "sha256": hashlib.sha256(content).hexdigest(), "pointerSize": 134}
            siblings.append(one)
        told = {"_id": "1", "id": self.name, "sha": self.commit, "tags": [f"license:{self.licence}"]}
        return told | {"modelId": self.name, "siblings": siblings, "private": False, "gated": False}


@dataclass
class WireHub:
    """`downloads`: the path of every file that was sent. url: what its client's endpoint would be."""

    repositories: list[Repository] = field(default_factory=list)
    downloads: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    url: str = ""

    def add(self, kind: str, name: str, **files: bytes) -> Repository:
        """Files by their path, in which `__` stands for a dot and `___` for a slash."""
        paths = {path.replace("___", "/").replace("__", "."): content for path, content in files.items()}
        self.repositories.append(Repository(kind, name, paths))
        return self.repositories[-1]

    def find(self, kind: str, name: str) -> Repository | None:
        return next((one for one in self.repositories if (one.kind, one.name) == (kind, name)), None)

    def described(self, path: str) -> object | None:
        if path in ("/api/models", "/api/datasets"):
            return [one.described() for one in self.repositories if path.endswith(one.kind)]
        found = re.fullmatch(r"/api/(models|datasets)/(.+?)(?:/revision/(.+))?", path)
        repository = self.find(found[1], found[2]) if found else None
        known = (None, "main", repository.commit) if repository else ()
        return repository.described() if repository and found and found[3] in known else None

    def file(self, path: str) -> tuple[Repository, str] | None:
        found = re.fullmatch(r"/(datasets/)?(.+?)/resolve/([^/]+)/(.+)", path)
        repository = self.find("datasets" if found[1] else "models", found[2]) if found else None
        if repository is None or found is None or found[4] not in repository.files:
            return None
        return (repository, found[4]) if found[3] in ("main", repository.commit) else None


def _git(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Handler(BaseHTTPRequestHandler):
    hub: WireHub

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(path)
        self.hub.tokens += [self.headers["authorization"]] if "authorization" in self.headers else []
        if path == "/":
            self._send(b"", {}, body=body)
        elif (told := self.hub.described(path)) is not None:
            self._send(json.dumps(told).encode(), {"Content-Type": "application/json"}, body=body)
        elif (found := self.hub.file(path)) is not None:
            repository, name = found
            content = repository.files[name]
            self.hub.downloads += [name] if body else []
            etag = hashlib.sha256(content).hexdigest() if name.endswith(LARGE) else _git(content)
            self._send(content, {"X-Repo-Commit": repository.commit, "ETag": f'"{etag}"'}, body=body)
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _send(self, content: bytes, headers: Mapping[str, str], *, body: bool) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None: ...


@contextmanager
def wire_hub() -> Iterator[WireHub]:
    """Serves until the block ends."""
    hub = WireHub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
