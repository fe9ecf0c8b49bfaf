"""A study's report: one page of HTML with its pictures beside it, readable without a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from string import Template

from engine.efficiency import Efficiency
from engine.novelty import spacing
from engine.placebos import RESCALED
from engine.study import counted
from engine.study_claims import claims
from engine.study_cost import cost
from engine.study_plots import pictures
from engine.study_results import Results, Tally, tallies

PAGE = Path(__file__).parent / "study_page.html"
REPORT = "report.html"

CAPTIONS = {
    "prompts.png": "What each way of prompting brings forth (the paper's Figure 2).",
    "scatter.png": "Win rates on the screening suite (Figure 3). Compare with the baselines' own marks.",
    "efficiency.png": "Efficiency of the order in which hypotheses are evaluated: the reward model's, each hypothesis "
    "predicted by a model that saw neither it nor a near-duplicate, beside orders that know less.",
    "crossed.png": "The same for every source learned from and every source tested on (Figure 4). Dashed: the oracle.",
    "best-of-n.png": "What best-of-n, drawing at random and keeping the best, gets for the same number of evaluations.",
    "top12.png": "The best twelve, with win rates and N-scores (Figure 5).",
    "similarity.png": "How alike they are (Figure 5).",
    "retest.png": "Test-retest reliability of effects, and effects on the truth suite over those of the screening.",
    "reliability.png": "Reliability of predicted chances, on held-out hypotheses and seeds.",
    "power.png": "Power: unpaired trials of the best baseline with losses lowered by a known share.",
    "confirmed.png": "Effects as screened and as confirmed: what is lost in between was luck.",
}
SECTIONS = (
    ("What was proposed", ("prompts.png", "scatter.png", "top12.png", "similarity.png")),
    ("The order of evaluation", ("efficiency.png", "crossed.png", "best-of-n.png")),
    ("What can be trusted", ("reliability.png", "retest.png", "power.png", "confirmed.png")),
)


def write_report(results: Results, folder: Path) -> Path:
    """The path of the page. Pictures of an earlier report that this one has not are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = pictures(results)
    for name in CAPTIONS:
        (folder / name).unlink(missing_ok=True)
    for name, content in drawn.items():
        (folder / name).write_bytes(content)
    path = folder / REPORT
    path.write_text(page(results, list(drawn)), encoding="utf-8")
    return path


def page(results: Results, drawn: Sequence[str]) -> str:
    plan = results.plan
    figures = {title: _figures([name for name in names if name in drawn]) for title, names in SECTIONS}
    parts = [
        _section("The claims", _claims(results)),
        _section("What was proposed", figures["What was proposed"] + _tables(results)),
        _section("The order of evaluation", figures["The order of evaluation"] + _pairs(results)),
        _section("What can be trusted", _trust(results) + figures["What can be trusted"]),
        _section("What it cost", _cost(results)),
        _section("What could not be used", _faults(results)),
    ]
    return Template(PAGE.read_text(encoding="utf-8")).substitute(
        title=escape(f"Study: {plan.kind.plural}"), lead=escape(_lead(results)), body="\n".join(filter(None, parts))
    )


def _lead(results: Results) -> str:
    plan = results.plan
    tested = [s for s in results.subjects if plan.tests(s)]
    fates = counted(tested)
    learned = f"learned from {', '.join(plan.train)}" if plan.train else "cross-validated within and across all sources"
    sources = ", ".join(source.name for source in plan.sources)
    n = results.efficiency.n if results.efficiency else 0
    return (
        f"{len(tested)} hypotheses tested, from {sources}: {fates['rejected']} rejected by the validator, "
        f"{fates['duplicates']} duplicates of something known, {fates['broke']} broken in training, {n} with a truth. "
        f"Truth is the effect on the suite “{plan.truth}”, on seeds that no order saw. The reward model is {learned}. "
        "Intervals are 90 %: over hypotheses where orders are compared, else over seeds; none is over new data sets."
    )


# --- sections


def _claims(results: Results) -> str:
    words = {True: ("held", "yes"), False: ("did not hold", "no"), None: ("not tested", "open")}
    rows = [
        [
            f'<span class="{words[c.held][1]}">{words[c.held][0]}</span>',
            escape(c.claim),
            escape(c.expected),
            escape(c.found),
        ]
        for c in claims(results)
    ]
    return _table(("", "claim", "expected", "found"), rows)


def _tables(results: Results) -> str:
    near = spacing(results.plan.kind)
    note = f" A published function is {near:.2f} from its nearest neighbour, typically." if near is not None else ""
    references = results.ranking.references if results.ranking else ()
    rows = [
        [escape(r.baseline), f"{r.b_wr.value:.3f}", f"{r.bsota_wr.value:.3f}"]
        for r in sorted(references, key=lambda r: -r.b_wr.value)
    ]
    return (
        f"<p>Validity, win rates and novelty, as means.{escape(note)}</p>"
        + _tally("By source and strategy", tallies(results, "part"))
        + _tally("By generator", tallies(results, "generator"))
        + _tally("By field of the idea", tallies(results, "field"))
        + "<h3>The baselines' own rows</h3>"
        + _table(("baseline", "B-WR", "BSOTA-WR"), rows)
    )


