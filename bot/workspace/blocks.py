"""Slack's limits on blocks and views: one row a limit. validation.py applies them.

Numbers: docs.slack.dev/reference/block-kit (read through slack_sdk 3.47's models where it states them). The limit on a
whole message is not documented; bolt-js issues 2509 and 2867 measured it: 13,297 characters of markdown alone, and less
the more containers a message has.

Blocks that the page does not draw (video, call, card, carousel, plan, ...) are refused as unknown, though Slack has
them.
"""

from __future__ import annotations

from collections.abc import Mapping

from bot.workspace.structure import Choice, Flag, Integer, Many, Number, Object, Rule, String, Typed, required

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MARKDOWN_CHARACTERS = 12_000  # all markdown blocks of a message together
MESSAGE_CHARACTERS = 13_200  # all text of a message that is not in a table, and CONTAINER_CHARACTERS an object
CONTAINER_CHARACTERS = 25
TABLE_CHARACTERS = {"table": 10_000, "data_table": 20_000}  # all cells of such tables together


def text_object(most: int, *kinds: str) -> Typed:
    """A text object of at most `most` characters; without `kinds` both plain_text and mrkdwn."""
    plain = Object(fields={"text": required(String(most=most)), "emoji": Flag()})
    mrkdwn = Object(fields={"text": required(String(most=most)), "verbatim": Flag()})
    known = {"plain_text": plain, "mrkdwn": mrkdwn}
    return Typed(kinds={kind: known[kind] for kind in kinds or known})


def plain(most: int) -> Typed:
    return text_object(most, "plain_text")


ACTION_ID = String(most=255)
BLOCK_ID = String(most=255, least=0)
CONFIRM = Object(
    fields={
        "title": required(plain(100)),
        "text": required(text_object(300)),
        "confirm": required(plain(30)),
        "deny": required(plain(30)),
        "style": Choice(of=("primary", "danger")),
    }
)
OPTION = Object(
    fields={
        "text": required(text_object(75)),
        "value": required(String(most=150)),
        "description": plain(75),
        "url": String(most=3000),
    }
)
OPTION_GROUP = Object(fields={"label": required(plain(75)), "options": required(Many(each=OPTION, most=100))})
SLACK_FILE = Object(fields={"id": String(most=255), "url": String(most=3000)}, one_of=("id", "url"))
IMAGE_SOURCE: Mapping[str, Rule] = {"image_url": String(most=3000), "slack_file": SLACK_FILE}

BUTTON = Object(
    fields={
        "text": required(plain(75)),
        "action_id": ACTION_ID,
        "value": String(most=2000),
        "url": String(most=3000),
        "style": Choice(of=("primary", "danger")),
        "confirm": CONFIRM,
        "accessibility_label": String(most=75),
    }
)
SELECT = Object(
    fields={
        "action_id": ACTION_ID,
        "options": Many(each=OPTION, most=100),
        "option_groups": Many(each=OPTION_GROUP, most=100),
        "initial_option": OPTION,
        "placeholder": plain(150),
        "confirm": CONFIRM,
        "focus_on_load": Flag(),
    },
    one_of=("options", "option_groups"),
)
OVERFLOW = Object(fields={"action_id": ACTION_ID, "options": required(Many(each=OPTION, most=5)), "confirm": CONFIRM})
IMAGE_ELEMENT = Object(
    fields={"alt_text": required(String(most=2000)), **IMAGE_SOURCE}, one_of=("image_url", "slack_file")
)
FEEDBACK_BUTTON = Object(
    fields={
        "text": required(plain(75)),
        "value": required(String(most=2000)),
        "accessibility_label": String(most=75),
    }
)
FEEDBACK_BUTTONS = Object(
    fields={
        "action_id": ACTION_ID,
        "positive_button": required(FEEDBACK_BUTTON),
        "negative_button": required(FEEDBACK_BUTTON),
    }
)
ICON_BUTTON = Object(
    fields={
        "icon": required(Choice(of=("trash",))),
        "text": required(plain(75)),
        "action_id": ACTION_ID,
        "value": String(most=2000),
        "visible_to_user_ids": Many(each=String(most=255), most=10),
        "accessibility_label": String(most=75),
        "confirm": CONFIRM,
    }
)
CHOICES: Mapping[str, Rule] = {
    "action_id": ACTION_ID,
    "options": required(Many(each=OPTION, most=10)),
    "initial_option": OPTION,
    "initial_options": Many(each=OPTION, most=10),
    "confirm": CONFIRM,
    "focus_on_load": Flag(),
}
CHECKBOXES = Object(fields={name: rule for name, rule in CHOICES.items() if name != "initial_option"})
RADIO_BUTTONS = Object(fields={name: rule for name, rule in CHOICES.items() if name != "initial_options"})
PLAIN_TEXT_INPUT = Object(
    fields={
        "action_id": ACTION_ID,
        "initial_value": String(most=3000, least=0),
        "multiline": Flag(),
        "min_length": Integer(least=0, most=3000),
        "max_length": Integer(least=1, most=3000),
        "placeholder": plain(150),
        "focus_on_load": Flag(),
    }
)

