"""PDFs, real ones made here, and pasted text: what is read of them, and what is said of those that cannot be read."""

from __future__ import annotations

import io

import pypdf
import pytest
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from engine.errors import PaperError
from engine.papers.ingest import read_pasted, read_pdf
from engine.papers.lines import HYPHEN, Line, cleaned
from engine.papers.paper import Paper
from engine.papers.pdf import lines_with_pdfium, lines_with_pypdf
from engine.papers.sentences import split

LEFT = """1. Introduction
Networks with wide layers are slow to train.
We propose a method that trains them more effici-
ently than before. It needs no labels for the
ﬁrst half of the training.
2. Results
Our method has an accuracy of 0.91, better than
the baseline's 0.84 (Smith et al. 2010). It also"""
RIGHT = """trains twice as fast on every one of the sets.
3. Limitations
The method cannot handle missing values yet.
References
Smith, A. (2010). On baselines. In Proc. X.
Young, B. (2012). On widths. Journal of Y."""


def pdf(*pages: list[tuple[float, float, float, str]]) -> bytes:
    """Pages of texts: (x, y, size, text), from the lower left corner, in inches."""
    out = io.BytesIO()
    with PdfPages(out) as file:
        for texts in pages:
            figure = Figure(figsize=(8.5, 11))
            for x, y, size, text in texts:
                for number, line in enumerate(text.splitlines()):
                    figure.text(x / 8.5, (y - number * size * 1.3 / 72) / 11, line, size=size, family="DejaVu Sans")
            file.savefig(figure)
    return out.getvalue()


@pytest.fixture(scope="module")
def two_columns() -> Paper:
    page = [
        (1.5, 10.2, 16, "Training Wide Networks:\nA Quicker Method for Image Recognition"),
        (1.5, 9.5, 11, "Ada Lovelace"),
        (5.0, 9.5, 11, "Charles M. Babbage"),
        (1.5, 9.3, 9, "University of London"),
        (0.7, 8.8, 9, LEFT),
        (4.6, 8.8, 9, RIGHT),
    ]
    return read_pdf(pdf(page), "wide.pdf")


def test_title_and_authors_are_those_of_page_1(two_columns: Paper) -> None:
    assert two_columns.title == "Training Wide Networks: A Quicker Method for Image Recognition"
    assert two_columns.authors == ("Ada Lovelace", "Charles M. Babbage")


def test_columns_are_read_one_after_the_other_and_broken_words_are_mended(two_columns: Paper) -> None:
    texts = [sentence.text for sentence in two_columns.sentences]
    assert "We propose a method that trains them more efficiently than before." in texts
    assert "It needs no labels for the first half of the training." in texts
    assert "It also trains twice as fast on every one of the sets." in texts


def test_sentences_know_their_section(two_columns: Paper) -> None:
    assert two_columns.sections == ("Introduction", "Results", "Limitations")
    assert next(s.section for s in two_columns.sentences if "0.91" in s.text) == "Results"


def test_references_are_split_off(two_columns: Paper) -> None:
    assert [entry[:5] for entry in two_columns.references] == ["Smith", "Young"]
    assert not any("Proc." in sentence.text for sentence in two_columns.sentences)


def test_sentences_know_their_page() -> None:
    def page(word: str) -> list[tuple[float, float, float, str]]:
        lines = [f"Sentence {n} is about {word} and about nothing else at all." for n in range(6)]
        return [(1, 9, 10, "\n".join(lines))]

    paper = read_pdf(pdf(page("cats"), page("dogs")), "two.pdf")
    assert {(s.page, "cats" in s.text) for s in paper.sentences} == {(1, True), (2, False)}
    assert paper.pages == 2


def test_running_heads_and_page_numbers_are_left_out() -> None:
    pages = [
        [Line(text=text, page=n) for text in (f"Lovelace: Networks {n}", f"{word} here", f"{word} there", str(n))]
        for n, word in enumerate(("cats", "dogs", "cows"), start=1)
    ]
    left = [line.text for line in cleaned(pages)]
    assert left == ["cats here", "cats there", "dogs here", "dogs there", "cows here", "cows there"]


@pytest.mark.parametrize(
    ("broken", "elsewhere", "word"),
    [
        (f"algo{HYPHEN}rithms", "many algorithms", "algorithms"),
        (f"gold{HYPHEN}standard", "a gold-standard list", "gold-standard"),
        (f"sentiment{HYPHEN}laden", "sentiment and laden", "sentiment-laden"),
        (f"cata{HYPHEN}lysis", "nothing", "catalysis"),
    ],
)
def test_a_broken_word_keeps_its_hyphen_only_where_the_paper_writes_one(broken: str, elsewhere: str, word: str) -> None:
    lines = cleaned([[Line(text=f"The {broken} here", page=1), Line(text=elsewhere, page=1)]])
    assert lines[0].text == f"The {word} here"


def test_dots_within_names_and_abbreviations_end_no_sentence() -> None:
    text = "As Smith et al. (2010) and J. R. Doe say, e.g. in Fig. 3, p = 0.5 is best. We agree. It works."
    assert split(text) == [text[: text.index(" We")], "We agree.", "It works."]


def encrypted() -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf([(1, 9, 10, "secret " * 60)])))
    writer.encrypt("word", algorithm="RC4-128")
    return written(writer)


def blank(pages: int) -> bytes:
    writer = pypdf.PdfWriter()
    for _ in range(pages):
        writer.add_blank_page(612, 792)
    return written(writer)


def written(writer: pypdf.PdfWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


BAD = {
    "empty": (b"", "a.pdf is empty (0 bytes): attach it again."),
    "not a PDF": (b"PK\x03\x04 a document", "a.pdf is not a PDF: attach the paper as PDF, give its arXiv link"),
    "encrypted": (encrypted(), "a.pdf is encrypted and asks for a password: save it without one"),
    "a scan": (blank(3), "a.pdf has 3 pages but no text on them, so it seems to be a scan"),
    "2,000 pages": (blank(2_000), "a.pdf has 2,000 pages; at most 400 are read: attach the part that matters."),
    "damaged": (b"%PDF-1.7\n" + b"\x00garbage" * 50, "a.pdf is damaged and cannot be read as a PDF"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_read_is_said_in_one_sentence_with_advice(name: str) -> None:
    data, said = BAD[name]
    with pytest.raises(PaperError) as raised:
        read_pdf(data, "a.pdf")
    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_the_fallback_reads_the_same_lines_in_the_same_form() -> None:
    data = pdf([(1, 9, 10, "Some words stand here.")])
    fallback, usual = lines_with_pypdf(data)[0][0], lines_with_pdfium(data)[0][0]
    assert fallback["text"] == usual["text"] == "Some words stand here."
    assert fallback.keys() == usual.keys()


def test_pasted_text_is_a_paper_on_page_1() -> None:
    paper = read_pasted("Deep nets for cats\n\nAbstract\n" + "We show that cats are seen better. " * 12)
    assert (paper.title, paper.pages, paper.sentences[0].section) == ("Deep nets for cats", 1, "Abstract")


def test_the_same_text_has_the_same_id() -> None:
    text = "A title\n" + "Every sentence here is the same as before. " * 10
    assert read_pasted(text).id == read_pasted(text, "b.txt").id


def test_too_short_a_text_is_told_with_advice() -> None:
    with pytest.raises(PaperError, match="has 2 words; a paper needs at least 40"):
        read_pasted("Hello there")