def _tally(title: str, rows: Sequence[Tally]) -> str:
    head = (
        "",
        "proposed",
        "valid",
        "duplicates",
        "B‑WR",
        "BSOTA‑WR",
        "N‑score",
        "better than the best baseline",
        "promising",
    )
    body = [
        [
            escape(row.name),
            str(row.proposed),
            _share(row.valid, row.proposed),
            str(row.duplicates),
            _number(row.b_wr),
            _number(row.bsota_wr),
            _number(row.n_score),
            _share(row.beat_best, row.measured),
            str(row.promising),
        ]
        for row in rows
    ]
    return f"<h3>{escape(title)}</h3>" + _table(head, body)


def _pairs(results: Results) -> str:
    """Between whole sources; those of their strategies, which are many, unfold."""
    sources = {source.name for source in results.plan.sources}
    whole = {pair: worth for pair, worth in results.pairs.items() if sources.issuperset(pair)}
    parts = {pair: worth for pair, worth in results.pairs.items() if pair not in whole}
    more = f"<details><summary>Strategies apart: {len(parts)} pairs</summary>{_areas(parts)}</details>" if parts else ""
    return (_areas(whole) if whole else "") + more


def _areas(pairs: Mapping[tuple[str, str], Efficiency]) -> str:
    rows = [
        [escape(one), escape(other), str(worth.n), *(_area(found.area) for found in worth.orders.values())]
        for (one, other), worth in pairs.items()
    ]
    names = [name.replace("_", " ") for name in next(iter(pairs.values())).orders]
    return _table(("learned from", "tested on", "n", *names), rows)


def _trust(results: Results) -> str:
    rows = [
        [
            escape(one.family + (" (scale confound, no placebo)" if one.family == RESCALED else "")),
            str(one.count),
            str(one.promising),
            "not confirmed" if one.findings is None else str(one.findings),
        ]
        for one in results.trust.placebos
    ]
    controls = [
        [
            escape(one.name),
            f"{one.selected.value:+.3f}" + ("" if one.strong else " (not strong here)"),
            str(one.reruns),
            str(one.confirmed),
            f"{sum(e.value for e in one.effects) / one.reruns:+.3f}",
        ]
        for one in results.trust.controls
    ]
    made = ""
    if rows:
        made += "<h3>Placebos</h3>" + _table(("family", "arms", "promising", "findings"), rows)
    if controls:
        heading = f"<h3>Baselines, withheld (suite “{escape(results.trust.control_suite)}”)</h3>"
        columns = ("baseline", "effect on selection seeds", "re-runs", "confirmed", "mean effect")
        made += heading + _table(columns, controls)
    found = results.retest
    if found.b_wr is not None:
        figures = (("B-WR", found.b_wr), ("BSOTA-WR", found.bsota_wr), ("effect", found.effect))
        rows = [[name, _area(value)] for name, value in figures if value is not None]
        made += f"<h3>Test-retest of the screening (Spearman, n = {found.n})</h3>" + _table(("figure", "ρ"), rows)
    return made


def _cost(results: Results) -> str:
    spent = cost(results)
    rows = [
        [
            name,
            _seconds(of["seconds"]),
            _plain(of.get("prompt_tokens")),
            _plain(of.get("completion_tokens")),
            _plain(of["money"]),
        ]
        for name, of in spent.items()
    ]
    note = "Time of one worker, that of earlier runs included. “–”: nobody counted, or no price was given."
    return _table(("", "time", "prompt tokens", "completion tokens", "money"), rows) + f"<p>{note}</p>"


def _faults(results: Results) -> str:
    faults = [fault for source in results.plan.sources for fault in source.faults]
    return "<ul>" + "".join(f"<li>{escape(fault)}</li>" for fault in faults) + "</ul>" if faults else ""


# --- HTML


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{body}</section>" if body else ""


def _figures(names: Iterable[str]) -> str:
    return "".join(
        f'<figure><img src="{name}" alt="{words}"><figcaption>{words}</figcaption></figure>'
        for name in names
        for words in [escape(CAPTIONS[name])]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _area(estimate: object) -> str:
    value, low, high = (getattr(estimate, name) for name in ("value", "low", "high"))
    return f'{value:.2f} <span class="interval">[{low:.2f}, {high:.2f}]</span>'


def _share(count: int, of: int) -> str:
    return (
        f'<span style="white-space: nowrap">{count} <span class="interval">({count / of:.0%})</span></span>'
        if of
        else "–"
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:,.4g}" if isinstance(value, float) else f"{value:,}"
