"""What hostile code tries, in one warm worker, with honest jobs in between that must not notice."""

from __future__ import annotations

import errno
import os
import secrets
import socket
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.execution import Execution, Outcome, Sandbox, Task

Run = Callable[..., Execution]
MakeTask = Callable[..., Task]

HONEST = """
    import torch
    def main(job):
        torch.manual_seed(1)
        net = torch.nn.Linear(4, 2)
        x = torch.randn(32, 4)
        (net(x) ** 2).mean().backward()
        return Reply(arrays={"g": net.weight.grad.numpy()})
    """

CALL = """
    import ctypes, os
    libc = ctypes.CDLL(None, use_errno=True)
    def call(*arguments):
        if libc.syscall(*[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]) < 0:
            raise OSError(ctypes.get_errno(), "refused")
    """

# Each ends in an OSError when it is refused; anything else is a way out, but none that would do harm where it succeeds.
# `secret` is a file of the host.
FORBIDDEN = {
    "read a secret of the host": "open(secret)",
    "read the host's shadow file": "open('/etc/shadow')",
    "read the host's users": "open('/etc/passwd') if not os.path.exists('/.dockerenv') else refused()",
    "list the root's home": "os.listdir(os.path.expanduser('~root'))[0] and refused()",
    "read the fork server's memory": "open(f'/proc/{os.getppid() or 1}/mem', 'rb')",
    "read the fork server's environment": "open(f'/proc/{os.getppid() or 1}/environ', 'rb').read()",
    "read the first process' environment": "open('/proc/1/environ', 'rb').read()",
    "list processes": "os.listdir('/proc')[0]",
    "list other scratch directories": "os.listdir('/tmp') if os.getcwd() != '/tmp' else refused()",
    "write a library": "open(os.__file__, 'a')",
    "write beside a library": "open(os.path.dirname(np.__file__) + '/x.py', 'w')",
    "write a root directory": "open('/x', 'w')",
    "write shared memory": "open('/dev/shm/x', 'w')",
    "write the kernel's settings": "open('/proc/sys/kernel/core_pattern', 'w')",
    "open a device": "open('/dev/mem', 'rb')",
    "open a disk": "open('/dev/vda', 'rb')",
    "make a device": "os.mknod('d', 0o20600, os.makedev(1, 3))",
    "IPv4 socket": "socket.socket(socket.AF_INET)",
    "IPv6 socket": "socket.socket(socket.AF_INET6)",
    "raw socket": "socket.socket(socket.AF_INET, socket.SOCK_RAW)",
    "packet socket": "socket.socket(17, socket.SOCK_RAW)",
    "netlink socket": "socket.socket(16, socket.SOCK_RAW)",
    "vsock socket": "socket.socket(40)",
    "Bluetooth socket": "socket.socket(31, socket.SOCK_RAW, 1)",
    "crypto socket": "socket.socket(38, socket.SOCK_SEQPACKET)",
    "vsock pair": "socket.socketpair(40)",
    "a pair that could send to the system's log": "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "buffers without end in the kernel": (
        "socket.socketpair()[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)"
    ),
    "pages that stay in a pipe": "call(278, os.pipe()[1], None, 0, 0)",
    "another window on shared memory": "call(216, 0, 0, 0, 0, 0)",
    "shared memory by a device": "open('/dev/zero', 'r+b')",
    "the machine's asynchronous reads": "call(206, 1000, ctypes.create_string_buffer(8))",
    "the table of mounts": "call(458, ctypes.create_string_buffer(32), ctypes.create_string_buffer(64), 8, 0)",
    "hide from the fork server": "call(157, 4, 0, 0, 0, 0)",
    "Docker's socket": "socket.socket(socket.AF_UNIX).connect('/var/run/docker.sock')",
    "an abstract socket": "socket.socket(socket.AF_UNIX).bind('\\0x')",
    "resolve a name": "socket.getaddrinfo('localhost', 80) and refused()",
    "ptrace another": "call(101, 16, os.getppid() or 1, 0, 0)",
    "ask to be traced": "call(101, 0, 0, 0, 0)",
    "read another's memory": "call(310, os.getppid() or 1, None, 0, None, 0, 0)",
    "io_uring": "call(425, 8, ctypes.create_string_buffer(256))",
    "userfaultfd": "call(323, 0)",
    "a key": "call(248, b'user', b'x', b'y', 1, -3)",
    "read keys": "call(250, 0, -3, 0, 0, 0)",
    "bpf": "call(321, 0, ctypes.create_string_buffer(128), 128)",
    "perf": "call(298, ctypes.create_string_buffer(128), 0, -1, -1, 0)",
    "memory without a name": "os.memfd_create('x')",
    "System V memory": "call(29, 0, 4096, 0o1600)",
    "message queue": "call(240, b'x', 0o102, 0o600, None)",
    "mount": "call(165, b'none', b'.', b'tmpfs', 0, None)",
    "unmount": "call(166, b'.', 2)",
    "chroot": "os.chroot('.')",
    "user namespace": "call(272, 0x10000000)",
    "network namespace": "call(272, 0x40000000)",
    "clone into a namespace": "call(56, 0x10000000 | 17, 0, 0, 0, 0)",
    "clone3": "call(435, ctypes.create_string_buffer(88), 88)",
    "another's namespace": "call(308, os.open('/proc/1/ns/mnt', os.O_RDONLY), 0)",
    "set the clock": "time.clock_settime(time.CLOCK_REALTIME, time.time())",
    "become root": "os.setuid(0) or (os.listdir('/root'), refused())",
    "become the neighbour": "os.setuid(20001)",
    "signal the fork server": "os.kill(os.getppid() or 1, 0) if os.getppid() else refused()",
    "signal the first process": "os.kill(1, 0) if os.getpid() != 1 else refused()",
    "limits of another": "resource.prlimit(os.getppid() or 2, resource.RLIMIT_NOFILE, (0, 0))",
    "raise a limit": "raise_limit()",
    "priority of others": "os.setpriority(os.PRIO_USER, 0, 19)",
    "raise its priority": "os.nice(-5)",
    "real time": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))",
    "affinity of another": "os.sched_setaffinity(os.getppid() or 2, {0})",
    "protect itself from the kernel": "open('/proc/self/oom_score_adj', 'w').write('-1000')",
    "32-bit system calls": "call(0x40000000 | 41, 2, 1, 0)",
    "reboot": "call(169, 0xFEE1DEAD, 0x28121969, 0, None)",
    "load a module": "call(313, 0, b'', 0)",
}

