"""The filter, run by a small interpreter of BPF, on both architectures."""

from __future__ import annotations

import errno
import struct

import pytest

from sandbox.guest import seccomp

MACHINES = sorted(seccomp.ARCHITECTURES)
ALLOWED = {"read": (0, 63), "mmap": (9, 222), "getrandom": (318, 278), "futex": (202, 98), "exit_group": (231, 94)}


def verdict(machine: str, number: int, *arguments: int, audit: int | None = None, **options: bool) -> int:
    """What the filter answers to a call: steps as in linux/filter.h."""
    _, own = seccomp.ARCHITECTURES[machine]
    six = (*arguments, *(0,) * (6 - len(arguments)))
    data = struct.pack("<IIQ6Q", number, own if audit is None else audit, 0, *six)
    steps = list(struct.iter_unpack("<HBBI", seccomp.program(machine, **options)))
    at, value = 0, 0
    while True:
        code, yes, no, k = steps[at]
        at += 1
        if code == seccomp.LOAD:
            (value,) = struct.unpack_from("<I", data, k)
        elif code == seccomp.AND:
            value &= k
        elif code == seccomp.RETURN:
            return int(k)
        else:
            hit = {seccomp.EQUAL: value == k, seccomp.AT_LEAST: value >= k, seccomp.AND_SET: bool(value & k)}[code]
            at += yes if hit else no


def refused(error: int) -> int:
    return seccomp.ERRNO | error


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", seccomp.DENIED)
def test_a_denied_call_is_answered_with_eperm(machine: str, name: str) -> None:
    number = seccomp.DENIED[name][seccomp.ARCHITECTURES[machine][0]]
    if number is not None:
        assert verdict(machine, number) == refused(errno.EPERM)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", ALLOWED)
def test_an_ordinary_call_is_allowed(machine: str, name: str) -> None:
    assert verdict(machine, ALLOWED[name][seccomp.ARCHITECTURES[machine][0]]) == seccomp.ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_a_thread_is_allowed_and_a_namespace_is_not(machine: str) -> None:
    clone = seccomp.CLONE[seccomp.ARCHITECTURES[machine][0]]
    assert verdict(machine, clone, 0x3D0F00) == seccomp.ALLOW
    assert verdict(machine, clone, 0x10000000) == refused(errno.EPERM)


@pytest.mark.parametrize("machine", MACHINES)
def test_clone3_is_not_there(machine: str) -> None:
    assert verdict(machine, seccomp.CLONE3[seccomp.ARCHITECTURES[machine][0]]) == refused(errno.ENOSYS)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", seccomp.ONLY_WITH)
def test_some_calls_are_allowed_for_one_argument_only(machine: str, name: str) -> None:
    rule = seccomp.ONLY_WITH[name]
    number = rule[seccomp.ARCHITECTURES[machine][0]]
    assert verdict(machine, number, rule[2]) == seccomp.ALLOW
    assert verdict(machine, number, rule[2] + 39) == refused(errno.EPERM)


@pytest.mark.parametrize("machine", MACHINES)
def test_a_pair_of_sockets_is_of_one_family_and_cannot_send_elsewhere(machine: str) -> None:
    number = seccomp.SOCKETPAIR[seccomp.ARCHITECTURES[machine][0]]
    stream, datagram, close_on_exec, vsock = 1, 2, 0o2000000, 40
    assert verdict(machine, number, seccomp.AF_UNIX, stream | close_on_exec) == seccomp.ALLOW
    assert verdict(machine, number, seccomp.AF_UNIX, datagram) == refused(errno.EPERM)
    assert verdict(machine, number, vsock, stream) == refused(errno.EPERM)


@pytest.mark.parametrize("machine", MACHINES)
def test_memory_is_private_unless_it_is_a_files(machine: str) -> None:
    number = seccomp.MMAP[seccomp.ARCHITECTURES[machine][0]]
    shared, private, validated, anonymous = 1, 2, 3, 32
    for flags in (private, private | anonymous, shared, validated):
        assert verdict(machine, number, 0, 4096, 3, flags) == seccomp.ALLOW
    for flags in (shared | anonymous, validated | anonymous):
        assert verdict(machine, number, 0, 4096, 3, flags) == refused(errno.ENOMEM)
        assert verdict(machine, number, 0, 4096, 3, flags, shared_memory=True) == seccomp.ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_only_a_job_that_shares_its_user_may_not_change_what_the_user_owns(machine: str) -> None:
    column = seccomp.ARCHITECTURES[machine][0]
    for calls, answer in ((seccomp.OF_OWNERS_IGNORED, refused(0)), (seccomp.OF_OWNERS_DENIED, refused(errno.EPERM))):
        for number in filter(None, (pair[column] for pair in calls.values())):
            assert verdict(machine, number) == seccomp.ALLOW
            assert verdict(machine, number, shares_user=True) == answer


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_another_architecture_end_the_process(machine: str) -> None:
    assert verdict(machine, 0, audit=0x40000003) == seccomp.KILL


def test_the_x32_calls_are_not_there() -> None:
    assert verdict("x86_64", seccomp.X32 | 41) == refused(errno.ENOSYS)


def test_an_unknown_architecture_is_refused_by_name() -> None:
    with pytest.raises(OSError, match="no system-call filter for riscv64"):
        seccomp.program("riscv64")
