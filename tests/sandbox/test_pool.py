"""Who waits, who is tried again, what is replaced: the pool over a fork server that does as it is told."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sandbox.errors import SandboxBroken, SandboxUnavailable
from sandbox.execution import Level, Limits, Outcome, Task
from sandbox.guest.protocol import DOCUMENT_LENGTH, FRAME, Kind, Packet, decode, encode
from sandbox.inspection import refuse_if_open
from sandbox.pool import KEPT_PACKS, Pool

REPORT = {
    "complete": True,
    "check": None,
    "measured": None,
    "tasks": 1,
    "fault": None,
    "signal": None,
    "ended_by_us": True,
    "oom": False,
    "clean": True,
    "seconds": 0.1,
    "cpu_seconds": 0.1,
    "peak_mib": 1.0,
}


class ObedientChannel:
    """A fork server in a queue. What a job's source says is what happens to it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.out: queue.Queue[bytes] = queue.Queue()
        self.rest = b""
        self.packs: set[str] = set()
        self.closed = False
        self.say(Kind.READY, 0, b'{"torch": "0"}')

    def say(self, kind: Kind, number: int, body: bytes = b"") -> None:
        self.out.put(FRAME.pack(kind, number, len(body)) + body)

    def send(self, data: bytes) -> None:
        kind, number, _ = FRAME.unpack_from(data)
        body = data[FRAME.size :]
        if kind == Kind.SHELVE:
            packet = decode(body).values
            self.packs = (self.packs - set(packet["dropped"])) | {packet["name"]}
            self.say(Kind.SHELVED, number)
        elif kind == Kind.KILL:
            self.say(Kind.DONE, number, json.dumps(REPORT | {"complete": False, "check": body.decode()}).encode())
        else:
            (size,) = DOCUMENT_LENGTH.unpack_from(body)
            self.obey(number, decode(body[DOCUMENT_LENGTH.size + size :]).blob.decode())

    def obey(self, number: int, order: str) -> None:
        self.house.orders.append(order)
        if order == "die" or (order == "die once" and self.house.orders.count(order) == 1):
            self.out.put(b"")
        elif order == "fault":
            self.say(Kind.DONE, number, json.dumps(REPORT | {"fault": "no fork"}).encode())
        elif order == "out of memory beside another" and self.house.orders.count(order) == 1:
            self.say(Kind.DONE, number, json.dumps(REPORT | {"complete": False, "oom": True, "signal": 9}).encode())
        elif order == "":  # the escape probe has no source
            self.finish(number, self.house.escapes)
        elif order == "hang":
            self.house.hanging.set()
        elif order == "babble":
            self.out.put(b"\xff" * 100)
        else:
            self.finish(number, {"packs": sorted(self.packs)}, clean=order != "leave dirt")

    def finish(self, number: int, values: dict[str, object], *, clean: bool = True) -> None:
        packet = encode(Packet(values={"end": "finished", "values": values}))
        self.say(Kind.REPLY, number, packet[:5])
        self.say(Kind.REPLY, number, packet[5:])
        self.say(Kind.DONE, number, json.dumps(REPORT | {"clean": clean}).encode())

    def receive(self, size: int) -> bytes:
        if not self.rest:
            self.rest = self.out.get()
        part, self.rest = self.rest[:size], self.rest[size:]
        return part

    def last_words(self) -> str:
        return "its last words"

    def close(self) -> None:
        self.closed = True
        self.out.put(b"")


class House:
    """All channels that were launched, and all orders that were obeyed."""

    def __init__(self) -> None:
        self.channels: list[ObedientChannel] = []
        self.orders: list[str] = []
        self.hanging = threading.Event()
        self.escapes: dict[str, object] = {"mount": None, "ptrace": None}

    def launch(self) -> ObedientChannel:
        self.channels.append(ObedientChannel(self))
        return self.channels[-1]

    def pool(self, **more: int) -> Pool:
        return Pool(self.launch, level=Level.DOCKER, **({"workers": 1, "slots": 2} | more))


@pytest.fixture
def house() -> House:
    return House()


def order(text: str, **more: str) -> Task:
    return Task(action="obey", kind="", source=text.encode(), limits=Limits(wall_seconds=60.0), **more)


def test_a_job_that_the_kernel_ended_beside_another_is_tried_alone(house: House) -> None:
    """What one job makes the kernel run out of, another must not pay for."""
    task = order("out of memory beside another")
    assert house.pool().run(task).outcome is Outcome.FINISHED
    assert house.orders == [task.source.decode()] * 2


