"""The form in which a plan is edited: opened at once, since Slack's trigger lives for three seconds, and looked through
before it closes, so that what is wrong is said beside the input. What is right becomes a job."""

from __future__ import annotations

from slack_bolt import Ack, App

from bot.jobs import Jobs
from bot.listeners.buttons import Action, Body, place
from bot.steering import Steering
from bot.views.idea import EDIT_PLAN
from bot.views.plan_form import PLAN_FORM, changes, idea_of


def register(app: App, *, jobs: Jobs, steering: Steering) -> None:
    def edit(ack: Ack, body: Body, action: Action) -> None:
        channel, _, thread_ts = place(body)
        steering.open_form(body["trigger_id"], action["value"], body["user"]["id"], channel, thread_ts)
        ack()

    def submit(ack: Ack, body: Body) -> None:
        view = body["view"]
        told = changes(view)
        instead, faults = steering.looked_through(idea_of(view), told)
        if instead is not None:
            ack(response_action="update", view=instead)
            return
        if faults:
            ack(response_action="errors", errors=faults)
            return
        if told:
            jobs.receive_plan_edit(view["id"], idea_of(view), told, body["user"]["id"])
        ack()

    app.action(EDIT_PLAN)(edit)
    app.view(PLAN_FORM)(submit)
