"""A paper from a PDF or from pasted text."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from engine.errors import PaperError
from engine.papers.layout import paper_of
from engine.papers.lines import Line
from engine.papers.paper import Paper
from engine.papers.pdf import MOST_PAGES, PDF_PASSWORD

MOST_BYTES = 64 << 20
SECONDS = 90  # for a PDF of any size that is read at all
FEWEST_LETTERS = 200  # on all pages together; a scan has none, or a stamp
FEWEST_PASTED = 40  # words
SHOWN = 80  # characters of a name in a message


def read_pdf(data: bytes, source: str) -> Paper:
    """`source` is how people call the file. Raises PaperError, in one sentence that says what to do instead."""
    name = source if len(source) <= SHOWN else source[: SHOWN - 1] + "…"
    if not data:
        raise PaperError(f"{name} is empty (0 bytes): attach it again.")
    if b"%PDF" not in data[:1024]:
        raise PaperError(f"{name} is not a PDF: attach the paper as PDF, give its arXiv link, or paste its text.")
    if len(data) > MOST_BYTES:
        raise PaperError(
            f"{name} has {len(data) >> 20} MiB; at most {MOST_BYTES >> 20} are read: attach the part that matters."
        )
    pages = _pages(data, name)
    if sum(character.isalpha() for page in pages for line in page for character in line.text) < FEWEST_LETTERS:
        raise PaperError(
            f"{name} has {_count(len(pages))} but no text on them, so it seems to be a scan: make its text readable "
            "first (e.g. with ocrmypdf), or paste the text."
        )
    return paper_of(pages, source)


def read_pasted(text: str, source: str = "pasted text") -> Paper:
    """A form feed starts a new page; without one it is all page 1. Raises PaperError when it is too short."""
    if len(text.split()) < FEWEST_PASTED:
        raise PaperError(
            f"The text has {len(text.split())} words; a paper needs at least {FEWEST_PASTED}: paste the abstract or "
            "more, attach a PDF, or give an arXiv link."
        )
    pages = [
        [Line(text=line.strip(), page=number) for line in page.splitlines() if line.strip()]
        for number, page in enumerate(text.split("\f"), start=1)
    ]
    return paper_of(pages, source)


def _pages(data: bytes, name: str) -> Sequence[Sequence[Line]]:
    command = [sys.executable, "-m", "engine.papers.pdf"]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise PaperError(
            f"{name} could not be read within {SECONDS} seconds: print it to a simpler PDF, or paste its text."
        ) from error
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:  # it crashed, or ran out of memory
        raise PaperError(_advice(name, "broken")) from error
    if "fault" in answer:
        raise PaperError(_advice(name, answer["fault"]))
    return [[Line(page=number, **line) for line in page] for number, page in enumerate(answer["pages"], start=1)]


def _advice(name: str, fault: str) -> str:
    if fault == PDF_PASSWORD:
        return f"{name} is encrypted and asks for a password: save it without one, or paste its text."
    if fault.startswith("pages"):
        pages = _count(int(fault.split()[1]))
        return f"{name} has {pages}; at most {MOST_PAGES} are read: attach the part that matters."
    return f"{name} is damaged and cannot be read as a PDF: download it again, or paste its text."


def _count(pages: int) -> str:
    return f"{pages:,} page{'' if pages == 1 else 's'}"
