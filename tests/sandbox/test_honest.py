"""Honest components are never refused and never hurt, whatever they are made of and whoever runs beside them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.suite import SCREEN, Pack, pack
from sandbox.execution import Execution, Limits, Outcome, Sandbox, Task
from sandbox.guest.components.kinds import KINDS

Train = Callable[[str], Execution]

SMALL = replace(
    SCREEN,
    datasets=("digits", "friedman1"),
    architectures={"mlp2": 2, "mlp4": 1, "res": 1, "cnn": 1},  # inputs of two and of three dimensions
    steps=6,
    checkpoints=(5, 6),
    examples=32,
)

HONEST = {
    "learnable parameters": """
        class Mine(nn.Module):
            def __init__(self):
                super().__init__()
                self.slope = nn.Parameter(torch.tensor(0.25))
            def forward(self, x):
                return torch.where(x > 0, x, self.slope * x)
        """,
    "a custom autograd function": """
        class Straight(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                ctx.save_for_backward(x)
                return x.clamp(min=0)
            @staticmethod
            def backward(ctx, gradient):
                (x,) = ctx.saved_tensors
                return gradient * torch.sigmoid(4 * x)
        class Mine(nn.Module):
            def forward(self, x):
                return Straight.apply(x)
        """,
    "control flow on .item()": """
        class Mine(nn.Module):
            def forward(self, x):
                return torch.tanh(x) if x.detach().abs().mean().item() > 0.5 else nn.functional.silu(x)
        """,
    "batch statistics": """
        class Mine(nn.Module):
            def forward(self, x):
                return torch.relu((x - x.mean(0, keepdim=True)) / (x.std(0, keepdim=True) + 0.1))
        """,
    "buffers": """
        class Mine(nn.Module):
            def __init__(self):
                super().__init__()
                self.register_buffer("scale", torch.ones(()))
                self.register_buffer("seen", torch.zeros((), dtype=torch.long))
            def forward(self, x):
                if self.training:
                    self.scale = 0.9 * self.scale + 0.1 * x.detach().abs().mean()
                    self.seen += 1
                return nn.functional.gelu(x / (self.scale + 0.5))
        """,
    "any rank of input": """
        class Mine(nn.Module):
            def forward(self, x):
                flat = x.reshape(-1, x.shape[-1])
                return (flat * torch.sigmoid(flat.roll(1, -1))).reshape(x.shape)
        """,
    "random numbers": """
        class Mine(nn.Module):
            def forward(self, x):
                return nn.functional.relu(x) + (0.01 * torch.randn_like(x) if self.training else 0)
        """,
    "slow, within its limits": """
        import time
        class Mine(nn.Module):
            def forward(self, x):
                time.sleep(0.005)
                return nn.functional.silu(x)
        """,
    "much memory, within its limits": """
        class Mine(nn.Module):
            def __init__(self):
                super().__init__()
                self.table = torch.ones(30 << 20)
            def forward(self, x):
                return nn.functional.silu(x) * self.table[0]
        """,
    "talkative": """
        import logging, warnings
        class Mine(nn.Module):
            def forward(self, x):
                print("shape", tuple(x.shape))
                warnings.warn("a warning")
                logging.getLogger(__name__).error("an error")
                return nn.functional.silu(x)
        """,
    "dataclasses, threads, files and its own source": """
        import dataclasses, inspect, tempfile, threading
        @dataclasses.dataclass
        class Setting:
            slope: float = 0.1
        class Mine(nn.Module):
            def forward(self, x):
                inspect.getsource(type(self))
                with tempfile.TemporaryFile() as file:
                    file.write(b"x" * 1000)
                found = []
                thread = threading.Thread(target=lambda: found.append(Setting().slope))
                thread.start(); thread.join()
                return nn.functional.leaky_relu(x, found[0])
        """,
    "compiled, scripted and in the frequency domain": """
        @torch.jit.script
        def gate(x: torch.Tensor) -> torch.Tensor:
            return torch.sigmoid(x)
        @torch.compile(fullgraph=True)
        def spread(x):
            return torch.fft.irfft(torch.fft.rfft(x) * 0.5, n=x.shape[-1])
        class Mine(nn.Module):
            def forward(self, x):
                return torch.compile(nn.functional.silu)(x) + 0.1 * gate(x) * spread(x)
        """,
    "lazy and parametrized": """
        from torch.nn.utils import parametrize
        class Positive(nn.Module):
            def forward(self, w):
                return nn.functional.softplus(w)
        class Mine(nn.Module):
            def __init__(self):
                super().__init__()
                self.slope = nn.Parameter(torch.tensor(0.5))
                parametrize.register_parametrization(self, "slope", Positive())
                self.gate = nn.LazyLinear(1)
            def forward(self, x):
                return torch.relu(x) * self.slope * torch.sigmoid(self.gate(x))
        """,
    "linear algebra in double precision": """
        class Mine(nn.Module):
            def forward(self, x):
                flat = x.reshape(-1, x.shape[-1]).double()
                return (torch.tanh(flat) / (1 + torch.linalg.matrix_norm(flat, 2))).to(x.dtype).reshape(x.shape)
        """,
}
NEIGHBOURS = {
    "spins in many threads": """
        import threading
        def spin():
            while True: pass
        for _ in range(12): threading.Thread(target=spin, daemon=True).start()
        spin()
        """,
    "fills memory": "x = []\nwhile True: x.append(torch.ones(1 << 20))",
    "makes files without end": """
        n = 0
        while True:
            n += 1
            try: open(str(n), "w").close()
            except OSError: pass
        """,
    "fills the disk at once": """
        import threading
        def fill(name):
            with open(name, "wb") as file:
                while True:
                    try: file.write(bytes(1 << 22))
                    except OSError: return
        for n in range(7): threading.Thread(target=fill, args=(str(n),)).start()
        while True: pass
        """,
    "forks without end": "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass",
    "prints without end": "while True: print('x' * 100_000)",
}


@pytest.fixture(scope="module")
def small() -> Pack:
    return pack(SMALL, b"tests", (0, 1))


@pytest.fixture
def train(trainer: Sandbox, small: Pack) -> Train:
    return lambda source: trainer.run(task(small, source, trainer))


def task(small: Pack, source: str, trainer: Sandbox, **more: Any) -> Task:
    trainer.shelve(small.name, small.arrays)
    return Task(
        action="train",
        kind="activation",
        source=source.encode(),
        options={**small.options, "device": "cpu", "factors": [1.0]},
        pack=small.name,
        expects=small.expects([1.0]),
        limits=Limits(**({"wall_seconds": 60.0, "memory_mib": 1024} | more)),
    )


def module(body: str) -> str:
    return "import torch\nfrom torch import nn\n" + textwrap.dedent(body) + "\ndef build():\n    return Mine()\n"


def numbers(found: Execution) -> bytes:
    assert found.outcome is Outcome.FINISHED, found
    assert all(np.isfinite(array).all() for array in found.arrays.values())
    return b"".join(array.tobytes() for _, array in sorted(found.arrays.items()))


@pytest.mark.parametrize("component", HONEST)
def test_an_honest_component_passes_its_probe_and_trains_to_the_same_numbers_again(
    trainer: Sandbox, train: Train, component: str
) -> None:
    source = module(HONEST[component])
    kind = KINDS["activation"]
    probed = trainer.run(Task(action="probe", kind="activation", source=source.encode(), expects=dict(kind.behaviour)))
    assert probed.outcome is Outcome.FINISHED, probed
    assert numbers(train(source)) == numbers(train(source))


@pytest.mark.parametrize("kind", KINDS)
def test_a_baseline_of_every_kind_passes_its_probe(trainer: Sandbox, kind: str) -> None:
    source = KINDS[kind].baselines[0].code.encode()
    found = trainer.run(Task(action="probe", kind=kind, source=source, expects=dict(KINDS[kind].behaviour)))
    assert found.outcome is Outcome.FINISHED, found


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_a_hostile_neighbour_at_the_same_time_does_not_change_a_number(
    trainer: Sandbox, train: Train, small: Pack, neighbour: str
) -> None:
    source = module(HONEST["dataclasses, threads, files and its own source"])
    alone = numbers(train(source))
    hostile = "import torch\n" + textwrap.dedent(NEIGHBOURS[neighbour])
    with ThreadPoolExecutor(1) as threads:
        beside = threads.submit(trainer.run, task(small, hostile, trainer, wall_seconds=2.0, memory_mib=512))
        while not beside.done():
            assert numbers(train(source)) == alone
    assert beside.result().outcome is not Outcome.FINISHED
