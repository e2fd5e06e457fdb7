"""A bad network between a visitor and the worker: a UDP relay of our own with loss, delay and cuts.

As `tc netem` does, but without root, and the same on every machine. The worker learns the visitor's address from the
first packet that comes through (the offer's candidates are taken out); the visitor sees the relay in the answer.
"""

import heapq
import random
import re
import selectors
import socket
import threading
import time
from itertools import count
from types import TracebackType
from typing import Self

IDLE_S = 0.2
Address = tuple[str, int]


class Line:
    """loss: share of packets that vanish, each way. delay_s: each way. cut: nothing passes. All may change at any time.

    `passed`, `lost`: packets so far. Runs in a thread of its own between `with` and its end.
    """

    def __init__(self, loss: float = 0.0, delay_s: float = 0.0, seed: int = 3) -> None:
        self.loss, self.delay_s, self.cut = loss, delay_s, False
        self.passed = self.lost = 0
        self._dice = random.Random(seed)
        self._selector = selectors.DefaultSelector()
        self._front = udp_socket()
        self._selector.register(self._front, selectors.EVENT_READ, None)
        self._worker: Address | None = None
        self._back: dict[Address, socket.socket] = {}  # one for each visitor's address
        self._due: list[tuple[float, int, socket.socket, bytes, Address]] = []
        self._order = count()
        self._open = True
        self._thread = threading.Thread(target=self._run, name="line")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        self._thread.join()
        for each in (self._front, *self._back.values()):
            each.close()
        self._selector.close()

    def offer(self, sdp: str) -> str:
        """Without candidates: the worker must not find a way around."""
        return "".join(line for line in sdp.splitlines(keepends=True) if "candidate" not in line)

    def answer(self, sdp: str) -> str:
        """With the relay in the place of the worker's own candidates; remembers where the worker listens."""
        found = re.search(r"^a=candidate:\S+ 1 udp \d+ 127\.0\.0\.1 (\d+) typ host", sdp, re.MULTILINE)
        assert found, f"the worker offers no loopback candidate:\n{sdp}"
        self._worker = ("127.0.0.1", int(found[1]))
        port = self._front.getsockname()[1]
        own = f"a=candidate:1 1 udp 2130706431 127.0.0.1 {port} typ host\r\n"
        lines = [line for line in sdp.splitlines(keepends=True) if not line.startswith("a=candidate")]
        at = next(i for i, line in enumerate(lines) if line.startswith("a=ice-ufrag"))
        return "".join([*lines[:at], own, *lines[at:]])

    def _run(self) -> None:
        while self._open:
            wait_s = max(0.0, self._due[0][0] - time.monotonic()) if self._due else IDLE_S
            for key, _ in self._selector.select(min(wait_s, IDLE_S)):
                self._read(key.fileobj, key.data)  # type: ignore[arg-type]  # only sockets were registered
            while self._due and self._due[0][0] <= time.monotonic():
                _, _, way, packet, target = heapq.heappop(self._due)
                way.sendto(packet, target)

    def _read(self, source: socket.socket, visitor: Address | None) -> None:
        """visitor: whom this socket serves; None for the one that all visitors send to."""
        while True:
            try:
                packet, sender = source.recvfrom(65_536)
            except BlockingIOError:
                return
            except ConnectionRefusedError:  # the worker's end is closed
                continue
            if visitor is None:
                if self._worker is not None:
                    self._pass_on(self._back_for(sender), packet, self._worker)
            else:
                self._pass_on(self._front, packet, visitor)

    def _pass_on(self, way: socket.socket, packet: bytes, target: Address) -> None:
        if self.cut or self._dice.random() < self.loss:
            self.lost += 1
            return
        self.passed += 1
        heapq.heappush(self._due, (time.monotonic() + self.delay_s, next(self._order), way, packet, target))

    def _back_for(self, visitor: Address) -> socket.socket:
        if visitor not in self._back:
            self._back[visitor] = udp_socket()
            self._selector.register(self._back[visitor], selectors.EVENT_READ, visitor)
        return self._back[visitor]


def udp_socket() -> socket.socket:
    """On a free port of this machine; asked for what is not there, it does not wait."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.setblocking(False)
    return made
