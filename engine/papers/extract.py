"""What a paper says, picked out without a model: sentences that state results, limits and data, and its own terms.

It answers the same brief in the same form as a model would (reading.py); everything in it is a quotation.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer

from engine.papers.sentences import split
from engine.papers.shelf import terms
from engine.sentence import word_set

MOST_CLAIMS, MOST_GAPS, MOST_KEYWORDS, MOST_DATA_SETS = 8, 5, 8, 6
FEWEST_COUNTED = 100  # of what may be a data set
SAME = 0.6  # Jaccard index of their terms from which two sentences say the same
SHORTEST, LONGEST = 6, 90  # words of a sentence that is worth quoting

_RESULT = re.compile(
    r"\b(?:outperform\w*|surpass\w*|exceed\w*|improv\w+|increas\w+|decreas\w+|reduc\w+|better|worse|higher|lower|faster|"
    r"slower|smaller|larger|more \w+ than|less \w+ than|best|superior|inferior|as well as|on par|state-of-the-art|"
    r"drop|gain|speed-?up)\b",
    re.IGNORECASE,
)
_NO_RESULT = re.compile(r"^(?:for example|if|in order to|suppose|let|when|note that|assume|take)\b", re.IGNORECASE)
_STRONG = re.compile(
    r"\b(?:outperform\w*|surpass\w*|we (?:find|show|achieve|observe|obtain)|better than|on par)\b", re.I
)
_OWN = re.compile(r"\b(?:we|our|this (?:paper|work|study)|the proposed)\b", re.IGNORECASE)
# What was measured has decimals or is a percentage; whole numbers count steps, pages and samples.
_FIGURE = re.compile(r"(?<![\w.,])[-–+]?(?:\d*\.\d+\s?%?|\d+\s?%)(?!\w)")
_NO_FIGURE = re.compile(
    r"\b(?:table|tables|figure|figures|fig\.|section|sections|subsections?|equations?|eq\.|chapter|step|version|rule)"
    r"\s+\(?\d+(?:\.\d+)*(?: (?:and|to) \d+(?:\.\d+)*)?\)?|\b(?:19|20)\d\d\b|\[\d+(?:, ?\d+)*\]",
    re.IGNORECASE,
)
_CITATION = re.compile(r"\((?:[^()]*?\b(?:19|20)\d\d[a-z]?[^()]*?)\)|\bet al\b|\[\d+\]")
_CAPTION = re.compile(r"^(?:table|figure|fig\.|algorithm|listing|note)\b", re.IGNORECASE)
_GAPS = (
    (3.0, r"future (?:work|research|studies|directions?)|further (?:work|research|study|investigation)|limitations?|"
          r"in (?:the )?future|open (?:question|problem|issue)s?|remains? (?:open|unclear|to be)|is left (?:for|to)"),
    (2.0, r"beyond the scope|not (?:yet|currently)|too (?:expensive|intensive|slow|costly)|has not been|have not been|"
          r"could be (?:improved|extended)|would be (?:useful|interesting|desirable)|drawbacks?|shortcomings?"),
    (1.0, r"(?:is|are|was|were) (?:unable to|insensitive|ignorant)|cannot|(?<!no )(?<!not )fails? to|lacks?|lack of|"
          r"suffers? from|(?:does|do) not (?:account|consider|include|capture|handle|support)|"
          r"only (?:works|applies|supports)"),
)  # fmt: skip
_GAP_PATTERNS = tuple((weight, re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE)) for weight, pattern in _GAPS)
_LATE = re.compile(r"discussion|conclusion|limitation|future|outlook|summary", re.IGNORECASE)
_FOR_RESULTS = re.compile(r"abstract|introduction|result|experiment|evaluation|discussion|conclusion|comparison", re.I)
_OF_OTHERS = re.compile(r"related work|background|acknowledg|computational details", re.IGNORECASE)
_PROPOSES = re.compile(
    r"\b(?:we|this (?:paper|article|work|study|document|vignette))\s+(?:\w+ )?(?:present|propose|introduce|describe|"
    r"develop|study|investigate|address|report|provide|discuss|spell)|"
    r"\bthe \w+ package (?:provides|implements|offers|aims|was)|"
    r"\bis an? (?:\w+ ){0,3}(?:package|framework|model|method|algorithm|approach)\b",
    re.IGNORECASE,
)
_THINGS = (
    r"tweets|reviews|snippets|images|sentences|documents|articles|essays|posts|comments|examples|samples|patients|records|"
    r"instances|questions|pairs|observations|series|subjects|participants|games|videos|recordings"
)
_DATA = re.compile(
    r"\b((?:[A-Z][\w’'-]*[ ]){1,4}(?:data ?sets?|corpus|corpora|benchmark|database|data)"
    r"(?! (?:set|type|frame|analys|min)))\b|"
    rf"\b(\d[\d,]*\d (?:[a-z-]+ ){{0,2}}(?:{_THINGS}))\b"
)
_NO_NAME = word_set("the a an this these our all for in if when each most note one such simulated")
_PLAIN = frozenset(ENGLISH_STOP_WORDS) | word_set(
    "use used using based paper table figure figures section results result shown show shows given example examples "
    "different new set number case following method methods approach value values model models data also one two "
    "three first second general provide provides available et al e g i r package function functions argument object "
    "class classes default return returns work works software journal university"
)


@dataclass(frozen=True, slots=True)
class _Said:
    text: str
    section: str
    order: int


def extracted(brief: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a brief with "title" and "pages" (a list of {"page", "section", "text"})."""
    title = str(brief.get("title", ""))
    pages = list(brief.get("pages", ()))
    texts = [(sentence, str(page["section"])) for page in pages for sentence in split(str(page["text"]))]
    said = [_Said(text, section, order) for order, (text, section) in enumerate(texts)]
    prose = [one for one in said if is_prose(one.text)]
    return {
        "task": _task(title, prose),
        "method": next((one.text for one in prose if _PROPOSES.search(one.text)), prose[0].text if prose else ""),
        "data_sets": _data_sets(said),
        "keywords": keywords(title, [one.text for one in said]),
        "claims": [{"text": text, "quote": text} for text in _best(prose, _claim_weight, MOST_CLAIMS)],
        "gaps": [{"text": text, "quote": text} for text in _best(prose, _gap_weight, MOST_GAPS)],
    }


