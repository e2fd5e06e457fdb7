"""What visitors leave behind: nothing that is counted, and no memory that was freed but kept."""

import asyncio
import gc
import os
import platform
import subprocess
import sys
import threading
import weakref
from collections import Counter
from pathlib import Path

import psutil
import pytest

from stylizer.config import Settings
from tests.web.doubles import ColourPipeline, free_port, running, visiting, wait_for
from web import memory
from web.api.app import create_app
from web.api.doors import RateLimit
from web.rtc.session import Session

pytestmark = pytest.mark.timeout(120)
CHECKOUT = Path(__file__).parents[2]
MIB = 2**20
VISITS = 6
LEFT_BEHIND = {  # of one visitor, and of aiortc's connection
    "Peer", "Intake", "ResultTrack", "Stream", "LiveSession", "VisitorState", "Frame", "VideoFrame", "Task",
    "RTCPeerConnection", "RTCRtpSender", "RTCRtpReceiver", "RTCDtlsTransport", "RTCSctpTransport", "RTCIceTransport",
    "RemoteStreamTrack", "Vp8Encoder", "Vp8Decoder", "Thread", "socket", "StunProtocol", "TransactionTimeout",
}  # fmt: skip


def _counted() -> Counter[str]:
    for _ in range(3):  # what a finaliser frees may hold more
        gc.collect()
    names = (type(each).__name__ for each in gc.get_objects())
    return Counter(name for name in names if name in LEFT_BEHIND)


def test_visitors_who_come_and_go_leave_nothing_behind() -> None:
    async def visits(count: int) -> None:
        for _ in range(count):
            async with visiting(worker, (200, 40, 40)) as visitor:
                await visitor.frames(3)

    process = psutil.Process()
    with running(create_app(Settings.load(visitors=2), ColourPipeline(), RateLimit(burst=10_000))) as worker:
        asyncio.run(visits(2))
        before, descriptors, threads = _counted(), process.num_fds(), threading.active_count()
        asyncio.run(visits(VISITS))
        after = _counted()
        assert worker.visitors() == 0
        grown = {name: after[name] - before[name] for name in after if after[name] - before[name] >= VISITS}
        assert not grown, f"after {VISITS} more visitors there are more of: {grown}"
        assert process.num_fds() - descriptors < VISITS and threading.active_count() - threads < VISITS


def test_the_last_visitors_pictures_go_though_nobody_comes_after_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("web.rtc.streams.SWEEP_S", 0.01)

    async def visit() -> "weakref.ref[Session]":
        async with visiting(worker, (200, 40, 40)) as visitor:
            await visitor.frames(3)
            return weakref.ref(worker.session())

    with running(create_app(Settings.load(visitors=1), ColourPipeline())) as worker:
        session = asyncio.run(visit())
        wait_for(lambda: session() is None, 5)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library: its allocator keeps less")
def test_freed_memory_goes_back_to_the_system() -> None:
    """Freed between blocks that stay, as one visitor's pictures between another's."""
    process = psutil.Process()
    blocks = [bytearray(b"x" * 60_000) for _ in range(2000)]
    kept = blocks[::50]
    del blocks
    gc.collect()
    scattered = process.memory_info().rss
    memory.give_back()
    assert scattered - process.memory_info().rss > 60 * MIB
    assert len(kept) == 40


ARENAS = """
import ctypes, sys, threading
from stylizer.config import Settings
from web import demo
from web.api import server

def many_threads(*settings):
    barrier = threading.Barrier(12)
    def allocate():
        held = [ctypes.create_string_buffer(60_000) for _ in range(20)]
        barrier.wait(20)
    threads = [threading.Thread(target=allocate) for _ in range(12)]
    for each in threads: each.start()
    for each in threads: each.join()
    libc = ctypes.CDLL(None)
    libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
    libc.fflush(None)
    sys.exit(0)

server.create_app = demo.make_server = many_threads
demo.launch.start = lambda settings: None
{"serve": server.serve, "demo": demo.run, "other": many_threads}[sys.argv[1]](Settings.load())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library: it has no arenas")
def test_a_workers_threads_share_few_arenas() -> None:
    """As many threads as a worker has, counted by glibc itself; in a process that is no worker each has its own."""
    arenas = {}
    ports = {"STYLIZER_PORT": str(free_port()), "STYLIZER_STUDIO_PORT": str(free_port())}
    for who in ("serve", "demo", "other"):
        command, environment = [sys.executable, "-c", ARENAS, who], {**os.environ, **ports}
        done = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        arenas[who] = done.stdout.count("<heap nr=")
    assert max(arenas["serve"], arenas["demo"]) <= memory.ARENAS < arenas["other"]


def test_the_worker_hands_it_back_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    given_back = threading.Event()
    monkeypatch.setattr(memory, "EVERY_S", 0.05)
    monkeypatch.setattr(memory, "give_back", given_back.set)
    with running(create_app(Settings.load(), ColourPipeline())):
        assert given_back.wait(20)
