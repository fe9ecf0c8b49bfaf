"""What a component may try in order to raise its own score, or to spoil the next one's: in training, on real suites.

In guest a component shares its process with the training it is part of. What holds there: no held-out label is in
reach, nothing but predictions of the expected form is taken, and the next job is not touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.suite import SCREEN, Pack, pack
from sandbox.execution import Execution, Limits, Outcome, Sandbox, Task

Attempt = Callable[..., Execution]

TINY = replace(
    SCREEN,
    datasets=("digits", "friedman1"),
    architectures={"mlp2": 2},
    steps=6,
    checkpoints=(5, 6),
    examples=32,
)
SILU = "import torch\nfrom torch import nn\n{attack}\n\ndef build():\n    return nn.SiLU()\n"
IN_FORWARD = """
import torch
from torch import nn

def attack():
{attack}

class Mine(nn.Module):
    def forward(self, x):
        attack()
        return nn.functional.silu(x)

def build():
    return Mine()
"""

# Done once, when the module is run; what `build` returns is an honest SiLU.
PATCHES = {
    "prints a score": """
print('{"end": "finished", "values": {"loss": 0.0}}\\nPASSED 1.0', flush=True)
""",
    "patches losses": """
nothing = lambda *a, **k: torch.zeros((), requires_grad=True)
nn.functional.cross_entropy = nn.functional.mse_loss = nn.functional.nll_loss = nothing
torch.Tensor.square = lambda self: self * 0
nn.CrossEntropyLoss.forward = lambda self, *a: nothing()
""",
    "patches optimizers": """
torch._fused_adam_ = lambda *a, **k: None
torch.optim.Adam.step = torch.optim.SGD.step = torch.optim.Optimizer.step = lambda self, *a: None
""",
    "patches autograd": """
torch.autograd.grad = lambda outputs, inputs, **k: [torch.zeros_like(i) for i in inputs]
torch.Tensor.backward = torch.autograd.backward = lambda *a, **k: None
""",
    "patches clocks": """
import time
time.time = time.monotonic = time.perf_counter = time.process_time = lambda: 0.0
""",
    "patches seeds": """
import random
import numpy as np
torch.manual_seed = torch.seed = random.seed = np.random.seed = lambda *a: None
torch.default_generator.manual_seed(7)
""",
    "changes dtype, threads and modes": """
torch.set_default_dtype(torch.float64)
torch.set_num_threads(4)
torch.set_flush_denormal(True)
torch.use_deterministic_algorithms(True)
torch.set_grad_enabled(False)
""",
    "walks frames and edits what it finds": """
import sys
frame = sys._getframe()
while frame:
    for name, value in list(frame.f_locals.items()):
        try:
            if isinstance(value, dict): value.clear()
            elif isinstance(value, list): del value[:]
            elif hasattr(value, "__dict__"): vars(value).clear()
        except Exception: pass
    frame = frame.f_back
""",
    "walks gc and zeroes every array": """
import gc
import numpy as np
for thing in gc.get_objects():
    try:
        if isinstance(thing, torch.Tensor): thing.data.zero_()
        elif isinstance(thing, np.ndarray): thing[...] = 0
        elif isinstance(thing, dict) and "targets" in thing: thing["targets"] = thing["rows"]
    except Exception: pass
""",
    "registers at exit": """
import atexit, os, threading
atexit.register(lambda: os.write(3, b"\\x01" * 100))
threading._register_atexit(lambda: os.write(3, b"\\x01" * 100))
""",
    "handles signals": """
import signal
def handler(*a): raise KeyboardInterrupt
for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
    signal.signal(number, handler)
signal.setitimer(signal.ITIMER_REAL, 0.02, 0.01)
""",
    "traces every call": """
import sys, threading
def tracer(frame, event, argument):
    return tracer
sys.settrace(tracer); sys.setprofile(lambda *a: None); threading.settrace(tracer)
""",
    "replaces the replies": """
import sys
for name, module in list(sys.modules.items()):
    if name.startswith("sandbox.guest"):
        for known in ("encode", "Reply", "train", "_predict"):
            if hasattr(module, known): setattr(module, known, lambda *a, **k: b"")
""",
    "breaks the interpreter": """