def is_prose(text: str) -> bool:
    """A sentence that can be quoted alone, not a table, a formula or the output of a program."""
    words = text.split()
    wordlike = [word for word in words if re.fullmatch(r"[(“\"'‘]*[^\W\d_][\w'’-]*[^\w\s]*", word)]
    odd = len(re.findall(r"[=<>{}\[\]$\\|_~^∑∏∂∈θ]", text))
    return (
        SHORTEST <= len(words) <= LONGEST
        and len(wordlike) >= 0.7 * len(words)
        and odd <= 2 + len(words) // 12
        and text[:1].isupper()
        and bool(re.search(r"[.!?:][\"'”’)]*$", text))
        and not _CAPTION.match(text)
    )


def figures(text: str) -> list[str]:
    """The numbers that a sentence states, without years, citations and numbers of tables and sections."""
    return [found.strip() for found in _FIGURE.findall(_CITATION.sub(" ", _NO_FIGURE.sub(" ", text)))]


def _claim_weight(one: _Said) -> float:
    stated, results = figures(one.text), _RESULT.findall(one.text)
    if not results or _OF_OTHERS.search(one.section) or _NO_RESULT.match(one.text):
        return 0.0
    strong = _STRONG.search(one.text)
    if _CITATION.search(one.text) and not _OWN.search(one.text):  # what others found
        return 0.0
    weight = min(len(results), 2) * 0.5 + (1.5 if strong else 0) + (1 if _OWN.search(one.text) else 0)
    weight += (2 + 0.5 * min(len(stated), 2)) if stated else 0
    weight += 1 if _FOR_RESULTS.search(one.section) else 0
    weight -= 2 if _CITATION.search(one.text) else 0
    # Without a figure it has to say itself that it is a finding.
    return weight if stated or strong else 0.0


