"""A real show with small untrained models and its pages, on a port of this machine."""

import contextlib
import json
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from kernels.pict import dump_pict
from kernels.weights import random_weights
from stylizer.config import Settings
from stylizer.vj.bank import Bank, Model
from stylizer.vj.inputs.mapping import Mapper
from stylizer.vj.outputs.broadcast import Broadcast
from stylizer.vj.presets import Preset
from stylizer.vj.session import VjSession
from stylizer.vj.show import Show
from tests.web.doubles import free_port, wait_for
from web.api.doors import RateLimit
from web.api.server import make_server
from web.vj.app import create_stage_app
from web.vj.server import Playing
from web.vj.stage import Stage

KEY = "the-key-of-this-show"
SHOWS = (
    Preset("calm", "Calm", {"model_a": "one", "model_b": "two", "noise_2": 0.3}),
    Preset("wild", "Wild", {"model_a": "two", "model_b": "one", "noise_2": 0.8, "rate": 1.5, "hue": 0.25}),
)
JSON = dict[str, object]


def small_bank(folder: Path) -> Bank:
    """Random weights, two filters: moving coloured noise at a millisecond a picture."""
    bank = Bank(folder)
    for seed, name in enumerate(("one", "two", "spirals", "flames")):
        weights = random_weights(2, seed)
        bank.add(Model(name, 2, {n: w * 10 if n.endswith("kernel") else w for n, w in weights.items()}))
    return bank


def pict(seed: int = 9) -> bytes:
    """A whole `.pict` file of two filters."""
    weights = random_weights(2, seed)
    return dump_pict({n: w * 10 if n.endswith("kernel") else w for n, w in weights.items()})


@dataclass(frozen=True)
class Staged:
    base: str
    stage: Stage
    show: Show
    mapper: Mapper

    @property
    def session(self) -> VjSession:
        return self.show.session

    @property
    def control(self) -> str:
        return f"{self.base}/#{KEY}"

    def socket(self, key: str | None = KEY, origin: str | None = None) -> AbstractContextManager["Page"]:
        return connected(self.base, key, origin)


class Page:
    """A control page without a browser."""

    def __init__(self, line: ClientConnection) -> None:
        self.line = line
        self.newest: dict[str, JSON] = {}  # of each type

    def send(self, **message: object) -> None:
        self.line.send(json.dumps(message))

    def read(self, timeout_s: float = 20) -> JSON:
        message = json.loads(self.line.recv(timeout_s))
        assert isinstance(message, dict)
        self.newest[str(message["type"])] = message
        return message

    def until(self, kind: str, **fields: object) -> JSON:
        """The next message of this type or, with fields, the first from the newest on in which they hold."""
        while not fields or not _holds(self.newest.get(kind), fields):
            if self.read()["type"] == kind and not fields:
                break
        return self.newest[kind]

    def until_controls(self, **values: object) -> JSON:
        while not _holds(self.newest.get("controls", {}).get("controls"), values):
            self.read()
        controls = self.newest["controls"]["controls"]
        assert isinstance(controls, dict)
        return controls


@contextlib.contextmanager
def connected(base: str, key: str | None = KEY, origin: str | None = None) -> Iterator[Page]:
    """A control page of the stage at this address."""
    with connect(base.replace("http", "ws") + "/v1/stage", origin=Origin(origin or base), open_timeout=20) as line:
        page = Page(line)
        if key is not None:
            page.send(type="hello", key=key)
        yield page


def _holds(message: object, fields: JSON) -> bool:
    return isinstance(message, dict) and all(message.get(name) == value for name, value in fields.items())


@contextlib.contextmanager
def staged(folder: Path, *, rate: float = 30.0, port: int = 0, limit: RateLimit | None = None) -> Iterator[Staged]:
    settings = Settings.load(port=port or free_port(), stage_key=KEY)
    broadcast, mapper = Broadcast(), Mapper(soft=False)
    session = VjSession(small_bank(folder))
    session.play(SHOWS[0])
    show = Show(session, broadcast, list(SHOWS), mapper, rate=rate, recordings=folder)
    stage = Stage(show, broadcast, mapper, SHOWS, lambda: ("Test knobs",), thumbnail_steps=2)
    server = make_server(settings, create_stage_app(settings, stage, limit or RateLimit(burst=10_000)))
    playing, serving = Playing(show, server), threading.Thread(target=server.run, name="server")
    playing.start()
    serving.start()
    try:
        wait_for(lambda: server.started, 60)
        yield Staged(f"http://127.0.0.1:{settings.port}", stage, show, mapper)
    finally:
        server.should_exit = True
        serving.join(20)
        show.gesture("quit")
        playing.join(20)
        assert not serving.is_alive() and not playing.is_alive(), "show and server end when they are told"
        assert playing.fault == ""
