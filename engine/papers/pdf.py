"""Reads the lines of a PDF in a process of its own: `python -m engine.papers.pdf < paper.pdf > lines.json`.

A PDF is somebody else's program for a large native library that serves one thread at a time: what makes it crash, hang
or eat memory then costs one answer and not the bot.
"""

from __future__ import annotations

import ctypes
import io
import json
import re
import resource
import sys
from typing import Any, Final

MOST_PAGES: Final = 400
MOST_BYTES: Final = 3 << 30  # of memory; far above what papers need
GAP: Final = 1.2  # of a character's height: wider than any space between words, as between two authors
PDF_PASSWORD: Final = "password"

Line = dict[str, Any]  # text; size in points, 0: unknown; bold
_BOLD = re.compile(r"bold|black|heavy|demi|medi(?!um-?ital)|cmbx|\bbx", re.IGNORECASE)


class Unreadable(Exception):
    """`args[0]` is one of "password", "pages N", "broken"."""


def lines_with_pdfium(data: bytes) -> list[list[Line]]:
    """The lines of each page in reading order, columns after one another. Raises Unreadable."""
    import pypdfium2
    import pypdfium2.raw as raw

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise Unreadable(PDF_PASSWORD if "password" in str(error).lower() else "broken") from error
    _check_count(len(document))
    pages = []
    for number in range(len(document)):
        try:
            text = document[number].get_textpage()
            pages.append(_page_lines(raw, text.raw, boxes=number == 0))
        except pypdfium2.PdfiumError:  # one broken page of many
            pages.append([])
    return pages


def _page_lines(raw: Any, page: Any, *, boxes: bool) -> list[Line]:
    lines: list[Line] = []
    text, first = "", None
    right = None
    for i in range(raw.FPDFText_CountChars(page)):
        code = raw.FPDFText_GetUnicode(page, i)
        character = chr(code) if 0 < code < 0x110000 and not 0xD800 <= code < 0xE000 else ""
        if character in "\r\n" and text[-1:] != "\x02":
            if first is not None:
                lines.append(_line(raw, page, text, first))
            text, first, right = "", None, None
            continue
        if boxes and character.strip():
            left, next_right, height = _extent(raw, page, i)
            if right is not None and left - right > GAP * height:
                text = text.rstrip() + "\t"
            right = next_right
        if first is None and character.strip():
            first = i
        text += character if character not in "\r\n\ufffe" else "\x02" if character == "\ufffe" else ""
    if first is not None:
        lines.append(_line(raw, page, text, first))
    return lines


def _line(raw: Any, page: Any, text: str, first: int) -> Line:
    name = ctypes.create_string_buffer(256)
    flags = ctypes.c_int()
    raw.FPDFText_GetFontInfo(page, first, name, 256, ctypes.byref(flags))
    bold = bool(_BOLD.search(name.value.decode("utf-8", "replace"))) or raw.FPDFText_GetFontWeight(page, first) >= 600
    return {"text": text.strip(), "size": round(raw.FPDFText_GetFontSize(page, first), 1), "bold": bold}


def _extent(raw: Any, page: Any, i: int) -> tuple[float, float, float]:
    sides = [ctypes.c_double() for _ in range(4)]
    raw.FPDFText_GetCharBox(page, i, *(ctypes.byref(side) for side in sides))
    left, right, _, _ = (side.value for side in sides)
    return left, right, max(raw.FPDFText_GetFontSize(page, i), 1.0)


def lines_with_pypdf(data: bytes) -> list[list[Line]]:
    """The same without sizes, by a reader that forgives other faults. Raises Unreadable."""
    import pypdf
    from pypdf.errors import PyPdfError

    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable(PDF_PASSWORD)
        _check_count(len(reader.pages))
        texts = [page.extract_text() for page in reader.pages]
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise Unreadable("broken") from error
    return [
        [{"text": re.sub(r"(?<=\w)-$", "\x02", line.strip()), "size": 0, "bold": False} for line in text.splitlines()]
        for text in texts
    ]


def _check_count(pages: int) -> None:
    if pages > MOST_PAGES:
        raise Unreadable(f"pages {pages}")


def lines(data: bytes) -> list[list[Line]]:
    """By pdfium; by pypdf where that cannot read the file. Raises Unreadable."""
    try:
        return lines_with_pdfium(data)
    except Unreadable as unreadable:
        if unreadable.args[0] != "broken":
            raise
        return lines_with_pypdf(data)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    data = sys.stdin.buffer.read()
    try:
        answer: dict[str, Any] = {"pages": lines(data)}
    except Unreadable as unreadable:
        answer = {"fault": unreadable.args[0]}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