# Another error, such as EFAULT or EINVAL, would mean that the kernel had begun to do it.
REFUSALS = (
    errno.EPERM,
    errno.EACCES,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EROFS,
    errno.ENOSYS,
    errno.ESRCH,
    socket.EAI_AGAIN,  # no name server can be reached
    "refused",
)

PREPARE = """
    import resource, socket, time
    def refused():
        raise OSError("refused")
    def raise_limit():
        soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
        try:
            resource.setrlimit(resource.RLIMIT_NPROC, (hard + 1, hard + 1))
        except ValueError:
            refused()
    """


@pytest.fixture(scope="module")
def secret() -> Iterator[str]:
    with tempfile.NamedTemporaryFile("w", prefix="secret-", dir=tempfile.gettempdir()) as file:
        file.write("held-out labels")
        os.chmod(file.name, 0o644)
        yield file.name


@pytest.mark.parametrize("attempt", FORBIDDEN)
def test_the_kernel_refuses_to(run: Run, secret: str, attempt: str) -> None:
    indented = f"""
    def main(job):
        secret = {secret!r}
        try:
            came_of_it = {FORBIDDEN[attempt]}
        except OSError as error:
            return Reply(values={{"refused": error.errno or str(error)}})
        return Reply(values={{"succeeded": repr(came_of_it)}})
    """
    result = run(_joined(CALL, PREPARE, indented))
    if result.check == "died":  # Docker's own filter answers some calls with a signal
        assert "SIGSYS" in (result.reason or "")
        return
    assert result.outcome is Outcome.FINISHED, result
    assert result.values.get("refused") in REFUSALS, result.values


def _joined(*parts: str) -> str:
    return "\n".join(parts)


def test_the_environment_names_nothing_of_the_host(run: Run) -> None:
    result = run("import os\ndef main(job):\n    return Reply(values=dict(os.environ))")
    assert set(result.values) == {"HOME", "TMPDIR", "PATH", "TORCHDYNAMO_DISABLE"}


