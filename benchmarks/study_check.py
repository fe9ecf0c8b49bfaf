"""The study's goals on at least a thousand hypotheses that are distinct by behaviour; see docs/study.md.

    python benchmarks/study_check.py [--kind KIND] [--suite SUITE] [--mutants N] [--count N] [--placebos N]

Sources: the catalogue; hypotheses of small language models in benchmarks/data/ (made by generate_small.py); mutants of
both and of published components (mutants.py), as many as are missing to a thousand and a share that turn out to be
duplicates. Everything else is `conjecture study`, so a run that was ended goes on where it was. Printed is its JSON;
the exit code is 1 when a claim that was tested does not hold.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import root  # noqa: F401
from mutants import mutants

import engine
from bot.settings import read_settings
from engine.study_sources import MUTATION
from sandbox.guest.components.kinds import KINDS

DATA = Path(__file__).parent / "data"
WANTED = 1_000
DUPLICATES = 1.08  # mutants made for each one wanted: some change what no input reaches


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kind", default="activation", choices=sorted(KINDS))
    parser.add_argument("--suite", default="full", choices=("screen", "standard", "full"))
    parser.add_argument("--mutants", type=int, help="default: so many that a thousand distinct ones are likely")
    parser.add_argument("--count", type=int, help="at most so many of each source: a quick look")
    parser.add_argument("--placebos", type=int, default=200)
    parser.add_argument("--out", type=Path, help="folder for the report")
    given = parser.parse_args()
    home = read_settings(slack=False).home
    home.mkdir(parents=True, exist_ok=True)
    files = sorted(DATA.glob(f"{given.kind}-*.jsonl"))
    made = home / f"mutants-{given.kind}.jsonl"
    number = write_mutants(made, given.kind, files, given.mutants)
    print(f"{number} mutants, {len(files)} files of small models", file=sys.stderr)
    command = [sys.executable, "-m", "bot", "study", "--kind", given.kind, "--generator", "catalogue", "--json"]
    command += ["--suite", given.suite, "--placebos", str(given.placebos)]
    for file in [*files, *([made] if number else [])]:
        command += ["--hypotheses", str(file)]
    command += ["--count", str(given.count)] if given.count else []
    command += ["--out", str(given.out)] if given.out else []
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    print(done.stdout, end="")
    broken = [one for one in json.loads(done.stdout)["claims"] if one["held"] is False]
    for one in broken:
        print(f"did not hold: {one['claim']}: {one['found']} (expected: {one['expected']})", file=sys.stderr)
    sys.exit(1 if broken else 0)


def write_mutants(path: Path, kind: str, files: Sequence[Path], count: int | None) -> int:
    """Of the catalogue, of the files and of published components. How many there are."""
    parents = {f"{entry['title']} ({name})": entry for name, entry in entries(kind, files)}
    codes = {name: entry["code"] for name, entry in parents.items()}
    codes |= {known.name: known.code for known in KINDS[kind].known}
    wanted = max(0, round(DUPLICATES * (WANTED - len(parents)))) if count is None else count
    lines = []
    for mutant in mutants(codes, wanted):
        parent = parents.get(mutant.name.rpartition(": ")[0], {})
        line = {
            "kind": kind,
            "strategy": parent.get("strategy", "incremental"),
            "title": mutant.name,
            "claim": parent.get("claim", ""),
            "rationale": parent.get("rationale", ""),
            "inspiration": parent.get("inspiration", ""),
            "generator": MUTATION,
            "code": mutant.source.decode(),
        }
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    path.write_text("".join(lines), encoding="utf-8")
    return len(lines)


def entries(kind: str, files: Sequence[Path]) -> list[tuple[str, dict[str, str]]]:
    catalogue = Path(engine.__file__).parent / "catalogue" / f"{kind}.jsonl"
    found = [(path.stem, path) for path in files] + ([("catalogue", catalogue)] if catalogue.exists() else [])
    return [
        (name, json.loads(line))
        for name, path in found
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]


if __name__ == "__main__":
    main()
