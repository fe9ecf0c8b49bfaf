"""A request, taken apart: where it says what is wanted, and where it says for what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from engine.vocabulary import Mention, mentions_of
from engine.wording import Number, Word, numbers_of, words_of
from sandbox.guest.components.kind import Kind


def word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


ASKS = word_set(
    "propose suggest generate invent design devise brainstorm recommend produce hypothesize hypothesise surprise"
)
MAY_ASK = word_set(
    "give show want need make create find get try add test evaluate explore search compare run think have gimme "
    "write build bring offer provide send imagine develop discover look hunt"
)
NOVEL = word_set("novel novelty unconventional radical radically unusual")
INCREMENTAL = word_set("incremental incrementally incrementality conservative")
NOT = word_set("no not without except excluding besides minus skip never don't dont nothing than instead avoid")
FILLERS = word_set(
    "please pls can could would will you we i i'd i'll id let let's lets us me hey hi hello ok okay so now and also "
    "then maybe just kindly a an the of some any more new another other good better best great fresh different next "
    "only additional extra again yes nice interesting your with to for thanks thank it them all up come "
    "encouraging both half few"
)
_FILLERS_BESIDE = FILLERS | NOVEL | INCREMENTAL
_BEGINS_PURPOSE = word_set("for on in within inside targeting")
_NO_PURPOSE = word_set("me us total all each addition now example instance fun parallel general order my our")
JOINS = word_set("and plus also then with but")
# What may stand after the purpose without belonging to it: ", only novel ones", "please", ", 8 of them", " half each".
_BEGINS_END = word_set("using with via by please pls only both half but thanks thank asap all just strictly purely")
_ENDS = _FILLERS_BESIDE | word_set(
    "strategy strategies each ones approach approaches prompting mode asap today if possible not no nothing using via "
    "by in total altogether those these exactly be make use keep strictly purely mostly but equally evenly cheers"
)
SEPARATORS = ",;.:(!?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """Positions are indices of words."""

    text: str
    words: tuple[Word, ...]
    numbers: tuple[Number, ...]  # those that can be counts; "5 to 10" is one
    mentions: tuple[Mention, ...]  # of kinds, wherever they stand
    verb: int | None  # what asks: "propose"
    weak_verb: int | None  # what may ask: "give"
    heads: tuple[range, ...]  # where it says what is wanted
    purposes: tuple[range, ...]  # where it says for what
    notes: tuple[str, ...]

    @property
    def purpose(self) -> str:
        text = " and ".join(self.shown(part) for part in self.purposes if part)
        return text.replace('"', "") if text.count('"') % 2 else text

    def shown(self, part: range) -> str:
        return self.text[self.words[part.start].start : self.words[part.stop - 1].end] if part else ""

    def in_head(self, position: int) -> bool:
        return any(position in head for head in self.heads)

    def is_number(self, position: int) -> bool:
        return any(number.start <= position < number.end for number in self.numbers)

    def negated(self, position: int) -> bool:
        """ "no X", "not any X", but not "not only X" and not "not Y, X"."""
        for i in range(position, max(0, position - 2), -1):
            if set(self.words[i].before) & set(SEPARATORS):
                return False
            if self.words[i - 1].low in NOT:
                return self.words[i].low != "only"
        return False

    def only_fillers(self, positions: Sequence[int]) -> bool:
        return all(self.words[i].low in _ENDS or self.is_number(i) for i in positions)


def parse(text: str, kinds: Mapping[str, Kind]) -> Sentence:
    """Take a cleaned text apart."""
    words = words_of(text)
    mentions = mentions_of(words, kinds)
    numbers, notes = _joined(words, [n for n in numbers_of(words) if not _part_of_a_name(words, n)])
    verb = next((i for i, word in enumerate(words) if word.low in ASKS or _comes_up_with(words, i)), None)
    weak = next((i for i, word in enumerate(words) if word.low in MAY_ASK or _would(words, i)), None)
    begins = [m.start for m in mentions] + [i for i in (verb, weak) if i is not None]
    whole = Sentence(
        text=text,
        words=words,
        numbers=numbers,
        mentions=mentions,
        verb=verb,
        weak_verb=weak,
        heads=(),
        purposes=(),
        notes=notes,
    )
    heads: list[range] = []
    purposes: list[range] = []
    for part, is_purpose in _parts(whole, min(begins, default=len(words))):
        (purposes if is_purpose else heads).append(part)
    return Sentence(
        text=text,
        words=words,
        numbers=numbers,
        mentions=mentions,
        verb=verb,
        weak_verb=weak,
        heads=tuple(heads),
        purposes=tuple(purposes),
        notes=notes,
    )


def _comes_up_with(words: Sequence[Word], at: int) -> bool:
    return [word.low for word in words[at : at + 3]] == ["come", "up", "with"]


def _would(words: Sequence[Word], at: int) -> bool:
    """ "I would like", "how about"."""
    before = words[at - 1].low if at else ""
    return (words[at].low == "like" and before in ("would", "i'd", "we'd")) or (
        words[at].low == "about" and at == 1 and before in ("how", "what")
    )


def _part_of_a_name(words: Sequence[Word], number: Number) -> bool:
    """CIFAR-10, 3-layer, 3 layer: not a count of components."""
    after = words[number.end] if number.end < len(words) else None
    if words[number.start].before == "-" and number.start and not words[number.start - 1].text.isdigit():
        return words[number.start - 1].text.isalpha() and words[number.start].start - words[number.start - 1].end == 1
    return (
        after is not None
        and after.before == "-"
        and after.text.isalpha()
        and after.start - 1 == words[number.end - 1].end
    )


def _joined(words: Sequence[Word], numbers: Sequence[Number]) -> tuple[tuple[Number, ...], tuple[str, ...]]:
    """ "5 to 10", "5-10", "5 or 6" are read as their upper end, "5 novel and 3 incremental" as their sum."""
    kept: list[Number] = []
    notes: list[str] = []
    for number in numbers:
        if kept and _is_range(words, kept[-1], number):
            low = kept.pop()
            notes.append(f"I read “{_value(low)} to {_value(number)}” as {_value(number)}.")
        elif kept and _is_sum(words, kept[-1], number):
            first = kept.pop()
            if first.value != number.value:
                notes.append("I split the number evenly between the two strategies.")
            number = Number(value=first.value + number.value, start=first.start, end=number.end)
        kept.append(number)
    return tuple(kept), tuple(notes)


def _is_range(words: Sequence[Word], low: Number, high: Number) -> bool:
    between = [word.low for word in words[low.end : high.start]]
    if not between:
        return words[high.start].before in ("-", "–", "—", "..", "...")
    opened = low.start > 0 and words[low.start - 1].low == "between"
    return between in (["to"], ["or"]) or (between == ["and"] and opened)


def _is_sum(words: Sequence[Word], first: Number, second: Number) -> bool:
    between = {word.low for word in words[first.end : second.start]}
    after = {word.low for word in words[second.end : second.end + 1]}
    strategies = NOVEL | INCREMENTAL
    return bool(between & strategies and after & strategies) and between <= strategies | {"and", "plus", "ones"}


def _value(number: Number) -> str:
    return f"{number.value:g}"


def _parts(whole: Sentence, first: int) -> Iterator[tuple[range, bool]]:
    """(positions, is it a purpose), in order. `first`: where what is wanted is named or asked for first."""
    position, count = 0, len(whole.words)
    while position < count:
        begin = next((i for i in range(position, count) if _begins_purpose(whole, i)), count)
        yield range(position, begin), False
        if begin < count:
            inner = range(begin + 1, _purpose_end(whole, begin, first))
            end = _without_end(whole, inner)
            yield range(inner.start, end), True
            yield range(end, inner.stop), False
            position = inner.stop
        else:
            position = count


def _begins_purpose(whole: Sentence, at: int) -> bool:
    words = whole.words
    if words[at].low not in _BEGINS_PURPOSE or at + 1 >= len(words) or words[at + 1].low in _NO_PURPOSE:
        return False
    if any(mention.end <= at for mention in whole.mentions):
        return True
    # "ideas for new activation functions": what follows is what is wanted.
    named = next((m.start for m in whole.mentions if at < m.start <= at + 5), None)
    between = range(at + 1, named) if named is not None else range(0)
    return named is None or not all(words[i].low in _FILLERS_BESIDE or whole.is_number(i) for i in between)


def _purpose_end(whole: Sentence, begin: int, first: int) -> int:
    """Where it turns back to what is wanted: after a purpose in front, at "and 5 regularizers", at "but no losses"."""
    words = whole.words
    if begin < first and first < len(words):
        return next((i for i in range(begin + 2, first) if set(words[i].before) & set(SEPARATORS)), first)
    for at in range(begin + 2, len(words)):
        joined = words[at - 1].low in JOINS or "," in words[at].before or ";" in words[at].before
        follows = next((m.start for m in whole.mentions if at < m.start <= at + 6), None)
        if follows is None:
            continue
        counted = any(number.start == at and number.end <= follows for number in whole.numbers)
        excluded = words[at].low in NOT and follows <= at + 2
        if (joined and counted) or excluded:
            return at - 1 if words[at - 1].low in JOINS else at
    return len(words)


def _without_end(whole: Sentence, purpose: range) -> int:
    for at in purpose[1:]:
        word = whole.words[at]
        separated = bool(set(word.before) & set(SEPARATORS)) or word.before in ("–", "—", "- ")
        if (separated or word.low in _BEGINS_END) and whole.only_fillers(range(at, purpose.stop)):
            return at
    return purpose.stop
