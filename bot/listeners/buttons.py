"""Clicks become jobs. A click's key is its time and person: a repeated delivery changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from slack_bolt import Ack, App

from bot.jobs import Jobs
from bot.views.digest import DIGEST_OFF
from bot.views.experiment import TAKE_OVER
from bot.views.failed import RETRY
from bot.views.finding import EVALUATE_IN_FULL, EXPORT_FINDING
from bot.views.hypothesis_card import VOTE, read_vote
from bot.views.idea import APPROVE_COMPONENT, APPROVE_PLAN, VOTE_IDEA, read_idea_vote
from bot.views.own_model import APPROVE, NOT_NOW, read_value
from bot.views.progress import STOP
from bot.views.ranking import MEASURE_REST, read_measure_rest
from bot.views.which_kind import TRY_AS, read_try_as

Body = Mapping[str, Any]
Action = Mapping[str, Any]


def register(app: App, *, jobs: Jobs) -> None:
    def vote(ack: Ack, body: Body, action: Action) -> None:
        hypothesis_id, thumbs_up = read_vote(action["value"])
        channel, ts, thread_ts = place(body)
        jobs.receive_vote(action["action_ts"], body["user"]["id"], channel, ts, thread_ts, hypothesis_id, thumbs_up)
        ack()

    def measure_rest(ack: Ack, body: Body, action: Action) -> None:
        request_id, kind = read_measure_rest(action["value"])
        jobs.receive_rest(request_id, [kind])
        ack()

    def stop(ack: Ack, body: Body, action: Action) -> None:
        jobs.receive_stop(action["action_ts"], action["value"], body["user"]["id"])
        ack()

    def retry(ack: Ack, body: Body, action: Action) -> None:
        jobs.receive_retry(action["action_ts"], action["value"])
        ack()

    def try_as(ack: Ack, body: Body, action: Action) -> None:
        jobs.receive_try_as(*read_try_as(action["value"]))
        ack()

    def approve(ack: Ack, body: Body, action: Action) -> None:
        jobs.receive_approval(action["action_ts"], *read_value(action["value"]), body["user"]["id"])
        ack()

    def not_now(ack: Ack, body: Body, action: Action) -> None:
        jobs.receive_not_now(action["action_ts"], *read_value(action["value"]), body["user"]["id"])
        ack()

    def digest_off(ack: Ack, body: Body, action: Action) -> None:
        jobs.receive_digest_off(action["action_ts"], action["value"])
        ack()

    app.action(VOTE)(vote)
    app.action(MEASURE_REST)(measure_rest)
    app.action(STOP)(stop)
    app.action(RETRY)(retry)
    app.action(TRY_AS)(try_as)
    app.action(DIGEST_OFF)(digest_off)
    app.action(APPROVE)(approve)
    app.action(NOT_NOW)(not_now)
    _register_findings(app, jobs)
    _register_ideas(app, jobs)


def _register_findings(app: App, jobs: Jobs) -> None:
    def evaluate(ack: Ack, body: Body, action: Action) -> None:
        jobs.receive_evaluate(action["action_ts"], action["value"], body["user"]["id"])
        ack()

    def export(ack: Ack, body: Body, action: Action) -> None:
        jobs.receive_export(action["action_ts"], action["value"])
        ack()

    app.action(EVALUATE_IN_FULL)(evaluate)
    app.action(EXPORT_FINDING)(export)


def _register_ideas(app: App, jobs: Jobs) -> None:
    def vote(ack: Ack, body: Body, action: Action) -> None:
        idea_id, thumbs_up = read_idea_vote(action["value"])
        channel, _, thread_ts = place(body)
        jobs.receive_idea_vote(action["action_ts"], body["user"]["id"], channel, thread_ts, idea_id, thumbs_up)
        ack()

    def approve_component(ack: Ack, body: Body, action: Action) -> None:
        jobs.receive_idea_approval(action["action_ts"], action["value"], body["user"]["id"], as_component=True)
        ack()

    def approve_plan(ack: Ack, body: Body, action: Action) -> None:
        jobs.receive_idea_approval(action["action_ts"], action["value"], body["user"]["id"], as_component=False)
        ack()

    def take_over(ack: Ack, body: Body, action: Action) -> None:
        jobs.receive_take_over(action["action_ts"], action["value"])
        ack()

    app.action(VOTE_IDEA)(vote)
    app.action(APPROVE_COMPONENT)(approve_component)
    app.action(APPROVE_PLAN)(approve_plan)
    app.action(TAKE_OVER)(take_over)


def place(body: Body) -> tuple[str, str, str | None]:
    """Channel, message and thread of the message that was clicked."""
    message = body.get("message") or {}
    return body["channel"]["id"], message.get("ts", ""), message.get("thread_ts")
