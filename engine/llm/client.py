"""Asking a model: one small protocol, and the openai client for every endpoint, the offline catalogue included."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from json import JSONDecodeError
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit, urlunsplit

import httpx
import openai
from openai.types.chat import ChatCompletion

from engine.errors import GeneratorError
from engine.llm.calling import Call, Tool, call_schema, messages_sent, tools_sent

OPENAI_URL = "https://api.openai.com/v1"
CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    role: Literal["system", "user", "assistant", "tool"]
    content: str
    call: Call | None = None  # of an assistant: what it asked for; of a tool: what this answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    text: str
    model: str  # the name that the endpoint answered with
    prompt_tokens: int | None  # None: the endpoint did not count
    completion_tokens: int | None
    seconds: float  # wall time, the client's retries included
    cut: bool = False  # the answer ended at the length limit
    calls: tuple[Call, ...] = ()  # of the tools it was offered; not those that it wrote into the text


class LLM(Protocol):
    """A model that answers one conversation at a time. Safe to call from several threads."""

    @property
    def name(self) -> str:
        """Shown to people and recorded with every hypothesis."""
        ...

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[Tool] = (),
        max_tokens: int = 4096,
        temperature: float = 1.0,
    ) -> Completion:
        """Ask. `schema` is a JSON schema for the answer; an endpoint that cannot enforce it is asked without.

        An endpoint that knows no tools is asked for a call as JSON in the text instead: see `calling.read_call`.

        Raises GeneratorError, which names the model and the address and says what to do.
        """
        ...


@dataclass(frozen=True, slots=True)
class _Dialect:
    """What an endpoint understands. Servers that call themselves compatible differ in exactly these places."""

    structure: Literal["json_schema", "json_object", "none"] = "json_schema"
    limit: Literal["max_tokens", "max_completion_tokens", "none"] = "max_tokens"
    temperature: bool = True
    tools: bool = True

    def simpler(self, error: openai.APIStatusError, structured: bool, offered: bool) -> _Dialect | None:
        """What to try after a refusal; None when nothing that was asked for could be its cause."""
        said = str(error.message).lower()
        about_tools = offered and any(word in said for word in ("tool", "function", "template", "jinja"))
        if about_tools and error.status_code in (404, 500, 501):
            return replace(self, tools=False)
        if error.status_code not in (400, 415, 422) and not (structured and error.status_code in (500, 501)):
            return None
        if self.limit == "max_tokens" and "max_completion_tokens" in said:
            return replace(self, limit="max_completion_tokens")
        if self.limit != "none" and ("max_tokens" in said or "max_completion_tokens" in said):
            return replace(self, limit="none")  # more than the model can write: it may write what it can
        if self.temperature and "temperature" in said:
            return replace(self, temperature=False)
        if structured and self.structure != "none":
            # llama-cpp answers 500 to json_schema and takes a bare `schema` beside json_object instead.
            return replace(self, structure="json_object" if self.structure == "json_schema" else "none")
        return replace(self, tools=False) if offered else None


class OpenAIModel:
    """A model behind an OpenAI-compatible endpoint.

    Retries are the openai client's own (connection faults, 408, 409, 429, 5xx) and nobody else's. What an endpoint
    refused and then accepted in a simpler form is remembered, so that it is refused once only.
    """

    def __init__(
        self,
        *,
        model: str,
        api_key: str,
        base_url: str = OPENAI_URL,
        name: str | None = None,
        transport: httpx.BaseTransport | None = None,
        timeout_seconds: float = 180.0,
        max_retries: int = 2,
    ) -> None:
        self.model = model
        self.name = name or model
        self.address = _without_credentials(base_url)
        self._secrets = tuple(s for s in (api_key, urlsplit(base_url).password) if s)
        # A proxy or .netrc of the environment must not come between the client and a transport that was handed in.
        # (openai 3 takes clients of httpx beside those of its own httpx2, which alone its annotation names.)
        handed: Any = httpx.Client(transport=transport, trust_env=False) if transport is not None else None
        self._client = openai.OpenAI(
            api_key=api_key,
            base_url=base_url,
            timeout=openai.Timeout(timeout_seconds, connect=CONNECT_SECONDS),
            max_retries=max_retries,
            http_client=handed,
        )
        self._dialect = _Dialect()

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: Mapping[str, Any] | None = None,
        tools: Sequence[Tool] = (),
        max_tokens: int = 4096,
        temperature: float = 1.0,
    ) -> Completion:
        started = time.monotonic()
        dialect, first = self._dialect, None
        while True:
            asked = _parameters(dialect, schema, tools, max_tokens, temperature)
            sent = messages_sent(((m.role, m.content, m.call) for m in messages), tools, native=dialect.tools)
            try:
                answer = self._client.chat.completions.create(
                    model=self.model,
                    messages=sent,  # type: ignore[arg-type]
                    **asked,
                )
                break
            except openai.APIStatusError as error:
                first = first or error
                simpler = dialect.simpler(error, "response_format" in asked, offered="tools" in asked)
                if simpler is None:
                    raise GeneratorError(self._explain(first)) from None
                dialect = simpler
            except (openai.OpenAIError, JSONDecodeError) as error:
                raise GeneratorError(self._explain(error)) from None
        self._dialect = dialect
        return self._completion(answer, time.monotonic() - started)

    def models(self) -> tuple[str, ...]:
        """The names that the endpoint offers. Raises GeneratorError."""
        try:
            return tuple(model.id for model in self._client.models.list())
        except (openai.OpenAIError, JSONDecodeError, AttributeError) as error:
            raise GeneratorError(self._explain(error)) from None

    def _completion(self, answer: object, seconds: float) -> Completion:
        # Without a JSON content type the openai client hands on the body as a string, e.g. a proxy's login page.
        if not isinstance(answer, ChatCompletion) or not answer.choices:
            raise GeneratorError(
                f"{self.address} did not answer like a chat-completions endpoint. "
                "Check OPENAI_BASE_URL: it usually ends in /v1."
            )
        choice, usage = answer.choices[0], answer.usage
        return Completion(
            text=(choice.message.content if choice.message else None) or "",
            model=answer.model or self.model,
            prompt_tokens=usage.prompt_tokens if usage else None,
            completion_tokens=usage.completion_tokens if usage else None,
            seconds=seconds,
            cut=choice.finish_reason == "length",
            calls=_calls(choice.message),
        )

    def _explain(self, error: Exception) -> str:
        """One sentence on what is wrong and one on what to do. Never the key: servers echo it in their messages."""
        where = f"{self.model} at {self.address}"
        match error:
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return f"{where} refused the key (HTTP {error.status_code}). Check OPENAI_API_KEY and its permissions."
            case openai.NotFoundError():
                return (
                    f"{self.address} does not know the model {self.model} (HTTP 404). "
                    "Check the model's name, and that OPENAI_BASE_URL ends as the server expects (usually /v1)."
                )
            case openai.RateLimitError() if error.code == "insufficient_quota":
                return f"{where}: the account's quota is used up. Add credit, or configure another model."
            case openai.RateLimitError():
                return f"{where} answers too many requests (HTTP 429). Wait a minute, or ask for fewer at a time."
            case openai.APITimeoutError():
                return f"{where} did not answer in time. Try again, or configure a faster model."
            case openai.APIConnectionError():
                return f"{where} cannot be reached. Check OPENAI_BASE_URL, the network, and that the server runs."
            case openai.APIStatusError() if error.status_code >= 500:
                return f"{where} failed (HTTP {error.status_code}: {self._said(error)}). Try again later."
            case openai.APIStatusError():
                return f"{where} refused the request (HTTP {error.status_code}: {self._said(error)})."
            case _:
                return f"{where} answered what is not valid JSON. Check that OPENAI_BASE_URL is a model endpoint."

    def _said(self, error: openai.APIStatusError) -> str:
        text = " ".join(str(error.message).split())
        for secret in self._secrets:
            text = text.replace(secret, "[key]")
        return text if len(text) <= 200 else text[:199] + "…"


def _calls(message: Any) -> tuple[Call, ...]:
    found = []
    for number, call in enumerate((message.tool_calls if message else None) or ()):
        function = getattr(call, "function", None)
        if function is not None and isinstance(function.name, str):
            found.append(Call(tool=function.name, arguments=function.arguments or "{}", id=call.id or f"call-{number}"))
    return tuple(found)


def _parameters(
    dialect: _Dialect,
    schema: Mapping[str, Any] | None,
    tools: Sequence[Tool],
    max_tokens: int,
    temperature: float,
) -> dict[str, Any]:
    asked: dict[str, Any] = {} if dialect.limit == "none" else {dialect.limit: max_tokens}
    if dialect.temperature:
        asked["temperature"] = temperature
    if tools and dialect.tools:
        asked["tools"] = tools_sent(tools)
    elif tools:
        schema = call_schema(tools)
    if schema is not None and dialect.structure == "json_schema":
        described = {"name": "answer", "strict": not tools, "schema": dict(schema)}
        asked["response_format"] = {"type": "json_schema", "json_schema": described}
    elif schema is not None and dialect.structure == "json_object":
        asked["response_format"] = {"type": "json_object", "schema": dict(schema)}
    return asked


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
