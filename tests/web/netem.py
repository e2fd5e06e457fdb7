"""A bad line made by Linux itself: `tc netem` on a router between this process's network and a worker's.

The router is a User-Mode Linux, a kernel that runs as a process: the machine's own needs no netem. Visitor (this
process), router and worker are each in a network of their own; what passes between the two may be lost, HTTP as well.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import NamedTuple, Self

from tests.web.doubles import is_ready, wait_for, worker_process

ROUTER = Path(__file__).with_name("netem_router.sh")
HERE, THERE = "10.77.0.2", "10.77.1.2"  # the visitor's address and the worker's; the router's end in 1
TAPS = ("visitor0", "worker0")
PROGRAMS = ("ip", "insmod", "linux.uml", "nsenter", "tc", "unshare")


class Packets(NamedTuple):
    """Both ways together."""

    passed: int
    lost: int


class Worker(NamedTuple):
    base: str
    process: "subprocess.Popen[bytes]"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Netem:
    """`lay(loss_percent, delay_ms)`, for each direction, between `with` and its end; at first nothing is lost or late.

    Raises RuntimeError where a program is missing, or where this process shares its network with the machine.
    """

    kernel = ""  # the router's version
    _packets = Packets(0, 0)

    def __enter__(self) -> Self:
        _check()
        with contextlib.ExitStack() as stack:
            self._far = stack.enter_context(_running("unshare", "--net", "sleep", "infinity"))
            wait_for(lambda: _network(self._far.pid) != _network(os.getpid()), 10)
            for tap in TAPS:
                _do("ip", "tuntap", "add", "dev", tap, "mode", "tap")
            self._router = stack.enter_context(_running(*_uml(stack.enter_context(TemporaryDirectory()))))
            self.kernel = self._answer(r"router: (\S+)")[1]
            _do("ip", "link", "set", TAPS[1], "netns", str(self._far.pid))
            _join(TAPS[0], HERE)
            _join(TAPS[1], THERE, *self.there)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def there(self) -> tuple[str, ...]:
        """Before a command: it runs on the worker's side."""
        return ("nsenter", f"--net=/proc/{self._far.pid}/ns/net")

    def lay(self, loss_percent: float = 0, delay_ms: float = 0) -> Packets:
        """From now on; -> the packets since it was called before."""
        counts = [self._tell(way, f"netem loss {loss_percent}% delay {delay_ms}ms") for way in (0, 1)]
        before, self._packets = self._packets, Packets(*map(sum, zip(*counts, strict=True)))
        return Packets(self._packets.passed - before.passed, self._packets.lost - before.lost)

    def _tell(self, way: int, rules: str) -> tuple[int, int]:
        """-> packets that passed this way, and were lost, since the line is there."""
        assert self._router.stdin
        self._router.stdin.write(f"qdisc replace dev vec{way} root {rules}\nqdisc show dev vec{way}\n".encode())
        self._router.stdin.flush()
        counts = self._answer(r"Sent \d+ bytes (\d+) pkt \(dropped (\d+)")
        return int(counts[1]), int(counts[2])

    def _answer(self, pattern: str) -> re.Match[str]:
        assert self._router.stdout
        said = []
        for line in self._router.stdout:
            said.append(line.decode(errors="replace"))
            if found := re.search(pattern, said[-1]):
                return found
        raise RuntimeError(f"the router is gone; its last words:\n{''.join(said[-20:])}")

    @contextlib.contextmanager
    def worker(self, port: int, **settings: object) -> Iterator[Worker]:
        """One that answers; killed at the end, if it still lives."""
        base = f"http://{THERE}:{port}"
        worker = Worker(base, worker_process(*self.there, host=THERE, port=port, **settings))
        try:
            wait_for(lambda: is_ready(base), 90)
            yield worker
        finally:
            worker.kill()


def _check() -> None:
    if missing := [name for name in PROGRAMS if shutil.which(name) is None]:
        raise RuntimeError(f"not installed: {', '.join(missing)} (Debian: iproute2, kmod, user-mode-linux, util-linux)")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))  # nothing is sent
        raise RuntimeError("this process shares a network with others; benchmarks/netem.sh gives it one of its own")


def _network(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")


def _do(*command: str) -> None:
    subprocess.run(command, check=True)


def _join(tap: str, address: str, *there: str) -> None:
    """The router, whose address ends in 1, is the only way out."""
    _do(*there, "ip", "link", "set", "lo", "up")
    _do(*there, "ip", "address", "add", f"{address}/24", "dev", tap)
    _do(*there, "ip", "link", "set", tap, "up")
    _do(*there, "ip", "route", "add", "default", "via", f"{address.rpartition('.')[0]}.1")


def _uml(folder: str) -> list[str]:
    """Its files are this machine's, which it only reads. Dies with whoever started it. folder: for its own socket."""
    wires = [f"vec{number}:transport=tap,ifname={tap}" for number, tap in enumerate(TAPS)]
    files = ["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro", f"init={ROUTER}", f"uml_dir={folder}"]
    kernel = ["linux.uml", "quiet", "mem=64M", "con=null", "con0=fd:0,fd:1", *wires, *files]
    return ["unshare", "--fork", "--pid", "--kill-child", *kernel]


@contextlib.contextmanager
def _running(*command: str) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    with process:
        try:
            yield process
        finally:
            process.kill()
