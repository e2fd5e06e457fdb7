"""The commands as processes: they answer early, end quickly when told, and leave nobody behind."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from stylizer.config import Settings
from stylizer.errors import Unavailable
from tests.web.doubles import PaintedTrack, Running, Visitor, free_port, wait_for
from web.addresses import check_port_free, for_phones, reachable_host
from web.demo import addresses, for_the_network

pytestmark = pytest.mark.timeout(200)
CHECKOUT = Path(__file__).parents[2]
SERVE = (
    "from stylizer.config import Settings; from tests.web.doubles import ColourPipeline; "
    "from web.api.server import serve; serve(Settings.load(), ColourPipeline())"
)


@contextmanager
def _process(code: str, cache: Path, **variables: object) -> Iterator["subprocess.Popen[str]"]:
    """Python that runs `code` in the checkout with STYLIZER_* variables; killed if it is still there at the end.

    What it said is shown with a test that fails.
    """
    environment = {f"STYLIZER_{name.upper()}": str(value) for name, value in variables.items()}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=CHECKOUT,
        env={**os.environ, "STYLIZER_CACHE": str(cache), "STYLIZER_THREADS": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        sys.stdout.write(process.communicate()[0] or "")


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def _wait_until_it_answers(process: "subprocess.Popen[str]", url: str) -> None:
    wait_for(lambda: _answers(url) or process.poll() is not None, 120)
    assert process.poll() is None, process.communicate()[0]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_serve_ends_within_five_seconds_of_sigterm(tmp_path: Path) -> None:
    port = free_port()
    code = "from stylizer.config import Settings; from web.api.server import serve; serve(Settings.load())"
    with _process(code, tmp_path, port=port) as process:
        _wait_until_it_answers(process, f"http://127.0.0.1:{port}/health")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_serve_closes_all_when_told_to_end_and_has_nothing_to_say(sign: signal.Signals, tmp_path: Path) -> None:
    """The first Ctrl-C was taken for the second, which closes nothing, and left tracebacks."""
    port = free_port()
    with _process(SERVE, tmp_path, port=port) as process:
        _wait_until_it_answers(process, f"http://127.0.0.1:{port}/ready")
        process.send_signal(sign)
        said, _ = process.communicate(timeout=15)
    assert process.returncode == 0 and "Traceback" not in said, said


def _half_open(port: int, address: str) -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), source_address=(address, 0), timeout=5)
    made.sendall(b"GET /health HTTP/1.1\r\nHost:")
    return made


@pytest.mark.parametrize("addresses", [1, 30])
def test_a_flood_of_half_open_connections_leaves_others_served_within_a_second(tmp_path: Path, addresses: int) -> None:
    """More of them than the worker may open files; they come again and again while somebody else asks."""
    port = free_port()
    code = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400)); " + SERVE
    crowd = [f"127.0.1.{1 + number % addresses}" for number in range(500)]
    with _process(code, tmp_path, port=port) as process, contextlib.ExitStack() as held:
        _wait_until_it_answers(process, f"http://127.0.0.1:{port}/ready")
        way = httpx.HTTPTransport(local_address="127.0.0.2", limits=httpx.Limits(max_keepalive_connections=0))
        http = held.enter_context(httpx.Client(transport=way, base_url=f"http://127.0.0.1:{port}"))
        for number, address in enumerate(crowd):
            held.enter_context(_half_open(port, address))
            if number > 400 and number % 10 == 0:
                assert http.get("/health", timeout=1).status_code == 200
        refused = http.get("/metrics").text
        assert "stylizer_connections_displaced_total" in refused


During = Callable[[Visitor], Awaitable[Callable[[], Awaitable[object]]]]  # before the end -> what is looked at after it


def _seconds_to_the_end(tmp_path: Path, during: During, code: str = SERVE, **settings: str) -> float:
    """From SIGTERM to the end of a worker whose visitor sees pictures and does `during`."""
    port = free_port()

    async def visit(process: "subprocess.Popen[str]") -> float:
        visitor = Visitor(Running(f"http://127.0.0.1:{port}", FastAPI()), PaintedTrack((200, 40, 40)))
        await visitor.open()
        await visitor.connect()
        await visitor.frames(3, 30)
        after = await during(visitor)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        assert await asyncio.to_thread(process.wait, 15) == 0, "by itself, not by the deadline"
        took_s = time.monotonic() - began
        await after()
        await visitor.vanish()
        return took_s

    with _process(code, tmp_path, port=port, **settings) as process:
        _wait_until_it_answers(process, f"http://127.0.0.1:{port}/ready")
        return asyncio.run(visit(process))


def test_a_visitor_is_told_of_the_end_and_the_process_is_gone_within_five_seconds(tmp_path: Path) -> None:
    async def during(visitor: Visitor) -> Callable[[], Awaitable[object]]:
        async def told() -> None:
            assert any('"bye"' in message and "shutdown" in message for message in visitor.messages)

        return told

    assert _seconds_to_the_end(tmp_path, during) <= 5


def test_a_recording_under_way_is_closed_when_the_end_comes(tmp_path: Path) -> None:
    async def during(visitor: Visitor) -> Callable[[], Awaitable[object]]:
        recording = asyncio.ensure_future(visitor.http.post(visitor.path("keepsake")))
        await asyncio.sleep(1)
        assert not recording.done()
        return lambda: asyncio.gather(recording, return_exceptions=True)

    assert _seconds_to_the_end(tmp_path, during, public_url="http://192.0.2.7:8000") <= 5


SLOW_STEPS = """
import asyncio, atexit, threading, time
from stylizer.config import Settings
from tests.web.doubles import ColourPipeline
from web.api.server import serve
from web.rtc.peer import Peer