import builtins
builtins.len = lambda thing: 0
builtins.isinstance = lambda *a: True
""",
}

# Done whenever it is called, in the middle of training.
CALLS = {
    "returns a tensor of a class that lies": """
    class Liar(torch.Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return torch.zeros(())
    nn.functional.silu = lambda x: x.as_subclass(Liar)
""",
    "edits the parameters of its net": """
    import sys
    frame = sys._getframe()
    while frame:
        for value in list(frame.f_locals.values()):
            for tensor in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(tensor, torch.Tensor) and tensor.requires_grad:
                    tensor.data.zero_()
        frame = frame.f_back
""",
    "ends with status 0": """
    import os
    os._exit(0)
""",
    "ends as if all had passed": """
    raise SystemExit(0)
""",
    "answers in its own name": """
    import os
    os.write(3, b"\\x01" + (1 << 16).to_bytes(8, "little"))
    os._exit(0)
""",
}


@pytest.fixture(scope="module")
def tiny() -> Pack:
    return pack(TINY, b"tests", (0, 1))


@pytest.fixture
def attempt(trainer: Sandbox, tiny: Pack) -> Attempt:
    """Train a component of this source."""

    def run(source: str, **more: Any) -> Execution:
        trainer.shelve(tiny.name, tiny.arrays)
        return trainer.run(
            Task(
                action="train",
                kind="activation",
                source=source.encode(),
                options={**tiny.options, "device": "cpu", "factors": [1.0]},
                pack=tiny.name,
                expects=tiny.expects([1.0]),
                limits=Limits(wall_seconds=20.0, memory_mib=512),
                **more,
            )
        )

    return run


def predictions(found: Execution) -> np.ndarray[Any, Any]:
    assert found.outcome is Outcome.FINISHED, found
    return found.arrays["mlp2"]


HONEST = SILU.format(attack="")
ATTACKS = {name: SILU.format(attack=code) for name, code in PATCHES.items()}
ATTACKS |= {name: IN_FORWARD.format(attack=code.strip("\n")) for name, code in CALLS.items()}


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_next_job_is_trained_as_if_nobody_had_come_before(attempt: Attempt, attack: str) -> None:
    before = predictions(attempt(HONEST))
    with ThreadPoolExecutor(2) as threads:
        hostile, beside = threads.submit(attempt, ATTACKS[attack]), threads.submit(attempt, HONEST)
    assert hostile.result().outcome in tuple(Outcome)
    for honest in (beside.result(), attempt(HONEST)):
        assert predictions(honest).tobytes() == before.tobytes()


ENDS = ("ends with status 0", "ends as if all had passed", "answers in its own name")


@pytest.mark.parametrize("attack", ENDS)
def test_an_end_in_the_middle_of_training_is_never_a_result(attempt: Attempt, attack: str) -> None:
    found = attempt(ATTACKS[attack])
    assert found.outcome in (Outcome.KILLED, Outcome.REJECTED)
    assert found.check in ("died", "training", "error")
    assert not found.arrays


def test_what_a_component_prints_changes_nothing(attempt: Attempt) -> None:
    loud = attempt(ATTACKS["prints a score"])
    assert "PASSED" in loud.output
    assert loud.values == attempt(HONEST).values
    assert predictions(loud).tobytes() == predictions(attempt(HONEST)).tobytes()


FORGERY = """
import json, math, os, struct
import numpy as np

def answer(arrays):
    described = [[name, "float32", list(shape)] for name, (shape, _) in arrays.items()]
    document = json.dumps({"values": {"end": "finished", "values": {"tier": "direct"}}, "arrays": described}).encode()
    packet = struct.pack("<I", len(document)) + document + b"".join(data for _, data in arrays.values())
    data = struct.pack("<Q", len(packet)) + packet
    while data:
        data = data[os.write(3, data):]
    os._exit(0)

answer({"mlp2": (SHAPE, np.zeros(SHAPE, np.float32).tobytes())})
"""


def test_forged_predictions_are_scored_as_predictions_which_know_no_label(attempt: Attempt, tiny: Pack) -> None:
    found = attempt(FORGERY.replace("SHAPE", str(tiny.expects([1.0])["mlp2"])))
    for trial in tiny.score({"mlp2": predictions(found)}):
        if trial.cell.startswith("digits"):
            assert trial.loss == pytest.approx(np.log(10), rel=1e-4)  # ten classes, all equally likely


def test_a_forged_reply_of_another_form_is_refused(attempt: Attempt, tiny: Pack) -> None:
    checkpoints, replicas, examples, outputs = tiny.expects([1.0])["mlp2"]
    found = attempt(FORGERY.replace("SHAPE", str((checkpoints, replicas + 1, examples, outputs))))
    assert (found.outcome, found.check) == (Outcome.REJECTED, "reply")
    assert not found.arrays


def test_no_held_out_label_enters_a_sandbox(tiny: Pack) -> None:
    """All that a guest gets is the pack and the options."""
    values = tiny.held_out.targets[:, [cell == "friedman1" for cell, *_ in tiny.held_out.replicas]].ravel()
    inside = np.concatenate([np.ravel(array).astype(np.float64) for array in tiny.arrays.values()])
    trained_on = np.unique(tiny.arrays["targets"].astype(np.float32))
    assert np.isin(trained_on, inside.astype(np.float32)).all(), "the comparison must be able to find"
    assert not np.isin(values.astype(np.float32), inside.astype(np.float32)).any()
    assert all(str(value) not in json.dumps(tiny.options) for value in values.tolist())


@pytest.mark.parametrize("attack", [*PATCHES, *ENDS])
def test_in_split_process_an_attack_gains_nothing(attempt: Attempt, attack: str) -> None:
    honest = predictions(attempt(HONEST, split=True))
    found = attempt(ATTACKS[attack], split=True)
    if found.outcome is Outcome.FINISHED:
        assert np.allclose(predictions(found), honest, rtol=1e-4, atol=1e-5)
