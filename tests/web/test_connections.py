"""The door has room for everybody: one address takes its share at most, and who asks nothing makes room."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse
from websockets.sync.client import ClientConnection, connect

from stylizer.config import Settings
from tests.web.doubles import ColourPipeline, Running, running, wait_for
from web import compat_http
from web.addresses import household
from web.api.app import create_app
from web.api.connections import Connections
from web.api.doors import RateLimit
from web.errors import TooManyRequests

pytestmark = pytest.mark.timeout(60)
WAIT_S = 20.0
OWN, IN_ALL = 8, 16  # the least that the settings allow
CROWD, OTHER, THIRD, FOURTH = (f"127.0.0.{n}" for n in range(2, 6))  # addresses of this machine, no trusted proxy's
PROXY = "127.0.0.1"


@pytest.fixture
def worker() -> Iterator[Running]:
    settings = Settings.load(visitors=4, connections=IN_ALL, connections_per_address=OWN)
    with running(create_app(settings, ColourPipeline(), RateLimit(burst=10_000))) as served:
        wait_for(lambda: len(_door(served)) == 0, WAIT_S)  # those that asked whether it is ready
        yield served


def _door(worker: Running) -> Connections:
    door: Connections = worker.app.state.service.connections
    return door


def _connected(worker: Running, address: str, said: str = "") -> socket.socket:
    host, _, port = worker.base.removeprefix("http://").partition(":")
    made = socket.create_connection((host, int(port)), timeout=WAIT_S, source_address=(address, 0))
    made.sendall(said.replace("\n", "\r\n").encode())
    return made


@contextlib.contextmanager
def _crowd(worker: Running, address: str, count: int, said: str = "") -> Iterator[list[socket.socket]]:
    """So many connections that say this and nothing more; all of them are there at the beginning."""
    before = len(_door(worker))
    with contextlib.ExitStack() as held:
        crowd = [held.enter_context(_connected(worker, address, said)) for _ in range(count)]
        wait_for(lambda: len(_door(worker)) == before + count, WAIT_S)
        if said:
            asking = worker.app.state.service.connections._open.values()
            wait_for(lambda: sum(each.connection.quiet_since_s is None for each in asking) >= count, WAIT_S)
        yield crowd


def _unfinished(worker: Running, **headers: str) -> str:
    """A request at work: its body does not come, for half a minute."""
    more = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    host = worker.base.removeprefix("http://")
    lines = f"Host: {host}\nOrigin: {worker.base}\nContent-Type: application/json\nContent-Length: 9\n{more}"
    return f"POST /v1/streams HTTP/1.1\n{lines}\n"


def _get(worker: Running, address: str, **headers: str) -> httpx.Response:
    way = httpx.HTTPTransport(local_address=address)
    with httpx.Client(transport=way, base_url=worker.base, timeout=WAIT_S) as http:
        return http.get("/health", headers={name.replace("_", "-"): value for name, value in headers.items()})


def _is_hung_up(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_who_asks_nothing_makes_room_for_the_next_of_the_same_address(worker: Running) -> None:
    """Visitors behind one router share its address: quiet connections of some do not keep the next one out."""
    with _crowd(worker, CROWD, OWN) as crowd:
        assert _get(worker, CROWD).status_code == 200
        assert _is_hung_up(crowd[0]), "the one that had been quiet for longest"
        assert _door(worker).displaced == 1 and _door(worker).refused == 0
        crowd[-1].setblocking(False)
        with pytest.raises(BlockingIOError):
            crowd[-1].recv(1)
    wait_for(lambda: len(_door(worker)) == 0, WAIT_S)


def test_requests_under_way_are_never_cut_the_next_of_their_address_is_refused_in_words(worker: Running) -> None:
    with _crowd(worker, CROWD, OWN, _unfinished(worker)) as crowd:
        refused = _get(worker, CROWD)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert refused.headers["Retry-After"] == "2" and refused.headers["Connection"] == "close"
        assert str(OWN) in refused.json()["message"]
        assert _get(worker, OTHER).status_code == 200
        assert (_door(worker).displaced, _door(worker).refused) == (0, 1)
        crowd[0].sendall(b"{}       ")
        assert crowd[0].recv(100).startswith(b"HTTP/1.1 201"), "it was only waiting for its body"
        assert _get(worker, CROWD).status_code == 200, "and is quiet now"
    wait_for(lambda: len(_door(worker)) == 0, WAIT_S)


def test_a_full_house_takes_room_from_the_address_that_has_most(worker: Running) -> None:
    with _crowd(worker, THIRD, 1) as few, _crowd(worker, CROWD, OWN), _crowd(worker, OTHER, OWN - 1):
        assert len(_door(worker)) == IN_ALL
        assert _get(worker, FOURTH).status_code == 200
        assert _door(worker).displaced == 1
        few[0].sendall(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert few[0].recv(100).startswith(b"HTTP/1.1 200"), "the longest quiet of all, but its address has only one"


def test_a_full_house_at_work_refuses_in_words(worker: Running) -> None:
    with _crowd(worker, CROWD, OWN, _unfinished(worker)), _crowd(worker, OTHER, OWN, _unfinished(worker)):
        refused = _get(worker, THIRD)
        assert (refused.status_code, refused.json()["code"]) == (503, "no_capacity")
        assert str(IN_ALL) in refused.json()["message"]
    wait_for(lambda: len(_door(worker)) == 0, WAIT_S)
    assert _get(worker, THIRD).status_code == 200


def test_behind_a_trusted_proxy_each_visitor_has_a_share(worker: Running) -> None:
    """The proxy's own connections are many, and bring another visitor with each request."""
    with _crowd(worker, PROXY, OWN, _unfinished(worker, X_Forwarded_For="198.51.100.1")):
        assert _get(worker, PROXY, X_Forwarded_For="198.51.100.1").status_code == 429
        assert _get(worker, PROXY, X_Forwarded_For="198.51.100.2").status_code == 200
        assert _door(worker).refused == 1
    wait_for(lambda: _get(worker, PROXY, X_Forwarded_For="198.51.100.1").status_code == 200, WAIT_S)


