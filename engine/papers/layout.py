"""From the lines of a paper's pages to sentences with page and section, references apart."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.papers.front import front_of
from engine.papers.lines import HYPHEN, Line, cleaned
from engine.papers.paper import Paper, Sentence
from engine.papers.sentences import spans

SMALLER = 0.6  # points below the body: a footnote, or a table's caption
LONGEST_HEADING = 90  # characters
EARLIEST_REFERENCES = 0.4  # of the lines; before that the word is part of the text

_NUMBERED = re.compile(r"^(?:(?:\d{1,2}|[A-H])(?:\.\d{1,2}){0,3}\.?|[IVX]{1,5}\.)\s+(?=[A-Z])")
_KNOWN = re.compile(
    r"^(?:abstract|summary|introduction|motivation|background|related works?|methods?|methodology|materials and "
    r"methods|experiments?|experimental (?:setup|results)|evaluation|results(?: and discussion)?|discussion|"
    r"limitations?|conclusions?(?: and .{3,30})?|future work|acknowledge?ments?|appendix.{0,40})$",
    re.IGNORECASE,
)
_ABSTRACT = re.compile(r"^abstract\s*[-–—:.]?\s+(?=\S)", re.IGNORECASE)
_REFERENCES = re.compile(r"^(?:\d{1,2}\.?\s*)?(?:references|bibliography|literature cited|works cited)$", re.IGNORECASE)
_AFTER_REFERENCES = re.compile(
    r"^(?:(?:[A-H][.:]? )?(?:appendi(?:x|ces)|supplementary|supplemental)\b.{0,60}|affiliation:.*|"
    r"[A-C]\.? [A-Z][a-z]+(?: [A-Za-z]+){0,5}|errata)$",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"^affiliation", re.IGNORECASE)
_SURNAME = r"(?:(?:[Vv]an|[Dd]er?|[Vv]on|[Dd]e|[Ll]e) )*[A-Z][\w'’-]+(?: [A-Z][\w'’-]+)?"
_ENTRY = re.compile(
    rf"^(?:\[\w{{1,12}}\]|\d{{1,3}}\.\s|{_SURNAME},? (?:[A-Z]\.?[ ,-]*){{1,4}}[,(&. ]|"
    rf"(?:[A-Z]\.[ -]?){{1,4}} ?{_SURNAME}[.,]? )"
)
_CAPTION = re.compile(r"^(?:Table|Figure|Fig\.|Algorithm|Listing) \d+[.:]")
_WEB = re.compile(r"^\d{0,2}\s*(?:https?://|www\.)\S+$")
_COPYRIGHT = re.compile(r"^(?:copyright|©|permission to make)", re.IGNORECASE)


@dataclass(slots=True)
class _Block:
    """Running text of one section; `starts`: at which character each line begins, and its page."""

    section: str
    text: str = ""
    starts: list[tuple[int, int]] = field(default_factory=list)

    def add(self, line: Line) -> None:
        # Pdfium ends a line at a superscript; what follows then begins with punctuation.
        if self.text.endswith(HYPHEN):
            self.text = self.text[:-1]
        elif self.text and not re.match(r"[,.;:)\]]", line.text):
            self.text += " "
        self.starts.append((len(self.text), line.page))
        self.text += line.text.replace("\t", " ")

    def sentences(self) -> list[Sentence]:
        found = []
        for start, end in spans(self.text):
            begin = start + len(self.text[start:end]) - len(self.text[start:end].lstrip())
            page = max((entry for entry in self.starts if entry[0] <= begin), default=self.starts[0])[1]
            text = " ".join(self.text[start:end].replace(HYPHEN, "-").split())
            if not re.search(r"[^\W\d_]{2}", text):  # a number of a list
                continue
            found.append(Sentence(text=text, page=page, section=self.section))
        return found


def paper_of(pages: Sequence[Sequence[Line]], source: str) -> Paper:
    """Always a paper, however little was understood of its layout; the title may be empty."""
    lines = [line for line in cleaned(pages) if line.text.strip()]
    if not lines:
        return _paper(source, len(pages), "", (), [], ())
    size, bold = _body_style(lines)
    front = front_of(lines, size)
    body, references = _split_references(lines[front.lines :])
    blocks = _blocks(body, size, bold)
    sentences = [sentence for block in blocks if block.text for sentence in block.sentences()]
    return _paper(source, len(pages), front.title, front.authors, sentences, references)


def _paper(
    source: str,
    pages: int,
    title: str,
    authors: tuple[str, ...],
    sentences: Sequence[Sentence],
    references: tuple[str, ...],
) -> Paper:
    words = " ".join([title, *(sentence.text for sentence in sentences)])
    opening = [s for s in sentences if s.section == "Abstract"] or [
        s for s in sentences if not s.section and s.page == 1
    ]
    said = [s.text for s in opening if not s.text.lower().startswith("keyword")]
    return Paper(
        id="p-" + hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:10],
        title=title,
        authors=authors,
        abstract=" ".join(said)[:3_000],
        pages=pages,
        sentences=tuple(sentences),
        references=references,
        source=source,
    )


def _body_style(lines: Sequence[Line]) -> tuple[float, bool]:
    weight: Counter[tuple[float, bool]] = Counter()
    for line in lines:
        weight[(line.size, line.bold)] += len(line.text)
    return weight.most_common(1)[0][0]


def _blocks(body: Sequence[Line], size: float, bold: bool) -> list[_Block]:
    """Sections in order. Footnotes and captions follow the text of their section, since they interrupt a sentence."""
    blocks = [_Block(section="")]
    asides: list[_Block] = []
    for line in body:
        if _WEB.match(line.text):
            continue
        abstract = _ABSTRACT.match(line.text) if len(blocks) == 1 else None
        if abstract:
            blocks.append(_Block(section="Abstract"))
            blocks[-1].add(Line(text=line.text[abstract.end() :], page=line.page, size=line.size))
        elif heading := _heading(line, size, bold):
            blocks += [*asides, _Block(section=heading)]
            asides = []
        elif _is_aside(line, size, blocks[-1].section):
            if not asides or _starts_aside(line):
                asides.append(_Block(section=blocks[-1].section))
            asides[-1].add(line)
        else:
            blocks[-1].add(line)
    return blocks + asides


def _is_aside(line: Line, size: float, section: str) -> bool:
    small = bool(line.size) and line.size < size - SMALLER and section not in ("", "Abstract")
    return small or bool(_COPYRIGHT.match(line.text))


def _starts_aside(line: Line) -> bool:
    return bool(_CAPTION.match(line.text) or re.match(r"^\d{1,2}\s", line.text) or _COPYRIGHT.match(line.text))


def _heading(line: Line, size: float, bold: bool) -> str:
    """The heading that a line is, without its number; nothing for any other line."""
    text = line.text.replace("\t", " ").strip()
    if len(text) > LONGEST_HEADING or text.endswith((",", ";", "-")):
        return ""
    bare = _NUMBERED.sub("", text).strip()
    if _KNOWN.match(bare.rstrip(".:")) and bare[0].isupper():
        return bare.rstrip(".:").capitalize() if bare.isupper() else bare.rstrip(".:")
    larger = bool(line.size) and line.size >= size + 0.9
    stands_out = larger or (line.bold and not bold and line.size >= size - 0.1)
    words = len(re.findall(r"[^\W\d_]{3,}", bare))
    if not words or len(bare.split()) > 12 or bare.endswith("."):
        return ""
    if bare != text and (stands_out or not line.size):
        return bare
    return bare if larger and bare[0].isupper() and words >= 1 and not _CAPTION.match(bare) else ""


def _split_references(lines: Sequence[Line]) -> tuple[list[Line], tuple[str, ...]]:
    earliest = len(lines) * EARLIEST_REFERENCES
    starts = [i for i, line in enumerate(lines) if _REFERENCES.match(line.text.strip()) and i >= earliest]
    if not starts:
        return list(lines), ()
    start = starts[-1]
    stop = next((i for i in range(start + 1, len(lines)) if _AFTER_REFERENCES.match(lines[i].text)), len(lines))
    entries: list[str] = []
    for line in lines[start + 1 : stop]:
        if not entries or _ENTRY.match(line.text):
            entries.append(line.text)
        else:
            entries[-1] += " " + line.text
    appended = [] if stop < len(lines) and _ADDRESS.match(lines[stop].text) else lines[stop:]
    return [*lines[:start], *appended], tuple(" ".join(entry.split()) for entry in entries)
