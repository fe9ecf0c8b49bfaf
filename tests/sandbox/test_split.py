"""Split process: what trains never runs the candidate, and the candidate has nothing that a score is made of."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.suite import SCREEN, Pack, pack
from sandbox.container import DockerSandbox
from sandbox.execution import Execution, Level, Limits, Outcome, Sandbox, Task
from sandbox.guest.components.kinds import KINDS
from sandbox.process import ProcessSandbox

SMALL = replace(
    SCREEN,
    datasets=("digits", "friedman1"),
    architectures={"mlp2": 2, "res": 2},
    steps=10,
    checkpoints=(8, 10),
    examples=32,
)
SHORT = replace(SMALL, datasets=("digits",), architectures={"mlp2": 1})
TOLERANCE = 1e-5
LEVELS = [
    Level.DOCKER,
    pytest.param(Level.NAMESPACES, marks=pytest.mark.long),
    pytest.param(Level.LANDLOCK, marks=pytest.mark.long),
    pytest.param(Level.UNSAFE, marks=pytest.mark.long),
]

Losses = np.ndarray[Any, np.dtype[np.float64]]

# Of every kind two of different sorts: with and without something that is learnt, drawn or remembered.
HONEST = {
    "activation": ("PReLU", "RReLU"),
    "augmentation": ("Gaussian noise (0.5)", "Sample pairing"),
    "initializer": ("Kaiming normal", "Orthogonal"),
    "loss": ("Focal", "Squentropy"),
    "normalizer": ("BatchNorm", "pRMSNorm (6.25 %)"),
    "optimizer": ("Momentum", "Shampoo"),
    "preprocessor": ("Standardization", "Random Fourier features"),
    "regularizer": ("L1", "OrthoReg"),
    "schedule": ("Constant", "Cosine"),
}

# Activations whose module changes what the training around it is made of. ACTIVATE is ReLU.
TAMPERING = {
    "patches the optimizer": """
        step = torch._fused_adam_
        torch._fused_adam_ = lambda *lists, lr, **rest: step(*lists, lr=2 * lr, **rest)
        """,
    "patches the loss": """
        import torch.nn.functional as F
        cross_entropy = F.cross_entropy
        def better(logits, *rest, **more):
            loss, todo = cross_entropy(logits, *rest, **more), [logits.grad_fn]
            leaves = {}
            while todo:
                node = todo.pop()
                leaves |= {id(node): node.variable} if hasattr(node, "variable") else {}
                todo += [parent for parent, _ in node.next_functions if parent is not None]
            found = torch.autograd.grad(loss, list(leaves.values()), retain_graph=True)
            for leaf, gradient in zip(leaves.values(), found):
                leaf.data.sub_(0.004 * gradient.sign())
            return loss
        F.cross_entropy = better
        """,
    "patches autograd": """
        grad = torch.autograd.grad
        def further(outputs, inputs, *rest, **more):
            found = grad(outputs, inputs, *rest, **more)
            for tensor, gradient in zip(inputs, found):
                if gradient is not None:
                    tensor.data.sub_(0.004 * gradient.sign())
            return found
        torch.autograd.grad = further
        """,
    "walks all objects for the optimizer": """
        import gc
        class Module(Module):
            def forward(self, x):
                for thing in gc.get_objects():
                    if type(thing).__name__ == "Adam" and hasattr(thing, "_groups") and not hasattr(thing, "found"):
                        thing.found, thing._groups = True, [(2 * rate, group) for rate, group in thing._groups]
                return super().forward(x)
        """,
    "patches seeds and clocks": """
        import random, time
        torch.manual_seed = lambda *a: None
        random.seed = lambda *a: None
        time.monotonic = time.time = lambda: 0.0
        """,
}

# Activations that break the training, and how that is told.
BROKEN = {
    "time limit": "import time\nactivate = lambda x: time.sleep(60)",
    "died: exit status 0": "import os\nactivate = lambda x: os._exit(0)",
    "died: a crash": "import ctypes\nactivate = lambda x: ctypes.string_at(0)",
    "died: the bridge is closed": "import os\nactivate = lambda x: (os.close(4), x)[1]",
    "died: everything is killed": (
        "import contextlib, os\ndef activate(x):\n    with contextlib.suppress(ProcessLookupError):\n"
        "        os.kill(-1, 9)\n    os.abort()"
    ),
    "reply: the bridge is flooded": "import os\nactivate = lambda x: (os.write(4, bytes(4096)), x)[1]",
    "reply: an answer is forged": (
        'import os, struct\ntext = b\'{"turn": 3, "attached": true}\'\n'
        "activate = lambda x: (os.write(4, struct.pack('<I', len(text)) + text), x)[1]"
    ),
    "reply: an answer that is vast": "import os\nactivate = lambda x: (os.write(4, b'\\xff' * 4), x)[1]",
    "output limit": "def activate(x):\n    while True: print('x' * 10_000)",
    "memory limit: growing": "def activate(x):\n    kept = []\n    while True: kept.append(torch.ones(1 << 18))",
    "memory limit: one tensor": "activate = lambda x: torch.empty(10**11)",
    "process limit": (
        "import threading, time\ndef activate(x):\n"
        "    for _ in range(17): threading.Thread(target=time.sleep, args=(60,)).start()\n    time.sleep(60)"
    ),
    "training: raises": "def activate(x):\n    raise ValueError('no')",
    "training: another shape": "activate = lambda x: x.sum()",
    "import: raises": "raise RuntimeError('no')",
    "contract: no module": "def build(): return 3",
}


def source(body: str) -> bytes:
    head = """
        import torch
        from torch import nn
        activate = torch.relu
        class Module(nn.Module):
            def forward(self, x):
                return activate(x)
        def build():
            return Module()
        """
    return (textwrap.dedent(head) + textwrap.dedent(body)).encode()


def known(kind: str, name: str) -> bytes:
    return next(entry.code for entry in KINDS[kind].known if entry.name == name).encode()


@pytest.fixture(scope="module", params=LEVELS)
def opened(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    if request.param is Level.DOCKER:
        request.getfixturevalue("docker_image")
        sandbox: Sandbox = DockerSandbox(parallel=1, owner="tests-split")
    else:
        sandbox = ProcessSandbox(level=request.param, parallel=1)
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def packed() -> Pack:
    return pack(SMALL, b"tests", (0, 1))


@pytest.fixture(scope="module")
def short() -> Pack:
    return pack(SHORT, b"tests", (0, 1))


@pytest.fixture(scope="module")
def honest(opened: Sandbox, short: Pack) -> Losses:
    return losses(train(opened, short, "activation", source(""), split=True), short)


def train(
    sandbox: Sandbox, packed: Pack, kind: str, code: bytes, *, split: bool, wall_seconds: float = 60.0
) -> Execution:
    sandbox.shelve(packed.name, packed.arrays)
    return sandbox.run(
        Task(
            action="train",
            kind=kind,
            source=code,
            options={**packed.options, "device": "cpu", "factors": [1.0]},
            pack=packed.name,
            expects=packed.expects((1.0,)),
            limits=Limits(wall_seconds=wall_seconds, memory_mib=400, output_bytes=100_000, processes=16),
            split=split,
        )
    )


def losses(result: Execution, packed: Pack) -> Losses:
    assert result.outcome is Outcome.FINISHED, result
    found = [np.inf if trial.loss is None else trial.loss for trial in packed.score(result.arrays)]
    return np.array(found)


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in HONEST.items() for name in names])
def test_honest_components_predict_the_same_in_split_process(
    opened: Sandbox, packed: Pack, kind: str, name: str
) -> None:
    on = packed
    if not KINDS[kind].conditions.regression:
        on = pack(replace(SMALL, datasets=("digits", "spirals")), b"tests", (0, 1))
    one, other = (train(opened, on, kind, known(kind, name), split=split) for split in (False, True))
    assert one.values == other.values, other
    for array in one.arrays:
        np.testing.assert_allclose(other.arrays[array], one.arrays[array], rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("way", TAMPERING)
def test_what_raises_a_score_in_guest_changes_nothing_in_split_process(
    opened: Sandbox, short: Pack, honest: Losses, way: str
) -> None:
    in_guest, apart = (
        losses(train(opened, short, "activation", source(TAMPERING[way]), split=split), short)
        for split in (False, True)
    )
    assert np.array_equal(apart, honest)
    if "seeds" not in way:  # which no plain activation draws from
        assert (in_guest < honest).all()


@pytest.mark.parametrize("case", BROKEN)
def test_a_guest_that_breaks_ends_the_job_under_one_check_and_leaves_the_next_as_it_was(
    opened: Sandbox, short: Pack, honest: Losses, case: str
) -> None:
    if opened.level is Level.UNSAFE and "killed" in case:
        return  # there it would kill everything of its user
    seconds = 2.0 if case == "time limit" else 60.0
    broken = train(opened, short, "activation", source(BROKEN[case]), split=True, wall_seconds=seconds)
    after = train(opened, short, "activation", source(""), split=True)
    assert broken.check == case.partition(":")[0], broken
    assert broken.outcome is not Outcome.FINISHED
    assert broken.reason
    assert not broken.arrays
    assert np.array_equal(losses(after, short), honest)


def test_a_reply_of_megabytes_comes_back_whole_from_split_process(opened: Sandbox) -> None:
    on = pack(replace(SHORT, checkpoints=tuple(range(1, 11)), examples=128), b"tests", tuple(range(8)))
    opened.shelve(on.name, on.arrays)
    task = Task(
        action="train",
        kind="regularizer",
        source=known("regularizer", "L1"),
        options={**on.options, "device": "cpu", "factors": [0.1, 1.0, 10.0]},
        pack=on.name,
        expects=on.expects((0.1, 1.0, 10.0)),
        limits=Limits(wall_seconds=60.0),
        split=True,
    )
    assert sum(4 * int(np.prod(shape)) for shape in task.expects.values()) > 1e6
    found = [opened.run(task) for _ in range(5)]
    assert [(result.outcome, result.reason) for result in found] == [(Outcome.FINISHED, None)] * 5


def test_a_fault_is_told_in_the_same_words_in_guest_and_in_split_process(opened: Sandbox, short: Pack) -> None:
    for case in ("training: raises", "import: raises", "contract: no module"):
        one, other = (train(opened, short, "activation", source(BROKEN[case]), split=split) for split in (False, True))
        assert (one.outcome, one.check, one.reason) == (other.outcome, other.check, other.reason)


def test_answers_that_are_not_numbers_are_trials_that_diverge(opened: Sandbox, short: Pack) -> None:
    result = train(opened, short, "activation", source("activate = lambda x: x * float('nan')"), split=True)
    assert np.isinf(losses(result, short)).all()


def test_the_guest_has_no_pack_in_its_memory(opened: Sandbox, short: Pack) -> None:
    curious = source(
        """
        import sys
        frame = sys._getframe()
        while frame:
            for thing in list(frame.f_locals.values()):
                pack = getattr(thing, "pack", thing)
                dicts = [pack, *pack.values()] if type(pack) is dict else []
                if any(type(one) is dict and "held_out" in one for one in dicts):
                    raise RuntimeError("it is there")
            frame = frame.f_back
        """
    )
    there, apart = (train(opened, short, "activation", curious, split=split) for split in (False, True))
    assert "it is there" in (there.reason or "")
    assert apart.outcome is Outcome.FINISHED, apart


def test_only_training_can_be_split(opened: Sandbox) -> None:
    with pytest.raises(ValueError, match="'probe' cannot be split"):
        opened.run(Task(action="probe", kind="activation", source=source(""), split=True))
