"""What people do with ideas: vote, change a plan in words or in a form, approve.

A method is one idempotent step of jobs.py; only the form is opened and looked through while its person waits.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bot.slack import Slack
from bot.views import idea as views
from bot.views.message import Block, Message
from bot.views.plan_form import beside, nothing_to_edit, plan_form
from engine.errors import PlanError
from engine.experiment.plan import Plan
from engine.experiment.rewording import Rewording, read_rewording, reworded
from engine.request import Request, Strategy
from engine.research import Research
from storage.errors import NotRecorded
from storage.ideas import IdeaVote, KeptIdea, SqlIdeas
from storage.inquiries import Inquiry, SqlInquiries, State

REQUEST_PREFIX = "q-"


class Steering:
    def __init__(
        self,
        *,
        ideas: SqlIdeas,
        inquiries: SqlInquiries,
        research: Research,
        slack: Slack,
        costed: Callable[[Plan], Plan],
    ) -> None:
        self._ideas = ideas
        self._inquiries = inquiries
        self._research = research
        self._slack = slack
        self._costed = costed
        self._changing = threading.Lock()  # two changes of one plan are carried out one after the other

    def vote(self, at: str, person: str, channel: str, thread_ts: str | None, idea_id: str, thumbs_up: bool) -> None:
        """at: Slack's time of the click; of two clicks of one person the later counts."""
        try:
            kept = self._ideas.idea(idea_id)
        except NotRecorded:
            self._slack.ephemeral(channel, person, views.idea_lost(idea_id), thread_ts)
            return
        clicked = datetime.fromtimestamp(float(at), UTC)
        if self._ideas.vote(IdeaVote(idea_id=idea_id, person=person, thumbs_up=thumbs_up, at=clicked)):
            told = views.idea_vote_recorded(kept.idea.title, thumbs_up=thumbs_up)
            self._slack.ephemeral(channel, person, told, thread_ts)

    # --- in words

    def meant(self, inquiry: Inquiry, text: str) -> tuple[KeptIdea, Rewording] | Message | None:
        """The idea of the thread that a message is about, or what to answer; None when it is about none."""
        wanted, kept = read_rewording(text), self._of_thread(inquiry)
        if wanted is None or not kept:
            return None
        if wanted.number is None and len(kept) > 1:
            return views.which_idea([one.number for one in kept])
        found = next((one for one in kept if wanted.number in (None, one.number)), None)
        if found is None:
            return views.which_idea([one.number for one in kept])
        if not wanted.told and not wanted.approves:
            return views.what_of_it(found.number)
        return found, wanted

    def change(self, idea_id: str, wanted: Rewording, person: str) -> Message:
        """Plan anew as wished, and show it in the idea's card as well."""
        with self._changing:
            kept = self._ideas.idea(idea_id)
            if kept.approved_by:
                return views.plan_is_fixed(kept.number, kept.approved_by)
            try:
                plan = self._costed(reworded(kept.idea.plan, wanted))
            except PlanError as error:
                return views.plan_unchanged(kept.number, str(error))
            self._ideas.replan(kept.id, plan)
            after = self._ideas.idea(kept.id)
        self._show(after)
        if after.approved_by:
            return views.plan_is_fixed(kept.number, after.approved_by)
        return views.replanned(after, wanted.words, person)

    def _of_thread(self, inquiry: Inquiry) -> Sequence[KeptIdea]:
        if inquiry.thread_ts is None:
            return []
        thread = self._inquiries.in_thread(inquiry.channel, inquiry.thread_ts)
        readings = self._ideas.readings([other.id for other in thread])
        return self._ideas.ideas([one.id for one in readings])

    # --- in a form

    def open_form(self, trigger_id: str, idea_id: str, person: str, channel: str, thread_ts: str | None) -> None:
        try:
            kept = self._ideas.idea(idea_id)
        except NotRecorded:
            self._slack.ephemeral(channel, person, views.idea_lost(idea_id), thread_ts)
            return
        if not self._slack.open(trigger_id, self._fixed(kept) or plan_form(kept)):
            self._slack.ephemeral(channel, person, views.form_not_opened(kept.number), thread_ts)

    def looked_through(self, idea_id: str, told: Mapping[str, Any]) -> tuple[Block | None, dict[str, str]]:
        """Before changes of a form are taken: what is to be shown in its place, if its plan is fixed by now; and what
        is wrong, by the input that it is said beside."""
        kept = self._ideas.idea(idea_id)
        try:
            reworded(kept.idea.plan, Rewording(number=kept.number, told=told))
        except PlanError as error:
            return self._fixed(kept), beside(str(error).splitlines())
        return self._fixed(kept), {}

    def edit(self, idea_id: str, told: Mapping[str, Any], person: str, occasion: str) -> None:
        """Change a plan as a form said, and tell its thread who did."""
        kept = self._ideas.idea(idea_id)
        changed = self.change(idea_id, Rewording(number=kept.number, told=told), person)
        self._say(kept, f"edited/{occasion}", changed)

    def _fixed(self, kept: KeptIdea) -> Block | None:
        return nothing_to_edit(kept, views.plan_is_fixed(kept.number, kept.approved_by)) if kept.approved_by else None

    # --- approving

    def approve(self, idea_id: str, person: str, at: datetime) -> bool:
        """Fix the plan. False when somebody approved it before, which is said."""
        approved = self._ideas.approve(idea_id, person, at)
        kept = self._ideas.idea(idea_id)
        if not approved and (kept.approved_by, kept.approved_at) != (person, at):
            self._say(
                kept, f"approved-before/{at.timestamp()}", views.approved_before(kept.number, kept.approved_by or "")
            )
            return False
        self._show(kept)
        return True

    def as_component(self, idea_id: str) -> str:
        """The request that measures the idea's component in the same thread."""
        kept = self._ideas.idea(idea_id)
        idea, place = kept.idea, self.place(kept)
        assert idea.kind is not None
        request = Request(
            id=REQUEST_PREFIX + hashlib.sha256(kept.id.encode()).hexdigest()[:8],
            text=idea.hypothesis,
            kinds=(idea.kind,),
            count=1,
            counts=(1,),
            strategies=(Strategy.BY_HAND,),
            purpose="",
            asked_by=kept.approved_by or place.person,
            created_at=kept.approved_at or place.received_at,
        )
        self._research.take(request, [(f"{idea.title}.py", idea.code.encode())])
        self._inquiries.receive(
            Inquiry(
                id=kept.id,
                channel=place.channel,
                ts=place.ts,
                thread_ts=place.thread_ts or place.ts,
                person=request.asked_by,
                text=request.text,
                state=State.WORKING,
                request_id=request.id,
                received_at=request.created_at,
            )
        )
        told = views.approved_as_component(idea.title, request.asked_by, request.id)
        self._say(kept, "approved", told)
        return request.id

    def place(self, kept: KeptIdea) -> Inquiry:
        """The message that brought its paper."""
        return self._inquiries.get(self._ideas.reading(kept.reading_id).inquiry_id)

    def _show(self, kept: KeptIdea) -> None:
        self._slack.update(f"{kept.reading_id}/idea/{kept.id}", views.idea_card(kept))

    def _say(self, kept: KeptIdea, key: str, told: Message) -> None:
        place = self.place(kept)
        self._slack.post(f"{kept.id}/{key}", place.channel, place.thread_ts or place.ts, told)
