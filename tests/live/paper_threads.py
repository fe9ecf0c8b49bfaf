"""Threads of papers, as the tests of the bot write and read them."""

from __future__ import annotations

import io
from typing import Any

from live_bot import Json, Running, blocks_of, texts, until
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from storage.ideas import KeptIdea, SqlIdeas

TITLE = "Tables With Gaps:\nImputing Missing Values Twice"
PAGES = (
    """Abstract
We study classification of tables with missing values.
Our method reaches an accuracy of 0.91, better than the
baseline's 0.84. It imputes every missing value twice.
1. Introduction
Tables with missing values are common in medicine.
Activation functions of small networks matter there.""",
    """2. Results
Our method improves the accuracy to 0.91 on three tables.
3. Limitations
The method cannot handle text yet.
Other activation functions remain to be tried.
References
Smith, A. (2010). On baselines. In Proc. X.""",
)
PASTED = "Rules for Tweets\n\nAbstract\n" + "We find that rules improve the accuracy on tweets to 0.91. " * 9


def pdf(title: str, *pages: str) -> bytes:
    out = io.BytesIO()
    with PdfPages(out) as file:
        for number, text in enumerate(pages):
            figure = Figure(figsize=(8.5, 11))
            if number == 0:
                figure.text(0.15, 0.93, title, size=16, va="top")
                figure.text(0.15, 0.85, "Ada Lovelace", size=11)
            for line, words in enumerate(text.splitlines()):
                figure.text(0.15, 0.8 - 0.02 * line, words, size=10)
            file.savefig(figure)
    return out.getvalue()


def read(live: Running, ts: str, papers: int = 1) -> list[Json]:
    """The thread once all of its papers are read."""

    def over() -> list[Json]:
        replies = live.replies(ts)
        return replies if texts(replies).count(" below.") == papers else []

    return until(over)


def ideas_of(live: Running, ts: str) -> list[KeptIdea]:
    ideas = SqlIdeas(live.bot.laboratory.database)
    inquiry = live.inquiry(ts)
    assert inquiry
    return ideas.ideas([one.id for one in ideas.readings([inquiry.id])])


def card_of(live: Running, ts: str, kept: KeptIdea) -> Json:
    return next(m for m in live.replies(ts) if kept.id in m["text"])


def elements(message: Json, kind: str) -> list[Any]:
    return [element for block in blocks_of([message], kind) for element in block["elements"]]