def _gap_weight(one: _Said) -> float:
    weight = max((weight for weight, pattern in _GAP_PATTERNS if pattern.search(one.text)), default=0.0)
    if not weight or re.search(r"acknowledg|computational details", one.section, re.IGNORECASE):
        return 0.0
    return weight + (1.0 if _LATE.search(one.section) else 0) - (0.5 if _CITATION.search(one.text) else 0)


def _best(said: Sequence[_Said], weigh: Any, most: int) -> list[str]:
    """The heaviest first; of sentences that say the same, the heavier."""
    weights = {one.order: weigh(one) for one in said}
    chosen: list[_Said] = []
    for one in sorted(said, key=lambda one: (-weights[one.order], one.order)):
        if weights[one.order] <= 0 or len(chosen) == most:
            break
        if all(_likeness(one.text, other.text) < SAME for other in chosen):
            chosen.append(one)
    return [one.text for one in chosen]


def _likeness(one: str, other: str) -> float:
    a, b = set(terms(one)), set(terms(other))
    return len(a & b) / max(1, len(a | b))


def _task(title: str, prose: Sequence[_Said]) -> str:
    """What the title says it is for; else the whole title; else the first sentence."""
    purpose = re.search(r"\bfor\s+((?:\S+\s+){1,}\S+)$", title)
    return purpose[1] if purpose else title or (prose[0].text if prose else "")


def _data_sets(said: Sequence[_Said]) -> list[str]:
    """Those with a name, the most mentioned first; then counted things, the most numerous first."""
    named: Counter[str] = Counter()
    counted: dict[str, int] = {}
    for one in said:
        for name, things in _DATA.findall(one.text):
            words = name.split()
            while words and words[0].lower() in _NO_NAME:
                words = words[1:]
            if len(words) > 1:
                named[" ".join(words)] += 1
            number = int(re.sub(r"\D", "", things.split()[0])) if things else 0
            if number >= FEWEST_COUNTED:
                counted[things] = number
    return [*(name for name, _ in named.most_common()), *sorted(counted, key=lambda c: -counted[c])][:MOST_DATA_SETS]


def keywords(title: str, texts: Sequence[str]) -> list[str]:
    """The paper's own list where it has one; else its terms of up to three words by TF-IDF over its sentences."""
    own = next((text for text in texts if re.match(r"key ?words?\s*[:—–-]", text, re.IGNORECASE)), "")
    if own:
        listed = re.split(r"[,;·•]", re.split(r"[:—–-]", own, maxsplit=1)[1])
        return [" ".join(word.split()).strip(" .") for word in listed if 1 < len(word.strip(" .")) < 50][
            : MOST_KEYWORDS + 4
        ]
    lines = [title] * 3 + [_CITATION.sub(" ", text) for text in texts if is_prose(text)]
    if len(lines) < 8:
        return []
    vectorizer = TfidfVectorizer(
        ngram_range=(1, 3), min_df=3, token_pattern=r"(?u)\b[^\W\d_][\w-]+\b", sublinear_tf=True
    )
    try:
        weights = vectorizer.fit_transform(lines).sum(axis=0).A1
    except ValueError:  # no term is there three times
        return []
    scored = zip(vectorizer.get_feature_names_out(), weights, strict=True)
    fitting = [(name, weight * (2 * len(name.split()) - 1)) for name, weight in scored if _may_be_keyword(name)]
    chosen: list[str] = []
    for name, _ in sorted(fitting, key=lambda item: (-item[1], item[0])):
        if not any(_overlap(name, other) for other in chosen):
            chosen.append(name)
    return chosen[:MOST_KEYWORDS]


def _overlap(one: str, other: str) -> bool:
    a, b = set(terms(one)), set(terms(other))
    return a <= b or b <= a


def _may_be_keyword(name: str) -> bool:
    words = name.split()
    return not any(word in _PLAIN or len(word) < 3 for word in words)
