"""From a file, a link or pasted text to what the paper says, related work, and ideas. Knows neither Slack nor SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.llm.client import LLM
from engine.papers.arxiv import Arxiv, arxiv_id
from engine.papers.ideas import PASSAGES, Ideas, propose, subject_of
from engine.papers.ingest import read_pasted, read_pdf
from engine.papers.liking import Opinion
from engine.papers.literature import Literature, Related, related
from engine.papers.paper import Paper
from engine.papers.reading import Understanding, understand
from engine.papers.retrieval import Retrieval


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """All that is known of one paper."""

    paper: Paper
    understood: Understanding
    related: Related
    ideas: Ideas


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingRoom:
    """Made in app.py. Every method raises PaperError, in one sentence for people."""

    model: LLM
    retrieval: Retrieval
    arxiv: Arxiv
    literatures: Sequence[Literature]
    opinions: Callable[[], Sequence[Opinion]]  # the team's votes on earlier ideas, the newest last

    def paper(self, text: str = "", data: bytes | None = None, name: str = "") -> Paper:
        """Of an attached file; else of the arXiv number in the text; else the text itself. The library keeps it."""
        if data is None:
            number = arxiv_id(text)
            return self.pasted(text) if number is None else self._kept(self.arxiv.paper(number))
        if _is_text(data, name):
            return self._kept(read_pasted(data.decode("utf-8", "replace"), name))
        return self._kept(read_pdf(data, name))

    def pasted(self, text: str) -> Paper:
        """Of the text itself, whatever numbers it names."""
        return self._kept(read_pasted(text))

    def _kept(self, paper: Paper) -> Paper:
        self.retrieval.add(paper)
        return paper

    def read(self, paper: Paper) -> Read:
        """A minute or less with a model, seconds without."""
        understood = self.understood(paper)
        found = self.related(paper, understood)
        ideas = self.ideas(paper, understood, found)
        return Read(paper=paper, understood=understood, related=found, ideas=ideas)

    def understood(self, paper: Paper) -> Understanding:
        return understand(paper, self.model)

    def related(self, paper: Paper, understood: Understanding) -> Related:
        query = " ".join([understood.title, *(keyword.text for keyword in understood.keywords[:4])])
        return related(self.literatures, query, leave_out=paper.name)

    def ideas(self, paper: Paper, understood: Understanding, found: Related) -> Ideas:
        passages = self.retrieval.cited(subject_of(understood), PASSAGES)
        return propose(paper, understood, self.model, found.works, opinions=self.opinions(), passages=passages)


def _is_text(data: bytes, name: str) -> bool:
    return name.lower().endswith((".txt", ".md", ".tex")) and b"%PDF" not in data[:1024]