STYLE = Object(fields={name: Flag() for name in ("bold", "italic", "strike", "code", "underline")})
RICH_TEXT_PARTS = Typed(
    kinds={
        "text": Object(fields={"text": required(String(most=12_000)), "style": STYLE}),
        "link": Object(
            fields={"url": required(String(most=3000)), "text": String(most=3000), "style": STYLE, "unsafe": Flag()}
        ),
        "user": Object(fields={"user_id": required(String(most=255)), "style": STYLE}),
        "channel": Object(fields={"channel_id": required(String(most=255)), "style": STYLE}),
        "emoji": Object(fields={"name": required(String(most=255)), "unicode": String(most=255), "style": STYLE}),
    }
)
PARTS = required(Many(each=RICH_TEXT_PARTS, most=1000, least=0))
SECTION_OF_RICH_TEXT = Object(fields={"elements": PARTS})
RICH_TEXT = Object(
    fields={
        "block_id": BLOCK_ID,
        "elements": required(
            Many(
                most=1000,
                each=Typed(
                    kinds={
                        "rich_text_section": SECTION_OF_RICH_TEXT,
                        "rich_text_quote": Object(fields={"elements": PARTS, "border": Integer(least=0, most=1)}),
                        "rich_text_preformatted": Object(
                            fields={"elements": PARTS, "border": Integer(least=0, most=1), "language": String(most=255)}
                        ),
                        "rich_text_list": Object(
                            fields={
                                "style": required(Choice(of=("bullet", "ordered"))),
                                "indent": Integer(least=0, most=8),
                                "offset": Integer(least=0, most=10_000),
                                "border": Integer(least=0, most=1),
                                "elements": required(
                                    Many(each=Typed(kinds={"rich_text_section": SECTION_OF_RICH_TEXT}), most=1000)
                                ),
                            }
                        ),
                    }
                ),
            )
        ),
    }
)

RAW_TEXT = Object(fields={"text": required(String(most=20_000))})
RAW_NUMBER = Object(fields={"value": required(Number()), "text": String(most=20_000)})
CELL = Typed(kinds={"raw_text": RAW_TEXT, "raw_number": RAW_NUMBER, "rich_text": RICH_TEXT})
ROW = Many(each=CELL, most=20)
COLUMN = Object(fields={"align": Choice(of=("left", "center", "right")), "is_wrapped": Flag()})

