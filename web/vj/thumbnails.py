"""Small pictures of models and presets: each is played for a moment beside the show, in a thread of its own."""

import queue
import threading
import time
from zlib import crc32

from stylizer.controls import Value, defaults
from stylizer.errors import StylizerError
from stylizer.frame import fitted
from stylizer.logs import log
from stylizer.picture import encode_picture
from stylizer.vj.bank import Bank
from stylizer.vj.loop import open_loop
from stylizer.vj.presets import Preset
from stylizer.vj.session import VjSession

SIDE_PX = 160
STEPS, STEP_S = 30, 1 / 30  # a second from black: every embedded model has found its look by then
NOISE = 0.12

Key = tuple[str, str]  # ("model" | "preset", name)


class Thumbnails:
    """`want` asks, `get` has the JPEG when it is made. Half the time the thread rests: the show comes first."""

    def __init__(self, bank: Bank, steps: int = STEPS) -> None:
        self._bank, self._steps = bank, steps
        self._made: dict[Key, bytes] = {}
        self._asked: set[Key] = set()
        self._waiting: queue.SimpleQueue[tuple[Key, Preset] | None] = queue.SimpleQueue()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def mark(self, kind: str, name: str) -> str:
        """Of the picture itself: browsers keep one for an hour, and another show has others under the same names. ""
        while it is not made."""
        picture = self._made.get((kind, name))
        return "" if picture is None else f"{crc32(picture):08x}"

    def get(self, kind: str, name: str) -> bytes | None:
        return self._made.get((kind, name))

    def want_model(self, name: str) -> None:
        look: dict[str, Value] = {"model_a": name, "model_b": name, "noise_2": NOISE}
        self._want(("model", name), Preset(name, name, defaults("vj") | look))

    def want_preset(self, preset: Preset) -> None:
        self._want(("preset", preset.name), preset)

    def close(self) -> None:
        self._closed.set()
        if self._thread:
            self._waiting.put(None)
            self._thread.join()

    def _want(self, key: Key, preset: Preset) -> None:
        if key in self._asked:
            return
        self._asked.add(key)
        self._waiting.put((key, preset))
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="thumbnails", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (asked := self._waiting.get()) is not None and not self._closed.is_set():
            key, preset = asked
            try:
                self._made[key] = self._drawn(preset)
            except StylizerError as error:  # its tile stays empty; playing it will say the same in words
                log.warning("no thumbnail", of=key[1], reason=str(error))

    def _drawn(self, preset: Preset) -> bytes:
        session = VjSession(self._bank, loop=open_loop(compiles=False))
        session.apply({**preset.values, "output_size": "256", "strobe_guard": False})
        for _ in range(self._steps):
            begin = time.perf_counter()
            pixels = session.step(STEP_S)
            if self._closed.wait(time.perf_counter() - begin):
                break
        return encode_picture(fitted(pixels, SIDE_PX, SIDE_PX), "JPEG")