def test_a_warm_worker_serves_many_jobs(house: House) -> None:
    pool = house.pool()
    assert all(pool.run(order("work")).outcome is Outcome.FINISHED for _ in range(5))
    assert len(house.channels) == 1


@pytest.mark.parametrize("end", ["die once"])
def test_a_job_whose_worker_dies_is_tried_once_more_on_a_fresh_one(house: House, end: str, loses_workers: None) -> None:
    pool = house.pool()
    assert pool.run(order(end)).outcome is Outcome.FINISHED
    assert [channel.closed for channel in house.channels] == [True, False]


@pytest.mark.parametrize("end", ["die", "fault", "babble"])
def test_a_job_that_loses_two_workers_is_a_fault_of_ours(house: House, end: str, loses_workers: None) -> None:
    pool = house.pool()
    with pytest.raises(SandboxBroken, match="tried twice"):
        pool.run(order(end))
    assert house.orders == [end, end]
    assert pool.run(order("work")).outcome is Outcome.FINISHED


def test_what_the_fork_server_last_said_is_told_to_the_operator(house: House, loses_workers: None) -> None:
    with pytest.raises(SandboxBroken, match="its last words"):
        house.pool().run(order("die"))


def test_a_worker_that_is_not_clean_is_replaced(house: House) -> None:
    pool = house.pool()
    assert pool.run(order("leave dirt")).outcome is Outcome.FINISHED
    assert house.channels[0].closed
    assert pool.run(order("work")).outcome is Outcome.FINISHED
    assert len(house.channels) == 2


def test_a_worker_is_replaced_after_so_many_jobs(house: House) -> None:
    pool = house.pool(jobs_per_worker=3)
    for _ in range(7):
        pool.run(order("work"))
    assert len(house.channels) == 3


def test_packs_are_on_every_worker_also_on_later_ones(house: House) -> None:
    pool = house.pool()
    pool.shelve("before", {"x": np.zeros(1)})
    assert pool.run(order("leave dirt")).values == {"packs": ["before"]}
    pool.shelve("between", {"x": np.zeros(1)})
    pool.run(order("work"))
    pool.shelve("after", {"x": np.zeros(1)})
    assert pool.run(order("work", pack="after")).values == {"packs": ["after", "before", "between"]}


def test_of_many_packs_those_that_were_used_last_are_kept(house: House) -> None:
    pool = house.pool()
    pool.run(order("work"))
    for number in range(KEPT_PACKS + 1):
        pool.shelve("in use", {"x": np.zeros(1)})
        pool.shelve(f"pack {number}", {"x": np.zeros(1)})
    kept = pool.run(order("work", pack="in use")).values["packs"]
    assert len(kept) == KEPT_PACKS
    assert {"pack 0", "pack 1"} & {*kept} == set()
    with pytest.raises(ValueError, match="no pack 'pack 0' was shelved"):
        pool.run(order("work", pack="pack 0"))


def test_kill_reaches_a_running_job_and_one_that_still_waits(house: House) -> None:
    pool = house.pool(slots=1)
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(pool.run, order("hang", tag="t"))
        assert house.hanging.wait(10)
        waiting = threads.submit(pool.run, order("work", tag="t"))
        _until(lambda: len(pool._open) == 2)
        pool.kill("t")
        assert [r.result(10).check for r in (running, waiting)] == ["stopped", "stopped"]
    assert house.orders == ["hang"]


def test_kill_leaves_other_tags_alone(house: House) -> None:
    pool = house.pool()
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(pool.run, order("hang", tag="mine"))
        assert house.hanging.wait(10)
        pool.kill("other")
        assert not running.done()
        pool.kill("mine")
        assert running.result(10).check == "stopped"


def test_nobody_is_left_waiting_for_a_pool_that_was_closed(house: House) -> None:
    pool = house.pool(slots=1)
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(pool.run, order("hang"))
        assert house.hanging.wait(10)
        waiting = threads.submit(pool.run, order("work"))
        pool.close()
        for call in (running, waiting):
            with pytest.raises(SandboxBroken):
                call.result(10)


def test_a_sandbox_that_refuses_every_escape_may_serve(house: House) -> None:
    refuse_if_open(house.pool())


def test_a_sandbox_with_a_way_out_is_refused_and_the_way_named(house: House) -> None:
    house.escapes["mount"] = "the call succeeded"
    with pytest.raises(SandboxUnavailable, match=r"can get out of this sandbox: mount \(the call succeeded\)\."):
        refuse_if_open(house.pool())


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it never came to hold")
