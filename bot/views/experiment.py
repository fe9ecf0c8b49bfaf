"""An experiment in its thread: how far it is, its questions, its report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.views.block_kit import actions, button, context, header, image, message, section, table
from bot.views.figures import count, duration
from bot.views.idea import APPROVE_PLAN
from bot.views.message import Block, Message, escape
from bot.views.progress import STOP
from engine.experiment.judge import CONFIDENCE, Judgement, Result
from engine.experiment.plan import Plan
from engine.score import Estimate

TAKE_OVER = "take_over_experiment"  # value: the experiment's id
MOST_LINES = 12
HEADLINES = {
    Result.SUCCEEDED: "The hypothesis held",
    Result.FAILED: "The hypothesis did not hold, which is a result",
    Result.NOT_JUDGED: "The hypothesis was not judged",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doing:
    """ending: in words, once nothing runs."""

    experiment_id: str
    title: str
    author: str
    lines: Sequence[str]  # the prototype and the attempts
    judged: int
    to_judge: int
    judging: bool
    seconds: float  # in the sandbox so far
    ending: str = ""


def experimenting(state: Doing) -> Message:
    head = f"Experiment: {escape(state.title, 200)} · {duration(state.seconds)} in the sandbox"
    lines = [f"• {escape(line, 400)}" for line in state.lines[-MOST_LINES:]]
    if state.judging:
        lines.append(f"• Judging: {state.judged:,} of {count(state.to_judge, 'run')} on fresh seeds")
    if not lines:
        lines.append("• Fetching the data and running the prototype as it is")
    blocks: list[Block] = [section(f"*{head}*"), section("\n".join(lines))]
    if state.ending:
        blocks.append(section(escape(state.ending, 300)))
    blocks.append(context(f"Written by {escape(state.author, 100)} · `{escape(state.experiment_id)}`"))
    if not state.ending:
        blocks.append(actions(button("Stop", STOP, state.experiment_id)))
    return message(*blocks, request_id=state.experiment_id)


def question(experiment_id: str, text: str) -> Message:
    return message(
        section(f"❓ *I need your word to go on.* {escape(text, 2_000)}"),
        actions(button("Take over", TAKE_OVER, experiment_id), button("Stop", STOP, experiment_id)),
        context("The next reply here is the answer; nothing runs meanwhile. `take over` posts the workspace as a zip."),
        request_id=experiment_id,
    )


def experiment_stopped(experiment_id: str, title: str, idea_id: str, number: int) -> Message:
    return message(
        section(
            f"Stopped the experiment *{escape(title, 150)}* as you asked; nothing was judged after that. Whoever "
            f"approves it again (`approve {number}`) sets it going where it was; a reply with a mention does so too, "
            "with what it says."
        ),
        actions(button("Go on", APPROVE_PLAN, idea_id, "primary"), button("Take over", TAKE_OVER, experiment_id)),
        request_id=experiment_id,
    )


def experiment_resumed(title: str, person: str) -> Message:
    return message(
        section(f"<@{escape(person)}> sets the experiment *{escape(title, 150)}* going again, where it was stopped.")
    )


def reported(
    experiment_id: str,
    plan: Plan,
    judgement: Judgement,
    *,
    unsupported: Sequence[str],
    data: str,
    plot: str | None,
    beside: Sequence[tuple[str, float]] = (),
    given: Sequence[str] = (),
) -> Message:
    """unsupported: what the report's author wrote and no result bears out. plot: a file's id. beside: what others
    report of the metric, with where. given: what came from a hub, and what is not known of it."""
    metric = plan.judged_by
    blocks: list[Block] = [
        header(HEADLINES[judgement.result]),
        section(f"{escape(plan.hypothesis, 700)}\n*{escape(judgement.reason, 700)}*"),
    ]
    if judgement.value is not None and judgement.baseline_value is not None:
        blocks.append(table(_rows(plan, judgement, beside), right=(1, 2)))
    if plot:
        alt = "Every judged run as a dot, prototype and experiment side by side, with means and intervals"
        blocks.append(image(plot, f"{metric.title}, both arms", alt))
    blocks.append(section(f"*Holds if*, as fixed before anything ran: {escape(plan.criterion.in_words(metric), 400)}"))
    if unsupported:
        told = "\n".join(escape(line, 300) for line in unsupported[:8])
        blocks.append(section(f"⚠️ *Written, but in no result*\n{told}"))
    blocks.append(
        context(
            f"{metric.title}: {plan.direction} is better; computed by the host on rows that no attempt has seen, from "
            f"{data}. {CONFIDENCE:.0%} intervals are over {plan.repeats} seeds and say nothing about other data. "
            "The prototype ran under the same limits."
        )
    )
    if given:
        told = "\n".join(f"• {escape(line, 400)}" for line in given[:5])
        blocks.append(section(f"*Fetched from the Hugging Face hub*\n{told}"))
    blocks.append(actions(button("Take over", TAKE_OVER, experiment_id)))
    return message(*blocks, request_id=experiment_id)


def bundled(name: str) -> Message:
    return message(
        section(
            f"`{escape(name)}` holds the code, seeds, data hashes, environment, logs and the report. "
            f"`conjecture reproduce {escape(name)}` runs it again and says whether the numbers hold."
        )
    )


def not_bundled(reason: str) -> Message:
    return message(section(f"The bundle could not be written: {escape(reason, 500)}"))


def workspace_attached(name: str) -> Message:
    return message(section(f"`{escape(name)}` is the workspace as it is now. The experiment stays here and can go on."))


def heard(title: str) -> Message:
    return message(section(f"Noted for the experiment *{escape(title, 150)}*; it goes on with that."))


def nothing_of_it(what: str) -> Message:
    return message(section(f"There is no {escape(what)} yet."))


def _rows(plan: Plan, judgement: Judgement, beside: Sequence[tuple[str, float]]) -> list[list[str]]:
    rows = [["", plan.judged_by.title, f"{CONFIDENCE:.0%} interval"]]
    told = [
        ("Prototype (baseline)", judgement.baseline_value, False),
        ("Experiment", judgement.value, False),
        ("Improvement (above 0 is better)", judgement.improvement, False),
        ("Relative improvement", judgement.relative, True),
    ]
    rows += [_row(name, estimate, percent) for name, estimate, percent in told if estimate is not None]
    return rows + [[f"Reported, {source}", f"{value:.4g}", "not given"] for source, value in beside]


def _row(name: str, estimate: Estimate, percent: bool) -> list[str]:
    value, low, high = (
        f"{number:.2%}" if percent else f"{number:.4g}" for number in (estimate.value, estimate.low, estimate.high)
    )
    return [name, value, f"{low} to {high}"]