def test_only_its_own_streams_are_open(run: Run) -> None:
    result = run(
        """
        import os
        def main(job):
            found = []
            for number in range(1024):
                try:
                    os.fstat(number)
                except OSError:
                    continue
                found.append(number)
            return Reply(values={"open": found, "stdin": os.read(0, 10).decode()})
        """
    )
    assert result.values == {"open": [0, 1, 2, 3], "stdin": ""}


FORGED = {
    "garbage": "b'\\xff' * 64",
    "nothing": "framed(b'')",
    "no JSON": "framed(struct.pack('<I', 4) + b'oops')",
    "a document longer than the packet": "framed(struct.pack('<I', 1 << 31) + b'{}')",
    "nested without end": "document('[' * 60000)",
    "NaN": 'document(\'{"values": {"x": NaN}, "arrays": []}\')',
    "infinity, spelled out": 'document(\'{"values": {"end": "finished", "values": {"x": 1e999}}, "arrays": []}\')',
    "huge number": "document('{\"values\": {\"x\": ' + '9' * 60000 + '}, \"arrays\": []}')",
    "negative shape": "document(json.dumps({'values': ok, 'arrays': [['x', 'float32', [-1]]]}))",
    "vast shape": "document(json.dumps({'values': ok, 'arrays': [['x', 'float32', [1 << 39, 1 << 39]]]}))",
    "objects": "document(json.dumps({'values': ok, 'arrays': [['x', 'object', [1]]]}), b'x' * 8)",
    "an array twice": "document(json.dumps({'values': ok, 'arrays': [['x', 'uint8', [1]]] * 2}), b'xx')",
    "bytes after the end": "document(json.dumps({'values': ok, 'arrays': []}), b'trailing')",
    "a check that is no word": "ended('rejected', check='<!channel>', reason='x')",
    "an end of its own": "ended('scored', values={})",
    "a limit that only we measure": "ended('killed', check='time limit')",
}


@pytest.mark.parametrize("forgery", FORGED)
def test_a_forged_reply_is_rejected_or_a_death(run: Run, forgery: str) -> None:
    result = run(
        f"""
    import json, os, struct
    ok = {{"end": "finished", "values": {{}}}}
    def framed(packet):
        return struct.pack("<Q", len(packet)) + packet
    def document(text, rest=b""):
        return framed(struct.pack("<I", len(text)) + text.encode() + rest)
    def ended(end, **values):
        return document(json.dumps({{"values": {{"end": end}} | values, "arrays": []}}))
    data = {FORGED[forgery]}
    while data:
        data = data[os.write(3, data):]
    os._exit(0)
    """
    )
    assert result.check in ("reply", "died", "reply limit"), result
    assert not result.values
    assert not result.arrays


NEIGHBOURS = {
    "leaves a daemon": """
        import os, time
        for _ in range(3):
            if os.fork() == 0:
                os.setsid()
                if os.fork() == 0:
                    time.sleep(600)
                os._exit(0)
        def main(job):
            return Reply()
        """,
    "leaves a process that ignores signals and holds the pipes": """
        import os, signal, time
        if os.fork() == 0:
            for n in range(1, 32):
                if n not in (9, 19): signal.signal(n, signal.SIG_IGN)
            os.setsid()
            while True: time.sleep(1)
        os._exit(0)
        """,
    "leaves files that resist": """
        import os
        os.makedirs("a/b/c"); open("a/b/c/f", "w").write("x"); os.symlink("/", "a/root")
        os.chmod("a/b/c", 0); os.chmod("a/b", 0); os.chmod("a", 0)
        for n in range(300): os.mkdir(f"d{n}")
        os.chmod(".", 0)
        def main(job):
            return Reply()
        """,
    "nests directories without end": """
        import os
        try:
            for _ in range(3000):
                os.mkdir("d"); os.chdir("d")
        except OSError:
            pass
        def main(job):
            return Reply()
        """,
    "fork bomb": """
        import os
        while True:
            try: os.fork()
            except OSError: pass
        """,
    "thread bomb": """
        import threading, time
        while True:
            try: threading.Thread(target=time.sleep, args=(100,)).start()
            except RuntimeError: pass
        """,
    "kills everything it can": """
        import os, signal
        for n in (15, 9):
            try: os.kill(-1, n)
            except OSError: pass
        try: os.kill(0, 9)
        except OSError: pass
        """,
    "patches the library": """
        import torch, time, random
        torch.manual_seed = lambda *a: None
        torch.nn.Linear.forward = lambda self, x: x * 0
        torch.Tensor.backward = lambda *a, **k: None
        torch.set_default_dtype(torch.float64)
        torch.set_num_threads(7)
        torch.use_deterministic_algorithms(True)
        time.time = time.monotonic = time.perf_counter = lambda: 0.0
        def main(job):
            return Reply()
        """,
    "walks the frames and edits what it finds": """
        import gc, sys
        frame = sys._getframe()
        while frame:
            for value in list(frame.f_locals.values()):
                if isinstance(value, dict):
                    try: value.clear()
                    except Exception: pass
            frame = frame.f_back
        for thing in gc.get_objects():
            if isinstance(thing, dict) and "actions" in thing: thing["actions"] = None
        """,
    "prints without end": "while True: print('x' * 10000)",
    "answers at exit": """
        import atexit, os
        atexit.register(lambda: os.write(3, b"x" * 100))
        def main(job):
            raise SystemExit(0)
        """,
    "fills the disk": """
        while True:
            for n in range(5000):
                try: open(str(n), "wb").write(bytes(1 << 20))
                except OSError: pass
        """,
    "eats memory in many processes": """
        import os
        for _ in range(4):
            os.fork()
        x = []
        while True: x.append(np.ones(1 << 20))
        """,
}