async def never_closed(self, why):
    await asyncio.sleep(60)

Peer.close = never_closed
atexit.register(time.sleep, 60)
threading.Thread(target=time.sleep, args=(60,)).start()

class Hangs(ColourPipeline):
    seen = 0

    def see(self, frames, states):
        self.seen += 1
        self.delay_s = 60 if self.seen > 10 else 0
        return super().see(frames, states)

serve(Settings.load(), Hangs())
"""


def test_steps_that_never_end_add_up_to_less_than_five_seconds(tmp_path: Path) -> None:
    """A request whose body does not come, a connection that does not close, a picture that is never drawn, a thread and
    a library that do not let the interpreter go: each is given its time, and the process ends by itself."""

    async def during(visitor: Visitor) -> Callable[[], Awaitable[object]]:
        async def endless() -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.sleep(30)

        request = asyncio.ensure_future(visitor.http.post("/v1/streams", content=endless()))
        await asyncio.sleep(3)  # thirty pictures a second: by then the pipeline hangs
        assert not request.done()

        async def after() -> None:
            request.cancel()
            await asyncio.gather(request, return_exceptions=True)

        return after

    assert 2 < _seconds_to_the_end(tmp_path, during, SLOW_STEPS) < 5, "three steps of a second, and no more"


@pytest.mark.parametrize("hangs, status", [("time", 1), ("ctypes.PyDLL(None)", -signal.SIGALRM)])
def test_a_step_without_a_bound_does_not_hold_the_process(tmp_path: Path, hangs: str, status: int) -> None:
    """A thread of ours ends the process; where a native call lets no thread run, the kernel does."""
    port = free_port()
    code = f"import ctypes, time; from stylizer.live import Worker; Worker.stop = lambda _: {hangs}.sleep(60); " + SERVE
    with _process(code, tmp_path, port=port) as process:
        _wait_until_it_answers(process, f"http://127.0.0.1:{port}/ready")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=15)
        assert time.monotonic() - began < 5
        assert process.returncode == status
        assert ("did not end in time" in output) == (status == 1)


def test_who_gives_up_says_so_to_whoever_starts_it_again(tmp_path: Path) -> None:
    """systemd and Docker start a service again "on failure": not where it ended with 0."""
    port = free_port()
    code = "from web.api import service; service.MAX_RESTARTS = -1; " + SERVE
    with _process(code, tmp_path, port=port) as process:
        output, _ = process.communicate(timeout=60)
        assert "giving up" in output
        assert process.returncode == 1


def test_a_busy_machine_ends_it_in_time_too(tmp_path: Path) -> None:
    """With the libraries of the whole pipeline loaded: taking those down took most of the time."""
    with contextlib.ExitStack() as beside:

        async def during(visitor: Visitor) -> Callable[[], Awaitable[object]]:
            for _ in range(6 * (os.cpu_count() or 1)):
                beside.enter_context(_process("while True: pass", tmp_path))
            await asyncio.sleep(1)
            return lambda: asyncio.sleep(0)

        assert _seconds_to_the_end(tmp_path, during, "import torch, openvino, cv2; " + SERVE) < 5


def test_demo_runs_both_and_ctrl_c_ends_both(tmp_path: Path) -> None:
    port, studio_port = free_port(), free_port()
    code = "from stylizer.config import Settings; from web.demo import run; run(Settings.load())"
    with _process(code, tmp_path, port=port, studio_port=studio_port) as process:
        _wait_until_it_answers(process, f"http://127.0.0.1:{port}/health")
        _wait_until_it_answers(process, f"http://127.0.0.1:{studio_port}/_stcore/health")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
        assert process.returncode == 0 and "Traceback" not in output, output
        assert f"http://localhost:{port}" in output and f"http://localhost:{studio_port}" in output
        assert sum(set(line) <= set("█▀▄ ") for line in output.splitlines() if line.strip()) > 10, "a QR code"
        wait_for(lambda: _is_free(studio_port), 5)


def test_a_demo_whose_worker_gives_up_ends_with_its_status(tmp_path: Path) -> None:
    code = """
