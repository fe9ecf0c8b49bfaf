"""The system-call filter of a job, as BPF built by hand: what a component never needs answers EPERM.

A deny list, for it comes on top of what the container or the namespaces already withhold; calls that can create a
namespace, reach a device or another process, keep memory outside every count, or open any socket are on it.
Sources: linux/seccomp.h, linux/filter.h; the numbers are those of asm/unistd_64.h and asm-generic/unistd.h.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

# name: (x86-64, aarch64); None where the architecture does not have the call
DENIED: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198),
    "shmget": (29, 194),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "remap_file_pages": (216, 234),
    "vmsplice": (278, 75),
    "io_setup": (206, 0),
    "setsockopt": (54, 208),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "process_mrelease": (448, 448),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "statmount": (457, 457),
    "listmount": (458, 458),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
    "syslog": (103, 116),
    "personality": (135, 92),
    "vhangup": (153, 58),
    "mbind": (237, 235),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "sched_setscheduler": (144, 119),
    "sched_setattr": (314, 274),
    "sched_setparam": (142, 118),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
}
# Of a job that shares its user with the operator, for Landlock does not look at them. The first are answered as if they
# had been done: copying a file is honest, and nothing of what they change matters in a scratch directory.
OF_OWNERS_IGNORED: dict[str, tuple[int | None, int | None]] = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "fchown": (93, 55),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
}
OF_OWNERS_DENIED: dict[str, tuple[int | None, int | None]] = {
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "setxattrat": (463, 463),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
}
CLONE = (56, 220)
CLONE3 = (435, 435)  # its flags lie in memory that a filter cannot read: "not there", so that libc uses clone
CLONE_NEW = 0x7E020000  # every CLONE_NEW* flag of clone(2)
MYSELF = 0
ONLY_WITH: dict[str, tuple[int, int, int]] = {  # (x86-64, aarch64, the one value that argument 0 may have)
    "prlimit64": (302, 261, MYSELF),
    "sched_setaffinity": (203, 122, MYSELF),
}
SOCKETPAIR = (53, 199)  # of streams: a datagram socket of a pair could still send to any socket that has a name
AF_UNIX, SOCK_STREAM, SOCK_TYPE = 1, 1, 0xF
PRCTL, SET_DUMPABLE = (157, 167), 4  # would hide its open files from the fork server
MMAP = (9, 222)
SHARED_ANONYMOUS = 0x21  # pages that no process counts any more once it has let go of them: "no memory"
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
X32 = 0x40000000

LOAD, EQUAL, AT_LEAST, AND_SET, AND, RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
NUMBER, ARCHITECTURE, ARGUMENT_0, ARGUMENT_1, ARGUMENT_3 = 0, 4, 16, 24, 40  # offsets in struct seccomp_data
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000


def _step(code: int, yes: int, no: int, value: int) -> bytes:
    return struct.pack("<HBBI", code, yes, no, value)


def program(machine: str | None = None, *, shares_user: bool = False, shared_memory: bool = False) -> bytes:
    """The filter for `machine` (default: this one). Raises OSError(ENOSYS) for an architecture that is not listed.

    shares_user: the job's user owns files outside. shared_memory: allow it, where a control group counts it.
    """
    machine = machine or platform.machine()
    if machine not in ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"no system-call filter for {machine}; supported: {', '.join(ARCHITECTURES)}")
    column, audit = ARCHITECTURES[machine]
    denied = DENIED | OF_OWNERS_DENIED if shares_user else DENIED
    numbers = sorted({n for pair in denied.values() if (n := pair[column]) is not None})
    steps = [
        _step(LOAD, 0, 0, ARCHITECTURE),
        _step(EQUAL, 1, 0, audit),
        _step(RETURN, 0, 0, KILL),
        _step(LOAD, 0, 0, NUMBER),
        _step(AT_LEAST, 0, 1, X32),
        _step(RETURN, 0, 0, ERRNO | errno.ENOSYS),
        _step(EQUAL, 0, 1, CLONE3[column]),
        _step(RETURN, 0, 0, ERRNO | errno.ENOSYS),
        *_when(CLONE[column], _step(LOAD, 0, 0, ARGUMENT_0), _step(AND_SET, 0, 1, CLONE_NEW), _refuse(errno.EPERM)),
        *_when(
            SOCKETPAIR[column],
            _step(LOAD, 0, 0, ARGUMENT_0),
            _step(EQUAL, 0, 3, AF_UNIX),
            _step(LOAD, 0, 0, ARGUMENT_1),
            _step(AND, 0, 0, SOCK_TYPE),
            _step(EQUAL, 1, 0, SOCK_STREAM),
            _refuse(errno.EPERM),
        ),
    ]
    for rule in ONLY_WITH.values():
        steps += _when(rule[column], _step(LOAD, 0, 0, ARGUMENT_0), _step(EQUAL, 1, 0, rule[2]), _refuse(errno.EPERM))
    if not shared_memory:
        flags = _step(LOAD, 0, 0, ARGUMENT_3), _step(AND, 0, 0, SHARED_ANONYMOUS)
        steps += _when(MMAP[column], *flags, _step(EQUAL, 0, 1, SHARED_ANONYMOUS), _refuse(errno.ENOMEM))
    steps += _when(PRCTL[column], _step(LOAD, 0, 0, ARGUMENT_0), _step(EQUAL, 0, 1, SET_DUMPABLE), _refuse(errno.EPERM))
    ignored = [n for pair in OF_OWNERS_IGNORED.values() if (n := pair[column]) is not None] if shares_user else []
    steps += [step for number in ignored for step in (_step(EQUAL, 0, 1, number), _refuse(0))]
    steps += [_step(EQUAL, len(numbers) - i, 0, number) for i, number in enumerate(numbers)]
    steps += [_step(RETURN, 0, 0, ALLOW), _refuse(errno.EPERM)]
    return b"".join(steps)


def _refuse(number: int) -> bytes:
    return _step(RETURN, 0, 0, ERRNO | number)


def _when(number: int, *steps: bytes) -> list[bytes]:
    """For one call; whatever `steps` do not refuse, and jump behind, is allowed."""
    return [_step(EQUAL, 0, len(steps) + 1, number), *steps, _step(RETURN, 0, 0, ALLOW)]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def install(code: bytes) -> None:
    """Filter this process and all its children for good. Needs no_new_privs. Raises OSError when the kernel refuses."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(code, len(code))
    block = _Program(len(code) // 8, ctypes.cast(buffer, ctypes.c_char_p))
    set_seccomp, filter_mode = 22, 2
    if libc.prctl(set_seccomp, filter_mode, ctypes.byref(block), 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"the kernel refused the system-call filter: {errno.errorcode.get(number, number)}")