@pytest.mark.parametrize("neighbour", NEIGHBOURS)
def test_an_honest_job_beside_and_after_it_notices_nothing_of(sandbox: Sandbox, task: MakeTask, neighbour: str) -> None:
    honest = task(HONEST, expects={"g": (2, 4)})
    alone = sandbox.run(honest)
    assert alone.outcome is Outcome.FINISHED
    with ThreadPoolExecutor(2) as pool:
        hostile = pool.submit(sandbox.run, task(NEIGHBOURS[neighbour], wall_seconds=1.5, memory_mib=512))
        beside = [sandbox.run(honest)]
        while not hostile.done():
            beside.append(sandbox.run(honest))
    after = sandbox.run(honest)
    for result in (*beside, after):
        assert result.outcome is Outcome.FINISHED, result
        assert result.arrays["g"].tolist() == alone.arrays["g"].tolist()
    assert hostile.result().outcome in (Outcome.FINISHED, Outcome.REJECTED, Outcome.KILLED)


def test_a_later_job_finds_no_trace_of_an_earlier_one_in_its_memory(run: Run) -> None:
    marker, control = secrets.token_hex(16), secrets.token_hex(16)
    first = f"""
        # {marker}
        def main(job):
            print({marker!r} * 20)
            return Reply(values={{"marker": {marker!r} * 100}})
        """
    assert run(first).values["marker"] == marker * 100
    later = run(
        f"""
        import ctypes, os
        readable, writable = os.pipe()
        libc = ctypes.CDLL(None, use_errno=True)
        libc.sbrk.restype = ctypes.c_void_p
        def page(address):  # EFAULT instead of a crash where nothing is mapped
            count = libc.write(writable, ctypes.c_void_p(address), 4096)
            return os.read(readable, count) if count > 0 else b""
        def around(address, pages, end, start):  # given apart, so that this job never holds what it looks for
            found, before = 0, b""
            for number in range(-pages, pages):
                text = page((address & ~4095) + number * 4096)
                joined = before[-31:] + text
                at = joined.find(start)
                while at >= 0:
                    found += joined[at + 16 : at + 32] == end
                    at = joined.find(start, at + 1)
                before = text
            return found
        def main(job):
            kept = {control[:16]!r} + str(job.options["end"])
            places = [id(thing) for thing in (object(), job, [], "x" * 100, kept, bytes(1 << 20))]
            def search(end, start):
                heap = around(libc.sbrk(ctypes.c_long(0)), 6000, end, start)
                return heap + sum(around(place, 500, end, start) for place in places)
            control = search({control[16:].encode()!r}, {control[:16].encode()!r})
            found = search({marker[16:].encode()!r}, {marker[:16].encode()!r})
            return Reply(values={{"control": control, "found": found}})
        """,
        options={"end": control[16:]},
    )
    assert later.outcome is Outcome.FINISHED, later
    assert later.values["control"] > 0, "the search must be able to find"
    assert later.values["found"] == 0
