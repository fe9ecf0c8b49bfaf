"""The command line. One file a command in bot/commands/; imports happen inside a command, so that `--help` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="conjecture",
    help="Proposes machine-learning components, tests them in a sealed container, ranks what survived.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout and nothing else.")]


@app.command()
def run() -> None:
    """Start the bot: on Slack when SLACK_BOT_TOKEN and SLACK_APP_TOKEN are set, else on its own page in the browser."""
    from bot.commands.run import run

    raise typer.Exit(run())


@app.command()
def ask(
    text: Annotated[
        str, typer.Argument(help='What you would write to the bot, e.g. "propose 8 activation functions".')
    ],
    as_json: AsJson = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the plots.", file_okay=False)] = None,
    file: Annotated[
        list[Path] | None, typer.Option(help="Attach a file (may be repeated).", exists=True, dir_okay=False)
    ] = None,
    thread: Annotated[str | None, typer.Option(help="Continue this thread.")] = None,
) -> None:
    """Ask as a local user, wait for the answer, and print the thread."""
    from bot.commands.ask import ask

    raise typer.Exit(ask(text, as_json=as_json, out=out, files=tuple(file or ()), thread=thread))


@app.command(name="try")
def try_(
    files: Annotated[list[Path], typer.Argument(help="Python modules with a module-level build.")],
    kind: Annotated[
        str | None, typer.Option(help="What kind of component they are; read off each file when not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Put your own components through the same validator, sandbox and evaluator."""
    from bot.commands.try_ import try_

    raise typer.Exit(try_(files, kind, as_json=as_json))


@app.command(name="help")
def help_(
    kind: Annotated[str, typer.Argument(help="A kind of component, e.g. optimizer; empty for a list.")] = "",
) -> None:
    """Say what can be asked; of a kind: its contract, baselines, what it is tried on, and an example."""
    from bot.commands.help import help_

    raise typer.Exit(help_(kind))


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="The JSON file to write; with --finding, the folder.")],
    request_id: Annotated[str | None, typer.Argument(help="As printed in the thread, e.g. q-1a2b3c4d.")] = None,
    finding: Annotated[str | None, typer.Option(help="The id of a confirmed hypothesis, as on its card.")] = None,
) -> None:
    """Write everything behind an answer to a file, or a finding as a module with its test and evidence to a folder."""
    from bot.commands.export import export, export_finding

    if (request_id is None) == (finding is None):
        raise typer.BadParameter("give a request's id, or --finding and a hypothesis' id")
    raise typer.Exit(export_finding(finding, out) if finding else export(str(request_id), out))


@app.command()
def study(
    kind: Annotated[str, typer.Option(help="What kind of component, e.g. activation.")],
    generator: Annotated[
        list[str] | None, typer.Option(help="`catalogue`, or a model of CONJECTURE_MODELS; may be repeated.")
    ] = None,
    hypotheses: Annotated[
        list[Path] | None, typer.Option(help="A file in the catalogue's format; may be repeated.", dir_okay=False)
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(help="A source that alone is learned from, the others are tested; may be repeated."),
    ] = None,
    count: Annotated[int | None, typer.Option(help="At most so many tested hypotheses of each source.")] = None,
    suite: Annotated[str, typer.Option(help="Whose effects are the truth: screen, standard or full.")] = "full",
    placebos: Annotated[int, typer.Option(help="How many placebos; 0 for none, and no withheld baselines.")] = 200,
    prices: Annotated[
        tuple[float, float] | None, typer.Option(help="Of a million prompt tokens, and of a million completion tokens.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the report.", file_okay=False)] = None,
    as_json: AsJson = False,
) -> None:
    """Put orders of evaluation and the product's own claims to the test on many hypotheses. Resumes where it ended."""
    from bot.commands.study import Wanted, study

    wanted = Wanted(
        kind=kind,
        generators=tuple(generator or ()),
        files=tuple(hypotheses or ()),
        train=tuple(train or ()),
        count=count,
        suite=suite,
        placebos=placebos,
        prices=prices,
        out=out,
    )
    raise typer.Exit(study(wanted, as_json=as_json))


@app.command()
def reproduce(
    bundle: Annotated[
        Path, typer.Argument(help="The zip archive that came with a report.", exists=True, dir_okay=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Run the experiment of a bundle again, on the same seeds and rows, and say whether its numbers hold."""
    from bot.commands.reproduce import reproduce

    raise typer.Exit(reproduce(bundle, as_json=as_json))


@app.command()
def paper(
    source: Annotated[str, typer.Argument(metavar="FILE", help="A PDF or text file, or an arXiv link or number.")],
    as_json: AsJson = False,
) -> None:
    """Read a paper: what it claims and leaves open, with pages, related work, and ideas with plans."""
    from bot.commands.paper import paper

    raise typer.Exit(paper(source, as_json=as_json))


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is configured and works, and for each thing that does not, what to do."""
    from bot.commands.doctor import doctor

    raise typer.Exit(doctor(as_json=as_json))


suite = typer.Typer(help="The team's own models, to measure components on.", no_args_is_help=True)
app.add_typer(suite, name="suite")


@suite.command(name="add")
def suite_add(
    file: Annotated[Path, typer.Argument(help="A Python module with make_model(component); see docs/own-model.md.")],
    as_json: AsJson = False,
) -> None:
    """Check a model in the sandbox, estimate what a request on it costs, and register it."""
    from bot.commands.suite import add

    raise typer.Exit(add(file, as_json=as_json))


@suite.command(name="approve")
def suite_approve(name: Annotated[str, typer.Argument(help="As in its file, e.g. ranker.")]) -> None:
    """Agree to what requests on a model cost, as the button in a thread does."""
    from bot.commands.suite import approve

    raise typer.Exit(approve(name))


@suite.command(name="list")
def suite_list(as_json: AsJson = False) -> None:
    """Say which models are registered, what a hypothesis on each costs, and who approved it."""
    from bot.commands.suite import list_

    raise typer.Exit(list_(as_json=as_json))


@suite.command(name="remove")
def suite_remove(name: Annotated[str, typer.Argument(help="As in its file, e.g. ranker.")]) -> None:
    """Forget a model. What was measured on it stays readable."""
    from bot.commands.suite import remove

    raise typer.Exit(remove(name))


def main() -> None:
    app()


if __name__ == "__main__":
    main()
