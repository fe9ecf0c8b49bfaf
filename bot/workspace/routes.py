"""Every route of the workspace, and who may use it from where."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from bot.workspace import local_api
from bot.workspace.refusal import Refusal
from bot.workspace.team import Team
from bot.workspace.web_api.chat import bot_message, content
from bot.workspace.web_api.dispatch import call

PAGE = Path(__file__).parent / "page"
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
# Nothing is loaded from anywhere else, and nothing typed by a guest can become a script.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-cache",
}


class Guard:
    """Keeps other web sites out: their pages run in the same browser and can reach a server on this machine.

    A request must name this machine as its host (unless the server listens for others on purpose), and one that comes
    from a web page must come from the workspace's own.
    """

    def __init__(self, app: ASGIApp, local_only: bool) -> None:
        self.app = app
        self.local_only = local_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        host, origin = connection.headers.get("host", ""), connection.headers.get("origin")
        foreign = self.local_only and urlsplit(f"//{host}").hostname not in LOOPBACK
        if foreign or (origin is not None and urlsplit(origin).netloc != host):
            if scope["type"] == "http":
                await PlainTextResponse("This workspace answers its own page only.", 403)(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name for name, _ in message["headers"]}
                extra = [(name, value) for name, value in HEADERS.items() if name not in known]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        await self.app(scope, receive, send_with_headers)


async def api(request: Request) -> Response:
    return await call(request.app.state.team, request)


async def link(socket: WebSocket) -> None:
    await socket.app.state.team.delivery.attend(socket)


async def receive_upload(request: Request) -> Response:
    """The second step of an upload: the raw bytes."""
    team: Team = request.app.state.team
    file = team.store.raw_file(request.path_params["file_id"])
    if file is None or team.store.file_state(file["id"]) != "expected":
        return PlainTextResponse("no such upload", 404)
    body = await request.body()
    team.store.content(file["id"]).write_bytes(body)
    team.store.set_file(file, "received", None)
    return PlainTextResponse(f"OK - {len(body)}")


async def private_file(request: Request) -> Response:
    """A file's `url_private`. Without the token Slack answers 200 with its sign-in page, and so does this."""
    team: Team = request.app.state.team
    if request.headers.get("authorization") != f"Bearer {team.bot_token}":
        return HTMLResponse("<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in</body></html>")
    file = team.store.file(request.path_params["file_id"])
    if file is None:
        return PlainTextResponse("no such file", 404)
    return local_api.file_response(team, file)


async def hook(request: Request) -> Response:
    """A response_url: answers an interaction, five times within half an hour."""
    team: Team = request.app.state.team
    token = request.path_params["token"]
    row = team.store.one("SELECT * FROM hooks WHERE token = ?", token)
    if row is None or row["expires"] < time.time():
        return PlainTextResponse("expired_url", 404)
    if row["uses"] == 0:
        return PlainTextResponse("used_url", 404)
    team.store.run("UPDATE hooks SET uses = uses - 1 WHERE token = ?", token)
    try:
        args = json.loads(await request.body())
        channel = team.channel(row["channel"])
        original = team.store.message_row(row["channel"], row["ts"])
        if args.get("delete_original"):
            if original is not None:
                team.remove(channel, row["ts"])
            return PlainTextResponse("ok")
        said = content(team, args)
        if args.get("replace_original") and original is not None:
            team.change(channel, row["ts"], said)
            return PlainTextResponse("ok")
        if not said.get("text") and not said.get("blocks"):
            raise Refusal("no_text")
        message = bot_message(team, channel, said, args.get("thread_ts"))
        everybody = args.get("response_type") == "in_channel"
        team.post(channel, message, ephemeral_to=None if everybody else row["user"])
    except (Refusal, ValueError) as error:
        return PlainTextResponse(error.code if isinstance(error, Refusal) else "invalid_payload", 400)
    return PlainTextResponse("ok")


async def page(request: Request) -> Response:
    return FileResponse(PAGE / "index.html")


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    app.state.loop = asyncio.get_running_loop()
    sending = asyncio.create_task(app.state.team.delivery.run())
    yield
    sending.cancel()


def application(team: Team, *, local_only: bool) -> Starlette:
    """The workspace as an ASGI application."""
    guard: Callable[..., ASGIApp] = Guard
    app = Starlette(
        routes=[
            Route("/", page),
            Route("/archives/{rest:path}", page),
            Route("/api/{method}", api, methods=["GET", "POST"]),
            WebSocketRoute("/link/", link),
            Route("/upload/v1/{file_id}", receive_upload, methods=["POST"]),
            Route("/files/{file_id}/{name}", private_file),
            Route("/hooks/{token}", hook, methods=["POST"]),
            *local_api.ROUTES,
            Mount("/page", StaticFiles(directory=PAGE)),
        ],
        middleware=[Middleware(guard, local_only=local_only)],
        lifespan=lifespan,
    )
    app.state.team = team
    return app
