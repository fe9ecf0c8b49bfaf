"""Ideas that follow from a paper, each with its plan in words and what people can do with it."""

from __future__ import annotations

from collections.abc import Sequence

from bot.views.block_kit import actions, button, context, feedback, header, message, section
from bot.views.figures import count, duration, listed
from bot.views.message import Block, Message, escape
from bot.views.paper import NO_MODEL
from engine.experiment.plan import Plan
from engine.llm.catalogue import NAME as OFFLINE
from engine.papers.ideas import Ideas
from sandbox.guest.components.kinds import KINDS
from storage.ideas import KeptIdea

VOTE_IDEA = "vote_idea"
APPROVE_COMPONENT = "approve_idea_component"  # value: the idea's id
APPROVE_PLAN = "approve_idea_plan"
EDIT_PLAN = "edit_idea_plan"


def ideas_heading(found: Ideas, name: str, number: int) -> Message:
    made = f"{NO_MODEL}: they come from the catalogue" if found.generator == OFFLINE else f"by {found.generator}"
    notes = "".join(f"\nℹ️ {escape(note, 400)}" for note in found.notes)
    told = count(number, "idea") if number else "No idea"
    return message(
        section(
            f"*{told} from {escape(name, 150)}*, best first ({escape(made, 200)}). None was tried here yet.{notes}"
        ),
        context(
            "A plan can be changed until it is approved: with its button, or in words, for example `idea 2: use 5 "
            "seeds`, `idea 2: metric auc`, `idea 2: data credit` or `idea 2: success if mean improvement > 0.01`."
        ),
    )


def idea_card(kept: KeptIdea) -> Message:
    idea = kept.idea
    blocks: list[Block] = [
        header(f"{kept.number}  {idea.title}"),
        section(f"*Hypothesis*: {escape(idea.hypothesis, 900)}\n*New*: {escape(idea.novelty, 700)}"),
    ]
    if idea.quote:
        blocks.append(section(f"*The paper says*: “{escape(idea.quote.text, 400)}” (p. {idea.quote.page})"))
    blocks.append(section(plan_in_words(idea.plan)))
    if kept.approved_by:
        blocks.append(context(f"Approved by <@{escape(kept.approved_by)}>: the plan is fixed · `{escape(kept.id)}`"))
        return message(*blocks, request_id=kept.id)
    blocks.append(context(f"{_what_approval_does(kept)} · `{escape(kept.id)}`"))
    blocks.append(actions(*_approvals(kept), button("Edit the plan", EDIT_PLAN, kept.id)))
    blocks.append(feedback(VOTE_IDEA, f"up {kept.id}", f"down {kept.id}"))
    return message(*blocks, request_id=kept.id)


def _approvals(kept: KeptIdea) -> list[Block]:
    if not kept.idea.kind:
        return [button("Approve", APPROVE_PLAN, kept.id, "primary")]
    return [
        button("Approve: measure the component", APPROVE_COMPONENT, kept.id, "primary"),
        button("Approve: run this plan", APPROVE_PLAN, kept.id),
    ]


def _what_approval_does(kept: KeptIdea) -> str:
    kind = KINDS.get(kept.idea.kind or "")
    if kind is None:
        return "Approving fixes the plan and runs it"
    return (
        f"A ready component ({escape(kind.title)}): it can be measured at once against "
        f"{count(len(kind.baselines), 'published baseline')} (win rates), or put into the plan's prototype"
    )


def plan_in_words(plan: Plan) -> str:
    """The plan as it is fixed by an approval, with its cost."""
    task, metric = plan.template, plan.judged_by
    data = task.source(plan.data)
    invented = " (*invented data*: the result would say nothing about the world)" if data.invented else ""
    varied = f"\n• Varied: {escape(listed(list(plan.variables)), 300)}" if plan.variables else ""
    return (
        f"*Plan*\n• {escape(task.title)}, on {escape(data.title, 200)}{invented}\n"
        f"• Model: {escape(plan.model, 400)}\n• Against: {escape(plan.baseline, 400)}{varied}\n"
        f"• Judged by {escape(metric.title)} ({plan.direction} is better), on {plan.repeats} fresh seeds\n"
        f"• *Holds if* {escape(plan.criterion.in_words(metric), 400)}: fixed before anything runs\n"
        f"• Cost: {cost_in_words(plan)}"
    )


def cost_in_words(plan: Plan) -> str:
    runs = count(2 * plan.repeats, "judged run")
    if plan.cost is not None:
        return f"{runs}, about {duration(plan.cost.seconds)} in all by what runs of this task took here"
    return (
        f"{runs}, at most {duration(plan.most_seconds)} in all ({duration(plan.template.limits.wall_seconds)} each); "
        "how long they really take is not known until one of this task ran here"
    )


def read_idea_vote(value: str) -> tuple[str, bool]:
    """The idea's id, and whether the thumb points up."""
    thumb, _, idea_id = value.partition(" ")
    return idea_id, thumb == "up"


def idea_vote_recorded(title: str, *, thumbs_up: bool) -> Message:
    thumb = "👍" if thumbs_up else "👎"
    return message(section(f"{thumb} for the idea “{escape(title, 150)}”, counted once; the last click counts."))


def replanned(kept: KeptIdea, changes: Sequence[str], person: str) -> Message:
    return message(
        section(
            f"<@{escape(person)}> planned idea {kept.number} anew ({escape(listed(list(changes)), 500)}).\n"
            f"{plan_in_words(kept.idea.plan)}"
        )
    )


def form_not_opened(number: int) -> Message:
    return message(
        section(
            f"Slack did not open the form in time. Click again, or say for example `idea {number}: use 5 seeds, metric "
            "auc`."
        )
    )


def plan_unchanged(number: int, faults: str) -> Message:
    told = "\n".join(f"• {escape(fault, 500)}" for fault in faults.splitlines())
    return message(section(f"The plan of idea {number} stays as it was:\n{told}"))


def plan_is_fixed(number: int, person: str) -> Message:
    return message(
        section(
            f"Idea {number} was approved by <@{escape(person)}>, so its plan is fixed. "
            "Changing it afterwards would be choosing what counts."
        )
    )


def which_idea(numbers: Sequence[int]) -> Message:
    known = listed([str(number) for number in numbers], "or")
    return message(section(f"Which idea? Say for example `idea {numbers[0]}: use 5 seeds`; this thread has {known}."))


def approved_as_component(title: str, person: str, request_id: str) -> Message:
    return message(
        section(
            f"<@{escape(person)}> approved *{escape(title, 150)}*. It is measured as a component "
            f"now (request `{escape(request_id)}`)."
        ),
        request_id=request_id,
    )


def approved_before(number: int, person: str) -> Message:
    return message(section(f"Idea {number} was approved before, by <@{escape(person)}>; it is not started twice."))


def what_of_it(number: int) -> Message:
    return message(
        section(f"What about idea {number}? Say for example `idea {number}: use 5 seeds`, or `approve {number}`.")
    )


def idea_lost(idea_id: str) -> Message:
    return message(section(f"I no longer know the idea `{escape(idea_id, 100)}`; its message is older than my memory."))