MESSAGE_KINDS: Mapping[str, Object] = {
    "section": Object(
        fields={
            "block_id": BLOCK_ID,
            "text": text_object(3000),
            "fields": Many(each=text_object(2000), most=10),
            "accessory": Typed(
                kinds={
                    "button": BUTTON,
                    "image": IMAGE_ELEMENT,
                    "overflow": OVERFLOW,
                    "static_select": SELECT,
                    "checkboxes": CHECKBOXES,
                    "radio_buttons": RADIO_BUTTONS,
                }
            ),
            "expand": Flag(),
        },
        one_of=("text", "fields"),
    ),
    "divider": Object(fields={"block_id": BLOCK_ID}),
    "header": Object(fields={"block_id": BLOCK_ID, "text": required(plain(150))}),
    "image": Object(
        fields={
            "block_id": BLOCK_ID,
            "alt_text": required(String(most=2000)),
            "title": plain(2000),
            **IMAGE_SOURCE,
        },
        one_of=("image_url", "slack_file"),
    ),
    "context": Object(
        fields={
            "block_id": BLOCK_ID,
            "elements": required(Many(each=Typed(kinds={**text_object(3000).kinds, "image": IMAGE_ELEMENT}), most=10)),
        }
    ),
    "actions": Object(
        fields={
            "block_id": BLOCK_ID,
            "elements": required(
                Many(
                    most=25,
                    each=Typed(
                        kinds={
                            "button": BUTTON,
                            "static_select": SELECT,
                            "overflow": OVERFLOW,
                            "checkboxes": CHECKBOXES,
                            "radio_buttons": RADIO_BUTTONS,
                        }
                    ),
                )
            ),
        }
    ),
    "context_actions": Object(
        fields={
            "block_id": BLOCK_ID,
            "elements": required(
                Many(each=Typed(kinds={"feedback_buttons": FEEDBACK_BUTTONS, "icon_button": ICON_BUTTON}), most=5)
            ),
        }
    ),
    "markdown": Object(fields={"block_id": BLOCK_ID, "text": required(String(most=MARKDOWN_CHARACTERS))}),
    "rich_text": RICH_TEXT,
    "table": Object(
        fields={
            "block_id": BLOCK_ID,
            "rows": required(Many(each=ROW, most=100)),
            "column_settings": Many(each=COLUMN, most=20),
        }
    ),
    "data_table": Object(
        fields={
            "block_id": BLOCK_ID,
            "caption": required(String(most=2000)),
            "rows": required(Many(each=ROW, most=201, least=2)),
            "page_size": Integer(least=1, most=100),
            "row_header_column_index": Integer(least=0, most=19),
        }
    ),
}
INPUT = Object(
    fields={
        "block_id": BLOCK_ID,
        "label": required(plain(2000)),
        "hint": plain(2000),
        "optional": Flag(),
        "dispatch_action": Flag(),
        "element": required(
            Typed(
                kinds={
                    "plain_text_input": PLAIN_TEXT_INPUT,
                    "static_select": SELECT,
                    "checkboxes": CHECKBOXES,
                    "radio_buttons": RADIO_BUTTONS,
                }
            )
        ),
    }
)
# markdown, tables and context_actions are refused outside messages.
VIEW_KINDS: Mapping[str, Object] = {
    **{kind: MESSAGE_KINDS[kind] for kind in ("section", "divider", "header", "image", "context", "actions")},
    "rich_text": RICH_TEXT,
    "input": INPUT,
}
VIEW: Mapping[str, Rule] = {
    "title": plain(24),
    "submit": plain(24),
    "close": plain(24),
    "private_metadata": String(most=3000, least=0),
    "callback_id": String(most=255, least=0),
    "external_id": String(most=255, least=0),
    "clear_on_close": Flag(),
    "notify_on_close": Flag(),
    "submit_disabled": Flag(),
    "blocks": required(Many(each=Typed(kinds=VIEW_KINDS), most=VIEW_BLOCKS, least=0)),
}
VIEWS = Typed(
    kinds={
        "modal": Object(fields={**VIEW, "title": required(plain(24))}),
        "home": Object(fields=VIEW),
    }
)

# Elements that a person can use, and so have an action_id.
INTERACTIVE = {
    *("button", "static_select", "overflow", "checkboxes", "radio_buttons"),
    *("feedback_buttons", "icon_button", "plain_text_input"),
}
