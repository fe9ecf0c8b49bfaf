"""What "propose 8 activation functions for small image classifiers" asks for: kinds, counts, purpose, strategies.

Numbers. One in front of each kind counts for that kind, and the total is their sum. A single one is the total over all
kinds, split evenly, unless "each" is said. Without any it is DEFAULT_COUNT in all; "an activation function" is one.
A kind that is left open ("propose something for tabular data", "surprise me") is drawn by lot: so many kinds that each
gets FAIR_SHARE, since one of a kind has nothing to be ranked against, or all of them when there are enough.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from engine.request import Strategy
from engine.sentence import ASKS, FILLERS, INCREMENTAL, JOINS, MAY_ASK, NOVEL, Sentence, parse, word_set
from engine.suite_phrase import suite_phrase
from engine.understanding import FEWEST, MOST, CountOutOfRange, Propose, UnknownSuite, UnsupportedKind
from engine.vocabulary import Mention
from engine.wording import DEFAULT_COUNT, Number
from sandbox.guest.components.kind import Kind

_QUESTIONS = word_set("what why how who when where which is are does do did explain describe what's whats")
_OPEN = word_set(
    "something anything everything thing things idea ideas component components hypothesis hypotheses candidate "
    "candidates ones one improvement improvements stuff suggestion suggestions proposal proposals option options "
    "experiment experiments them more those new kind kinds sort sorts type types whatever anyone"
)
_COMPONENTS = word_set("component components hypothesis hypotheses kind kinds")
_KINDS = word_set("kind kinds type types sort sorts")
_SUBJECTS = word_set(
    "pooling pool attention layer layers convolution convolutions architecture architectures model models network "
    "networks net nets dropout dropouts embedding embeddings tokenizer tokenizers augmentation augmentations kernel "
    "kernels block blocks encoder encoders decoder decoders transformer transformers function functions gate gates "
    "unit units metric metrics dataset datasets classifier classifiers algorithm algorithms"
)
_LONGEST_SUBJECT = 6  # words
_LISTING = (
    FILLERS | NOVEL | INCREMENTAL | JOINS | ASKS | MAY_ASK | word_set("or as well only each strategy those like such")
)
FAIR_SHARE = 2  # components of a kind, where the kind was left open


def asked(
    text: str, kinds: Mapping[str, Kind], chance: str, suites: Sequence[str] = ()
) -> Propose | UnsupportedKind | CountOutOfRange | UnknownSuite | None:
    """What a cleaned text asks to be proposed; None when it does not ask for components.

    `chance` decides which kinds are drawn where they were left open. `suites`: the names of the teams' models.
    """
    phrase = suite_phrase(text, suites)
    meant = _asked(parse(phrase.rest, kinds), kinds, chance)
    if phrase.unknown and isinstance(meant, Propose):
        return UnknownSuite(word=phrase.unknown, near=phrase.near)
    return replace(meant, suite=phrase.name) if isinstance(meant, Propose) else meant


def _asked(
    sentence: Sentence, kinds: Mapping[str, Kind], chance: str
) -> Propose | UnsupportedKind | CountOutOfRange | None:
    if not sentence.words or _refuses(sentence) or _is_question(sentence):
        return None
    wanted = [m for m in sentence.mentions if sentence.in_head(m.start) and not sentence.negated(m.start)]
    wanted = _in_one_list(sentence, wanted)
    if wanted:
        if sentence.verb is None and not _asks_without_propose(sentence, wanted):
            return None
        return _for_kinds(sentence, wanted)
    subject = _subject(sentence)
    if subject is not None:
        named = any(word.lower() in _SUBJECTS for word in subject.split())
        if sentence.verb is None and not (sentence.weak_verb is not None and named):
            return None
        return UnsupportedKind(word=subject, supported=tuple(kind.plural for kind in kinds.values()))
    return _for_any_kind(sentence, kinds, chance) if _asks_for_anything(sentence) else None


def _in_one_list(sentence: Sentence, mentions: Sequence[Mention]) -> list[Mention]:
    """Without those of a clause about what is asked for: "initializers that suit ReLU activations" are initializers,
    "something to lower the loss" is anything.
    """
    kept: list[Mention] = []
    first = mentions[0].start if mentions else 0
    left_open = max((i for i in range(first) if sentence.in_head(i) and sentence.words[i].low in _OPEN), default=first)
    purposes = {i for purpose in sentence.purposes for i in (purpose.start - 1, *purpose)}
    for mention in mentions:
        between = range(kept[-1].end if kept else left_open + 1, mention.start)
        words = [sentence.words[i].low for i in between if i not in purposes and not sentence.is_number(i)]
        if all(word in _LISTING for word in words):
            kept.append(mention)
    return kept


# --- is it a request at all


def _refuses(sentence: Sentence) -> bool:
    verb = sentence.verb if sentence.verb is not None else sentence.weak_verb
    return verb is not None and sentence.negated(verb)


def _is_question(sentence: Sentence) -> bool:
    """ "What is ...", "how do ...". But "what about ..." and "which ... would you suggest" ask for something."""
    lows = [word.low for word in sentence.words[:2]]
    if lows[0] not in _QUESTIONS or lows[1:] == ["about"]:
        return False
    return sentence.verb is None or lows[0] in ("why", "how", "explain", "describe") or lows[1:] in (["is"], ["are"])


def _asks_without_propose(sentence: Sentence, wanted: Sequence[Mention]) -> bool:
    """ "Give me activations", "8 activation functions", "ideas for novel activations"."""
    if sentence.weak_verb is not None and sentence.weak_verb < wanted[0].start:
        return True
    head = next(head for head in sentence.heads if wanted[-1].start in head)
    around = {*range(wanted[0].start), *range(wanted[-1].end, head.stop)}
    around -= {i for purpose in sentence.purposes for i in (purpose.start - 1, *purpose)}
    return sentence.only_fillers([i for i in around if sentence.words[i].low not in _OPEN])


def _asks_for_anything(sentence: Sentence) -> bool:
    """ "Propose something", "give me 5 ideas", "try something for tabular data", "5 more"."""
    if sentence.verb is not None:
        return True
    counted = any(sentence.in_head(number.start) for number in sentence.numbers)
    if sentence.weak_verb is not None:
        return counted or bool(sentence.purposes)
    lows = {word.low for word in sentence.words}
    if lows & {"more", "another"} and sentence.only_fillers(range(len(sentence.words))):
        return True
    rest = [i for head in sentence.heads for i in head if sentence.words[i].low not in _OPEN | {"every"}]
    left_open = counted or lows & {"any", "every", "each", "all", "whatever"}
    return bool(left_open and lows & _COMPONENTS) and sentence.only_fillers(rest)


def _subject(sentence: Sentence) -> str | None:
    """The words for what is wanted when no kind is among them; None when they leave it open."""
    verb = sentence.verb if sentence.verb is not None else sentence.weak_verb
    for head in sentence.heads:
        inside = [i for i in head if (verb is None or i > verb) and not sentence.is_number(i)]
        open_or_filler = FILLERS | NOVEL | INCREMENTAL
        while inside and sentence.words[inside[0]].low in open_or_filler:
            inside.pop(0)
        while inside and sentence.words[inside[-1]].low in open_or_filler - _OPEN:
            inside.pop()
        if inside and sentence.words[inside[0]].low not in _OPEN and sentence.words[inside[-1]].low not in _OPEN:
            last = min(inside[-1], inside[0] + _LONGEST_SUBJECT - 1)
            return sentence.shown(range(inside[0], last + 1))
        if inside:
            return None
    return None


# --- how many of what


def _for_kinds(sentence: Sentence, mentions: Sequence[Mention]) -> Propose | CountOutOfRange:
    given = [_amount(sentence, mention, mentions) for mention in mentions]
    late = None if all(given) else _late(sentence, [n for n in given if n], mentions[0].start)
    values = [number.value for number in (*given, late) if number] or [DEFAULT_COUNT]
    names = list(dict.fromkeys(mention.kind for mention in mentions))
    if all(given):
        pairs = [(m.kind, number.value) for m, number in zip(mentions, given, strict=True) if number]
        totals = {name: math.ceil(sum(value for kind, value in pairs if kind == name)) for name in names}
    elif _each(sentence):
        totals = dict.fromkeys(names, math.ceil(sum(values)))
    else:
        totals = dict(zip(names, split(math.ceil(sum(values)), len(names)), strict=True))
    notes = [
        *_typing_errors(mentions),
        *_left_out(sentence, [number for number in (*given, late) if number]),
    ]
    return _proposal(sentence, totals, values, notes)


def _for_any_kind(sentence: Sentence, kinds: Mapping[str, Kind], chance: str) -> Propose | CountOutOfRange:
    inside = [number.value for number in sentence.numbers if sentence.in_head(number.start)]
    excluded = {mention.kind for mention in sentence.mentions if sentence.negated(mention.start)}
    names = [name for name in kinds if name not in excluded] or list(kinds)
    count = math.ceil(inside[0]) if inside else DEFAULT_COUNT
    if _each(sentence):
        return _proposal(sentence, dict.fromkeys(names, count), inside[:1], (), kind_named=False)
    most = len(names) if _all_kinds(sentence) else min(len(names), max(1, math.ceil(count / FAIR_SHARE)))
    drawn = sorted(Random(chance).sample(names, most), key=names.index)
    left_open = f"You left the kind open, so I drew {most} of {len(names)} kinds by lot. Name kinds to choose yourself."
    notes = [left_open] if most < len(names) else []
    totals = dict(zip(drawn, split(max(0, count), most), strict=True))
    return _proposal(sentence, totals, inside[:1], notes, kind_named=False)


def _proposal(
    sentence: Sentence,
    totals: Mapping[str, int],
    values: Sequence[float],
    notes: Sequence[str],
    *,
    kind_named: bool = True,
) -> Propose | CountOutOfRange:
    outside = [math.floor(value) for value in values if value <= FEWEST - 1] or [
        total for total in (sum(totals.values()),) if total > MOST
    ]
    if outside:
        return CountOutOfRange(count=outside[0])
    rounded = [f"I read {value:g} as {math.ceil(value)}." for value in values if value != int(value)]
    wanted = {name: total for name, total in totals.items() if total}
    return Propose(
        kinds=tuple(wanted),
        counts=tuple(wanted.values()),
        strategies=_strategies(sentence),
        purpose=sentence.purpose,
        kind_named=kind_named,
        note=" ".join([*sentence.notes, *rounded, *notes]) or None,
    )


def split(total: int, parts: int) -> list[int]:
    """Whole numbers that add up to `total` and differ by one at most, the larger ones first."""
    each, over = divmod(total, parts)
    return [each + (index < over) for index in range(parts)]


def _amount(sentence: Sentence, mention: Mention, mentions: Sequence[Mention]) -> Number | None:
    """The number in front of a mention: the nearest one since the mention before; "a regularizer" is one."""
    since = max([other.end for other in mentions if other.end <= mention.start], default=0)
    since = max(since, next(head.start for head in sentence.heads if mention.start in head))
    near = [n for n in sentence.numbers if n.start >= since and mention.start - 6 <= n.end <= mention.start]
    if near:
        return near[-1]
    articles = [i for i in range(max(since, mention.start - 3), mention.start) if _is_article(sentence, i)]
    return Number(value=1, start=articles[-1], end=articles[-1] + 1) if articles and not mention.plural else None


def _is_article(sentence: Sentence, at: int) -> bool:
    return sentence.words[at].low in ("a", "an", "another", "single")


def _late(sentence: Sentence, used: Sequence[Number], first: int) -> Number | None:
    """A number behind what it counts: "activation functions, 8 of them", "regularizers x 5"."""
    for number in sentence.numbers:
        head = next((head for head in sentence.heads if number.start in head), None)
        if head and number not in used and number.start > first and sentence.only_fillers(range(number.end, head.stop)):
            return number
    return None


def _each(sentence: Sentence) -> bool:
    lows = [word.low for word in sentence.words]
    return any(
        (low == "each" and sentence.in_head(i) and "half" not in lows[max(0, i - 3) : i])
        or (low == "every" and lows[i + 1 : i + 2] in (["kind"], ["type"], ["sort"]))
        for i, low in enumerate(lows)
    )


def _all_kinds(sentence: Sentence) -> bool:
    lows = [word.low for word in sentence.words]
    return any(low in ("all", "every") and set(lows[i + 1 : i + 4]) & _KINDS for i, low in enumerate(lows))


# --- what else is said


def _strategies(sentence: Sentence) -> tuple[Strategy, ...]:
    """Both, unless one is named, or the other one refused."""
    named: set[Strategy] = set()
    refused: set[Strategy] = set()
    for position, word in enumerate(sentence.words):
        for words, strategy in ((INCREMENTAL, Strategy.INCREMENTAL), (NOVEL, Strategy.NOVEL)):
            if word.low in words and sentence.in_head(position):
                (refused if sentence.negated(position) else named).add(strategy)
    both = (Strategy.INCREMENTAL, Strategy.NOVEL)
    return tuple(s for s in both if s in named) or tuple(s for s in both if s not in refused) or both


def _typing_errors(mentions: Sequence[Mention]) -> list[str]:
    return list(dict.fromkeys(f"I read “{m.typed}” as “{m.meant}”." for m in mentions if m.meant))


def _left_out(sentence: Sentence, used: Sequence[Number]) -> list[str]:
    """Numbers that count something that is not a kind: said, rather than passed over."""
    notes = []
    for number in sentence.numbers:
        head = next((head for head in sentence.heads if number.start in head), None)
        if head is None or number in used:
            continue
        counted = sentence.shown(range(number.start, min(head.stop, number.end + 3)))
        notes.append(f"I did not understand “{counted}” and left it out.")
    return notes