from stylizer.config import Settings
from tests.web.doubles import ColourPipeline
from web import demo
from web.api import service
from web.api.app import create_app
from web.api.server import make_server

service.MAX_RESTARTS = -1
demo.make_server = lambda settings: make_server(settings, create_app(settings, ColourPipeline()))
demo.run(Settings.load())
"""
    studio_port = free_port()
    with _process(code, tmp_path, port=free_port(), studio_port=studio_port) as process:
        output, _ = process.communicate(timeout=120)
        assert "giving up" in output
        assert process.returncode == 1, output
        wait_for(lambda: _is_free(studio_port), 5)


def test_the_studio_alone_ends_with_sigterm(tmp_path: Path) -> None:
    code = "from stylizer.config import Settings; from web.studio import launch; launch.run(Settings.load())"
    port = free_port()
    with _process(code, tmp_path, studio_port=port) as process:
        _wait_until_it_answers(process, f"http://127.0.0.1:{port}/_stcore/health")
        process.send_signal(signal.SIGTERM)
        process.wait(10)  # Streamlit is asked, and after five seconds made to
        wait_for(lambda: _is_free(port), 5)


def test_the_studio_ends_with_streamlits_status(tmp_path: Path) -> None:
    code = """
import sys
from stylizer.config import Settings
from web.studio import launch
launch.command = lambda settings: [sys.executable, "-c", "import sys; sys.exit(3)"]
launch.run(Settings.load())
"""
    with _process(code, tmp_path) as process:
        assert process.wait(60) == 3


def test_a_terminal_that_is_closed_leaves_no_studio_behind(tmp_path: Path) -> None:
    """It has a session of its own, which the terminal's end does not reach."""
    code = """
import signal, sys
from stylizer.config import Settings
from web.studio import launch
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may ignore it
endless = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
launch.command = lambda settings: [sys.executable, "-c", endless]
launch.run(Settings.load())
"""
    with _process(code, tmp_path) as process:
        assert process.stdout is not None
        studio = int(process.stdout.readline())
        process.send_signal(signal.SIGHUP)
        assert process.wait(10) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(studio, 0)


def test_a_port_that_is_taken_is_named_with_the_variable_that_changes_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(Unavailable, match="STYLIZER_PORT"):
            check_port_free("127.0.0.1", other.getsockname()[1], "STYLIZER_PORT")


@pytest.mark.parametrize("command, variable", [("serve", "STYLIZER_PORT"), ("studio", "STYLIZER_STUDIO_PORT")])
def test_a_door_that_cannot_be_opened_is_one_line_that_says_what_to_change(
    command: str, variable: str, tmp_path: Path
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        for options, words in (
            (("--host", "127.0.0.1", "--port", taken), (taken, "in use", variable, "--port")),
            (("--host", "192.0.2.7", "--port", str(free_port())), ("192.0.2.7", "address of this machine")),
        ):
            ended = subprocess.run(
                [sys.executable, "-m", "stylizer", command, *options],
                cwd=CHECKOUT,
                env={**os.environ, "STYLIZER_CACHE": str(tmp_path), "STYLIZER_MODELS": "", "COLUMNS": "300"},
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert ended.returncode == 1 and ended.stderr.count("\n") == 1, ended.stderr
            assert all(word in ended.stderr for word in words), ended.stderr


def test_addresses_are_those_a_browser_can_open() -> None:
    assert addresses(Settings.load(host="127.0.0.1", port=81)) == ("http://localhost:81", "http://localhost:8501")
    assert addresses(Settings.load(host="::1"))[0] == "http://localhost:8000"
    assert addresses(Settings.load(host="fd00::7"))[0] == "http://[fd00::7]:8000"
    assert reachable_host("0.0.0.0") not in ("0.0.0.0", "127.0.0.1")


def test_the_demos_booth_is_open_to_phones_unless_an_address_was_chosen() -> None:
    assert for_the_network(Settings.load()).host == "0.0.0.0"
    assert for_the_network(Settings.load(host="127.0.0.1")).host == "127.0.0.1"


def test_phones_are_sent_where_the_booth_was_opened() -> None:
    lonely, open_to_all = Settings.load(host="127.0.0.1"), Settings.load(host="0.0.0.0", port=81)
    assert for_phones(lonely, "http://localhost:8000/") is None
    assert for_phones(open_to_all, "http://192.0.2.5:81/") == "http://192.0.2.5:81"
    assert (
        for_phones(Settings.load(public_url="https://booth.example/"), "http://localhost/") == "https://booth.example"
    )
    if (here := reachable_host("0.0.0.0")) != "localhost":
        assert for_phones(open_to_all, "http://localhost:81/") == f"http://{here}:81"


def test_settings_reach_another_process_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.load(
        models=(Path("/a"), Path("/b")), turn_secret="s3cret", origins=("https://x.example",), visitors=2, host="::1"
    )
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    assert Settings.load() == settings
