"""Every limit of Slack's, at its edge: the last value that it takes and the first that it refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.workspace.blocks import CONTAINER_CHARACTERS, MESSAGE_CHARACTERS
from bot.workspace.refusal import Refusal
from bot.workspace.validation import check_message, check_view

Json = dict[str, Any]


def ready(reference: str) -> bool:
    return reference == "FREADY"


def refusal(blocks: Any) -> Refusal | None:
    try:
        check_message(blocks, ready)
    except Refusal as refused:
        return refused
    return None


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def section(**fields: Any) -> Json:
    return {"type": "section", **({"text": mrkdwn("x")} | fields)}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def button(**fields: Any) -> Json:
    return {"type": "button", "text": plain("Go"), **fields}


def option(value: str = "v", text: str = "o") -> Json:
    return {"text": plain(text), "value": value}


def select(count: int) -> Json:
    return {"type": "static_select", "options": [option(f"v{i}") for i in range(count)]}


def votes(text: str = "Good", value: str = "up") -> Json:
    one, two = {"text": plain(text), "value": value}, {"text": plain("Bad"), "value": "down"}
    element = {"type": "feedback_buttons", "positive_button": one, "negative_button": two}
    return {"type": "context_actions", "elements": [element]}


def table(rows: int, columns: int, kind: str = "table", **fields: Any) -> Json:
    cell = {"type": "raw_text", "text": "x"}
    return {"type": kind, "rows": [[cell] * columns for _ in range(rows)], **fields}


def data_table(rows: int, columns: int, **fields: Any) -> Json:
    return table(rows, columns, "data_table", **({"caption": "c"} | fields))


def confirm(**fields: Any) -> Json:
    return {"title": plain("t"), "text": plain("x"), "confirm": plain("y"), "deny": plain("n"), **fields}


EDGES: list[tuple[str, int, Callable[[int], list[Json]]]] = [
    ("blocks of a message", 50, lambda n: [{"type": "divider"}] * n),
    ("section text", 3000, lambda n: [section(text=mrkdwn("x" * n))]),
    ("section fields", 10, lambda n: [section(fields=[mrkdwn("x")] * n)]),
    ("section field text", 2000, lambda n: [section(fields=[mrkdwn("x" * n)])]),
    ("header text", 150, lambda n: [{"type": "header", "text": plain("x" * n)}]),
    ("context elements", 10, lambda n: [{"type": "context", "elements": [mrkdwn("x")] * n}]),
    ("action elements", 25, lambda n: [actions(*[button(action_id=f"a{i}") for i in range(n)])]),
    ("context action elements", 5, lambda n: [{"type": "context_actions", "elements": votes()["elements"] * n}]),
    ("block id", 255, lambda n: [{"type": "divider", "block_id": "x" * n}]),
    ("action id", 255, lambda n: [actions(button(action_id="x" * n))]),
    ("button text", 75, lambda n: [actions(button(text=plain("x" * n)))]),
    ("button value", 2000, lambda n: [actions(button(value="x" * n))]),
    ("button url", 3000, lambda n: [actions(button(url="x" * n))]),
    ("feedback text", 75, lambda n: [votes(text="x" * n)]),
    ("feedback value", 2000, lambda n: [votes(value="x" * n)]),
    ("confirmation title", 100, lambda n: [actions(button(confirm=confirm(title=plain("x" * n))))]),
    ("confirmation text", 300, lambda n: [actions(button(confirm=confirm(text=plain("x" * n))))]),
    ("confirmation button", 30, lambda n: [actions(button(confirm=confirm(deny=plain("x" * n))))]),
    ("options of a menu", 100, lambda n: [actions(select(n))]),
    ("option text", 75, lambda n: [actions(select(1) | {"options": [option(text="x" * n)]})]),
    ("option value", 150, lambda n: [actions(select(1) | {"options": [option("x" * n)]})]),
    ("options of an overflow", 5, lambda n: [actions(select(n) | {"type": "overflow"})]),
    ("alternative text", 2000, lambda n: [{"type": "image", "alt_text": "x" * n, "slack_file": {"id": "FREADY"}}]),
    ("markdown", 12_000, lambda n: [{"type": "markdown", "text": "x" * n}]),
    ("markdown together", 12_000, lambda n: [{"type": "markdown", "text": "x" * (n - n // 2)}, md(n // 2)]),
    ("table rows", 100, lambda n: [table(n, 2)]),
    ("table columns", 20, lambda n: [table(2, n)]),
    ("table text", 10_000, lambda n: [{"type": "table", "rows": [[{"type": "raw_text", "text": "x" * n}]]}]),
    ("data table rows", 201, lambda n: [data_table(n, 2)]),
    ("data table columns", 20, lambda n: [data_table(2, n)]),
    ("data table page", 100, lambda n: [data_table(2, 2, page_size=n)]),
    ("data table text", 20_000, lambda n: [data_table(2, 1), wide(n - 2)]),
]


def md(characters: int) -> Json:
    return {"type": "markdown", "text": "x" * characters}


def wide(characters: int) -> Json:
    head, body = {"type": "raw_text", "text": "x"}, {"type": "raw_text", "text": "x" * (characters - 1)}
    return {"type": "data_table", "caption": "c", "rows": [[head], [body]]}


@pytest.mark.parametrize(("limit", "most", "make"), EDGES, ids=[name for name, _, _ in EDGES])
def test_the_last_value_within_a_limit_is_taken_and_the_next_one_refused(
    limit: str, most: int, make: Callable[[int], list[Json]]
) -> None:
    assert refusal(make(most)) is None
    refused = refusal(make(most + 1))
    assert refused is not None
    assert refused.code == "invalid_blocks"
    assert all("[json-pointer:/blocks" in message for message in refused.messages)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (section(text=mrkdwn("x" * 3001)), "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"),
        (section(text=mrkdwn("")), "must be more than 0 characters [json-pointer:/blocks/0/text/text]"),
        ({"type": "section"}, "missing required field: text [json-pointer:/blocks/0]"),
        ({"type": "sektion"}, "unsupported type: sektion [json-pointer:/blocks/0/type]"),
        ({"type": "divider", "colour": 1}, "invalid additional property: colour [json-pointer:/blocks/0]"),
        ({"type": "header", "text": mrkdwn("x")}, "unsupported type: mrkdwn [json-pointer:/blocks/0/text/type]"),
        (actions(), "no fewer than 1 items allowed [json-pointer:/blocks/0/elements]"),
        (
            {"type": "image", "alt_text": "a", "slack_file": {"id": "FEARLY"}},
            "invalid slack file [json-pointer:/blocks/0/slack_file]",
        ),
        (
            actions(button(action_id="a"), button(action_id="a")),
            "`action_id` a already exists for another action [json-pointer:/blocks/0/elements]",
        ),
        (data_table(1, 2), "no fewer than 2 items allowed [json-pointer:/blocks/0/rows]"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_where(block: Json, message: str) -> None:
    refused = refusal([block])
    assert refused is not None
    assert refused.messages == [message]


def test_rows_of_a_data_table_have_one_length() -> None:
    block = data_table(3, 2)
    block["rows"][2] = block["rows"][2][:1]
    assert refusal([block]) is not None


def test_a_message_has_one_table_at_most() -> None:
    refused = refusal([table(2, 2), table(2, 2)])
    assert refused is not None
    assert (refused.code, refused.messages) == ("invalid_attachments", ["only_one_table_allowed"])


def test_two_blocks_may_not_share_an_id() -> None:
    assert refusal([{"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "a"}]) is not None


def test_a_whole_message_has_a_limit_of_its_own() -> None:
    objects = 2 * 5  # a section and its text object
    left = MESSAGE_CHARACTERS - objects * CONTAINER_CHARACTERS - 4 * 2600
    blocks = [section(text=mrkdwn("x" * 2600)) for _ in range(4)]
    assert refusal([*blocks, section(text=mrkdwn("x" * left))]) is None
    refused = refusal([*blocks, section(text=mrkdwn("x" * (left + 1)))])
    assert refused is not None
    assert refused.code == "msg_blocks_too_long"


@pytest.mark.parametrize("blocks", [{}, "[]", [1], None])
def test_blocks_are_a_list_of_objects(blocks: Any) -> None:
    refused = refusal(blocks)
    assert refused is not None
    assert refused.code == "invalid_blocks_format"


def test_ids_are_filled_in_and_given_ones_are_kept() -> None:
    first, second = check_message([section(block_id="mine"), actions(button(), button(action_id="b"))], ready)
    assert first["block_id"] == "mine"
    assert second["block_id"]
    assert second["elements"][0]["action_id"]
    assert second["elements"][1]["action_id"] == "b"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "elements", "fields", "accessory", "rows", "alt_text", "slack_file"]),
            inner | st.sampled_from(["section", "plain_text", "actions", "image", "button", "table", "rich_text"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(anything)
def test_whatever_is_sent_is_taken_or_refused_but_never_breaks_the_check(blocks: Any) -> None:
    refused = refusal(blocks)
    assert refused is None or refused.code in {"invalid_blocks", "invalid_blocks_format"}


def modal(**fields: Any) -> Json:
    return {"type": "modal", "title": plain("t"), "blocks": [], **fields}


def field(block_id: str = "b") -> Json:
    return {"type": "input", "block_id": block_id, "label": plain("l"), "element": {"type": "plain_text_input"}}


VIEW_EDGES: list[tuple[str, int, Callable[[int], Json]]] = [
    ("title", 24, lambda n: modal(title=plain("x" * n))),
    ("submit", 24, lambda n: modal(submit=plain("x" * n))),
    ("private metadata", 3000, lambda n: modal(private_metadata="x" * n)),
    ("callback id", 255, lambda n: modal(callback_id="x" * n)),
    ("blocks", 100, lambda n: modal(blocks=[{"type": "divider"}] * n)),
]


@pytest.mark.parametrize(("limit", "most", "make"), VIEW_EDGES, ids=[name for name, _, _ in VIEW_EDGES])
def test_limits_of_a_view(limit: str, most: int, make: Callable[[int], Json]) -> None:
    check_view(make(most), ready)
    with pytest.raises(Refusal, match="invalid_arguments"):
        check_view(make(most + 1), ready)


def test_a_modal_with_inputs_needs_a_submit_button() -> None:
    check_view(modal(blocks=[field()], submit=plain("Send")), ready)
    with pytest.raises(Refusal, match="missing required field: submit"):
        check_view(modal(blocks=[field()]), ready)


@pytest.mark.parametrize("block", [md(3), table(2, 2), votes()])
def test_what_belongs_into_messages_only_is_refused_in_views(block: Json) -> None:
    with pytest.raises(Refusal, match="unsupported type"):
        check_view({"type": "home", "blocks": [block]}, ready)