# ---------------------------------------------------------------- WebSockets, readers


@contextlib.contextmanager
def _serving(app: FastAPI, per_address: int) -> Iterator[Running]:
    app.state.service = SimpleNamespace(connections=Connections(per_address, 100))
    with running(app, wait_ready=False) as served:
        yield served


def _socket(worker: Running) -> ClientConnection:
    return connect(worker.base.replace("http", "ws") + "/echo", sock=_connected(worker, CROWD), open_timeout=WAIT_S)


def test_a_websocket_counts_for_as_long_as_it_is_open_and_is_never_quiet() -> None:
    app = FastAPI()

    @app.websocket("/echo")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text)

    with _serving(app, per_address=2) as worker:
        with _socket(worker) as one:
            with _socket(worker):
                assert len(_door(worker)) == 2
                assert _get(worker, CROWD).status_code == 429
                one.send("still here")
                assert one.recv(WAIT_S) == "still here"
            wait_for(lambda: len(_door(worker)) == 1, WAIT_S)
            assert _get(worker, CROWD).status_code == 404, "served: this small application has no such page"
        wait_for(lambda: len(_door(worker)) == 0, WAIT_S)


@pytest.mark.parametrize("reads", [False, True])
def test_who_does_not_read_is_hung_up_on_and_who_reads_slowly_is_not(
    reads: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compat_http, "READ_S", 1.0)
    part, parts = bytes(12_000_000), 2
    app = FastAPI()

    @app.get("/film")
    async def film() -> StreamingResponse:
        return StreamingResponse(iter([part] * parts))

    with _serving(app, per_address=8) as worker, socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        reader.settimeout(WAIT_S)
        host, _, port = worker.base.removeprefix("http://").partition(":")
        reader.connect((host, int(port)))
        reader.sendall(b"GET /film HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        if not reads:
            wait_for(lambda: len(_door(worker)) == 1, WAIT_S)
            wait_for(lambda: len(_door(worker)) == 0, WAIT_S)
            return
        began_s, received = time.monotonic(), 0
        while read := reader.recv(128 * 1024):
            received += len(read)
            time.sleep(0.02)
        assert received > parts * len(part) and time.monotonic() - began_s > 2 * compat_http.READ_S


@pytest.mark.parametrize(
    "address, counts_as",
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address: str, counts_as: str) -> None:
    assert household(address) == counts_as


class _Busy:
    quiet_since_s = None

    def hang_up(self) -> None:
        raise AssertionError("requests under way are not cut")


def test_all_addresses_of_an_ipv6_network_share_its_connections_and_requests() -> None:
    door = Connections(per_address=1, in_all=16)
    door.enter(asyncio.BaseTransport(), _Busy(), "2001:db8:1:2::1")
    door.enter(asyncio.BaseTransport(), _Busy(), "2001:db8:1:3::1")
    with pytest.raises(TooManyRequests):
        door.enter(asyncio.BaseTransport(), _Busy(), "2001:db8:1:2::9")
    with door.asking("2001:db8:1:2::1"), door.asking("2001:db8:1:3::1"):
        with pytest.raises(TooManyRequests), door.asking("2001:db8:1:2::9"):
            pass
