"""What a request on a team's own model needs before it starts: a model that takes its kinds, and an approved cost.

The question ends the workflow; the answer, a click, goes on with the same request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from bot.slack import Slack
from bot.views.message import Message
from bot.views.own_model import approved, cost_to_approve, declined, refused, removed, unknown_suite
from engine.journal import Journal
from engine.own.check import cost
from engine.own.registered import OwnSuites, Registered
from engine.own.suite import VERSION
from engine.request import Request
from engine.understanding import UnknownSuite
from sandbox.guest.components.kind import Kind
from storage.inquiries import Inquiry, SqlInquiries

NOT_TRIED = "this kind came after the model was added; add the file once more"


class OwnModels:
    def __init__(
        self,
        *,
        own: OwnSuites,
        journal: Journal,
        inquiries: SqlInquiries,
        slack: Slack,
        kinds: Mapping[str, Kind],
        parallel: int,
    ) -> None:
        self._own = own
        self._journal = journal
        self._inquiries = inquiries
        self._slack = slack
        self._kinds = kinds
        self._parallel = parallel

    def names(self) -> list[str]:
        return [registered.suite.name for registered in self._own.all()]

    def named(self, name: str) -> Registered | None:
        return self._own.latest(name) if name else None

    def unknown(self, meant: UnknownSuite) -> Message:
        return unknown_suite(meant.word, meant.near, self._own.all())

    def admits(self, request: Request, registered: Registered, note: str) -> bool:
        """Whether the recorded request may start. If not, its thread is told why, or asked."""
        checked = registered.checked
        reasons = {kind: checked.refused.get(kind, NOT_TRIED) for kind in request.kinds if kind not in checked.tried}
        if reasons:
            told = refused(registered.suite, [(self._kinds[kind], reason) for kind, reason in reasons.items()])
            self._say(request.id, "refused", told)
            return False
        if registered.approved_by is None:
            self._ask(request, registered, note, changed=False)
            return False
        return True

    def approve(self, request_id: str, key: str, person: str) -> bool:
        """Whether the request starts: not when the file was changed or removed since the question."""
        asked_about, latest = self._versions(key)
        if latest is None or asked_about is None:
            self._say(request_id, "removed", removed(key.partition(VERSION)[0]))
            return False
        request = self._journal.request(request_id)
        if latest.suite.key != key and latest.approved_by is None:
            request = replace(request, suite=latest.suite.key)
            self._journal.record_request(request)
            self._ask(request, latest, "", changed=True)
            return False
        self._journal.record_request(replace(request, suite=latest.suite.key))
        self._own.approve(latest.suite.name, latest.suite.version, person, datetime.now(UTC))
        self._close(request_id, key, approved(latest.suite, person, request_id))
        return True

    def decline(self, request_id: str, key: str, person: str) -> None:
        asked_about, _ = self._versions(key)
        if asked_about is not None:
            self._close(request_id, key, declined(asked_about.suite, person, request_id))

    def _versions(self, key: str) -> tuple[Registered | None, Registered | None]:
        """The version that was asked about, and the latest."""
        name, _, version = key.partition(VERSION)
        return self._own.version(name, int(version)), self._own.latest(name)

    def _ask(self, request: Request, registered: Registered, note: str, *, changed: bool) -> None:
        wanted = [
            (number, kind, cost(registered.suite, registered.checked, kind, number, self._parallel))
            for number, kind in ((n, self._kinds[k]) for k, n in zip(request.kinds, request.counts, strict=True))
        ]
        told = cost_to_approve(registered, request.id, wanted, note=note, changed=changed)
        self._say(request.id, _question(registered.suite.key), told)

    def _say(self, request_id: str, key: str, message: Message) -> None:
        inquiry = self._inquiries.of_request(request_id)
        self._slack.post(f"{request_id}/{key}", inquiry.channel, thread(inquiry), message)

    def _close(self, request_id: str, key: str, message: Message) -> None:
        """The question becomes its answer, and its buttons go."""
        self._slack.update(f"{request_id}/{_question(key)}", message)


def _question(key: str) -> str:
    return f"cost/{key}"


def thread(inquiry: Inquiry) -> str:
    return inquiry.thread_ts or inquiry.ts
