"""One request of the Web API: who calls, what, how often; then the method, or its refusal in Slack's form."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from bot.workspace.refusal import RateLimited, Refusal
from bot.workspace.seed import Json
from bot.workspace.team import Team
from bot.workspace.web_api import chat, conversations, files, views

Method = Callable[[Team, Json], Json]


def open_connection(team: Team, args: Json) -> Json:
    """apps.connections.open: a ticket for one Socket Mode connection."""
    address = team.base_url.replace("http://", "ws://")
    return {"url": f"{address}/link/?ticket={team.delivery.ticket()}"}


METHODS: Mapping[str, Method] = {
    "apps.connections.open": open_connection,
    **chat.METHODS,
    **conversations.METHODS,
    **files.METHODS,
    **views.METHODS,
}


def arguments(request: Request, body: bytes) -> Json:
    """The arguments of a call, from its query and its body. Raises Refusal."""
    found: Json = dict(request.query_params)
    # slack_sdk says "application/json" with an empty body when a method has no arguments.
    if not body:
        return found
    if not request.headers.get("content-type", "").startswith("application/json"):
        return found | dict(parse_qsl(body.decode(), keep_blank_values=True))
    try:
        value = json.loads(body)
    except ValueError as error:
        raise Refusal("invalid_json") from error
    if not isinstance(value, dict):
        raise Refusal("json_not_object")
    return found | value


def authorize(team: Team, method: str, token: str) -> None:
    """Raises Refusal unless `token` is the right one for `method`."""
    if not token:
        raise Refusal("not_authed")
    of_app, of_bot = (hmac.compare_digest(token, known) for known in (team.app_token, team.bot_token))
    if not of_app and not of_bot:
        raise Refusal("invalid_auth")
    if of_app != (method == "apps.connections.open"):
        raise Refusal("not_allowed_token_type")


async def call(team: Team, request: Request) -> Response:
    """The answer to one call of `/api/{method}`."""
    method = request.path_params["method"]
    try:
        args = arguments(request, await request.body())
        token = request.headers.get("authorization", "").removeprefix("Bearer ") or str(args.pop("token", ""))
        if method not in METHODS:
            raise Refusal("unknown_method")
        authorize(team, method, token)
        if needed := team.grants.missing(method, str(args.get("channel", ""))):
            raise Refusal("missing_scope", needed=needed, provided=",".join(sorted(team.grants.scopes or ())))
        team.limiter.take(method, str(args.get("channel", "")))
        return answer(team, {"ok": True, **METHODS[method](team, args)})
    except Refusal as refusal:
        said: Json = {"ok": False, "error": refusal.code, **refusal.more}
        if refusal.messages:
            said["errors"] = refusal.messages
            said["response_metadata"] = {"messages": [f"[ERROR] {message}" for message in refusal.messages]}
        return answer(team, said)
    except RateLimited as limited:
        headers = {"Retry-After": str(limited.retry_after_seconds)}
        return answer(team, {"ok": False, "error": "ratelimited"}, 429, headers)


def answer(team: Team, value: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(team.render(value), status, headers, "application/json")
