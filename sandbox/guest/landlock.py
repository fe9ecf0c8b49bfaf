"""Landlock: what a job may open, by path. Unprivileged, stacked on everything else, kept by all children.

Access bits and scopes: linux/landlock.h (ABI 1 = Linux 5.13, 6 = Linux 6.12).
"""

from __future__ import annotations

import ctypes
import os
import stat
import struct
from collections.abc import Iterable

from .linux import PR_SET_NO_NEW_PRIVS, SYS_LANDLOCK, prctl, syscall

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
TRUNCATE, IOCTL_DEV = 1 << 14, 1 << 15
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}  # from ABI 5: 16 bits
NETWORK = 0b11  # bind and connect TCP, from ABI 4
SCOPE_SIGNALS = 0b10
SCOPES = 0b11  # abstract UNIX sockets and signals to outside, from ABI 6
READ = EXECUTE | READ_FILE | READ_DIR


def abi() -> int:
    """The kernel's version of Landlock, 0 where it has none or it is switched off."""
    try:
        return syscall("landlock version", SYS_LANDLOCK, None, 0, 1)
    except OSError:
        return 0


def restrict(*, readable: Iterable[str], writable: Iterable[str], scratch: str, devices: Iterable[str] = ()) -> None:
    """From now on: read beneath `readable`, read and write the files `writable`, everything beneath `scratch`.

    `devices` may also be controlled (ioctl).

    Paths that do not exist are left out. Needs no_new_privs. Raises OSError where the kernel has no Landlock.
    """
    version = abi()
    rights = RIGHTS.get(version, (1 << 16) - 1)
    attributes = struct.pack("<QQQ", rights, NETWORK if version >= 4 else 0, SCOPES if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = syscall("landlock_create_ruleset", SYS_LANDLOCK, ctypes.c_char_p(attributes), size, 0)
    try:
        for path in readable:
            _allow(ruleset, path, READ & rights)
        for path in writable:
            _allow(ruleset, path, (READ_FILE | WRITE_FILE) & rights)
        for path in devices:
            _allow(ruleset, path, (READ_FILE | WRITE_FILE | IOCTL_DEV) & rights)
        _allow(ruleset, scratch, rights & ~EXECUTE)
        syscall("landlock_restrict_self", SYS_LANDLOCK + 2, ruleset, 0)
    finally:
        os.close(ruleset)


def scope_signals() -> None:
    """From now on this thread, and what it forks, can signal nothing but what it forks. From ABI 6; raises OSError."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    attributes = struct.pack("<QQQ", 0, 0, SCOPE_SIGNALS)
    ruleset = syscall("landlock_create_ruleset", SYS_LANDLOCK, ctypes.c_char_p(attributes), 24, 0)
    try:
        syscall("landlock_restrict_self", SYS_LANDLOCK + 2, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= FILE_RIGHTS
        rule = ctypes.c_char_p(struct.pack("<Qi", rights, descriptor))
        beneath = 1
        syscall("landlock_add_rule", SYS_LANDLOCK + 1, ruleset, beneath, rule, 0)
    finally:
        os.close(descriptor)
