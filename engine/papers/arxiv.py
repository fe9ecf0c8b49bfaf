"""arXiv: a paper by its link or number, and a search (https://info.arxiv.org/help/api/user-manual.html)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

from engine.errors import PaperError
from engine.papers.ingest import read_pdf
from engine.papers.literature import Work
from engine.papers.paper import Paper
from engine.papers.web import NotThere, Web

URL = "https://export.arxiv.org"  # the mirror that programs are asked to use
PAUSE_SECONDS = 3.0  # https://info.arxiv.org/help/api/tou.html
FOREVER, A_WEEK = 36_500.0, 7.0  # days; a numbered version never changes
_NEW = r"\d{4}\.\d{4,5}(?:v\d{1,2})?"
_OLD = r"[a-z-]+(?:\.[A-Z]{2})?/\d{7}(?:v\d{1,2})?"
_NAMED = re.compile(rf"arxiv(?:\.org/(?:abs|pdf|html)/|:|\s+)\s*(?P<id>{_NEW}|{_OLD})", re.IGNORECASE)
_BARE = re.compile(rf"^\s*(?P<id>{_NEW})\s*$")
_ATOM = "{http://www.w3.org/2005/Atom}"


def arxiv_id(text: str) -> str | None:
    """The first arXiv number in a message: in a link, after "arXiv:", or alone."""
    found = _NAMED.search(text) or _BARE.match(text)
    return found["id"] if found else None


class Arxiv:
    name = "arXiv"

    def __init__(self, web: Web) -> None:
        self._web = web

    def paper(self, number: str) -> Paper:
        """Raises PaperError: not there, not to be reached, or no PDF that can be read."""
        try:
            data = self._web.get(f"pdf/{number}", days=FOREVER)
        except NotThere as error:
            raise PaperError(f"arXiv has no paper {number} (404): check the number, or attach the PDF.") from error
        if b"%PDF" not in data[:1024]:
            raise PaperError(f"arXiv has no PDF of {number} (it may have been withdrawn): attach the PDF.")
        return read_pdf(data, f"arXiv {number}")

    def search(self, query: str, count: int) -> tuple[Work, ...]:
        words = re.findall(r"\w+", query)[:12]
        if not words:
            return ()
        params = {
            "search_query": " OR ".join(f"all:{word}" for word in words),
            "max_results": str(count),
            "sortBy": "relevance",
        }
        body = self._web.get("api/query", params, days=A_WEEK)
        try:
            feed = ElementTree.fromstring(body)
        except ElementTree.ParseError as error:
            raise PaperError("arXiv answered what is no Atom feed: check CONJECTURE_ARXIV_URL.") from error
        return tuple(_work(entry) for entry in feed.iter(f"{_ATOM}entry") if _text(entry, "title"))


def _work(entry: ElementTree.Element) -> Work:
    published = _text(entry, "published")[:4]
    return Work(
        title=_text(entry, "title"),
        authors=tuple(_text(author, "name") for author in entry.iter(f"{_ATOM}author")),
        year=int(published) if published.isdigit() else None,
        url=_text(entry, "id"),
        abstract=_text(entry, "summary"),
        source="arXiv",
    )


def _text(element: ElementTree.Element, tag: str) -> str:
    return " ".join((element.findtext(f"{_ATOM}{tag}") or "").split())
