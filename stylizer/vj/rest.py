"""Compiles the network of a fader that rests, so that it runs at full speed; one that moves runs in torch meanwhile."""

import threading
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path

from kernels.pict import Weights
from kernels.weights import filters_of
from stylizer.convert.pix2pix_int8 import Run, float_unet, int8_unet, quantize_apart
from stylizer.convert.pix2pix_openvino import WIDE
from stylizer.errors import Unavailable
from stylizer.logs import log

KEPT = 4  # compiled networks
FORGIVEN = 64  # so many that failed are remembered, and not tried again
COMPILE, QUANTISE = "compile", "quantise"


class Rest:
    """cache: where quantised networks are kept; None never quantises. wait: compile at once, for off-line rendering;
    else in a thread, while the show goes on.

    A wide network runs in int8 once it has been quantised, which takes half a minute and happens once.
    """

    def __init__(self, threads: int, cache: Path | None, *, wait: bool) -> None:
        self._threads, self._cache, self._wait = threads, cache, wait
        self._runs: dict[Hashable, Run] = {}
        self._failed: set[Hashable] = set()
        self._busy: dict[str, threading.Thread] = {}
        self._lock = threading.Lock()

    def run(self, key: Hashable, weights: Callable[[], Weights], *, own: bool) -> Run | None:
        """The network under `key`, compiled; None while it is being made, and where that failed. weights: asked for
        only where needed.

        own: a model's own weights, no mixture, so that quantising them is worth half a minute.
        """
        if key not in self._runs and key not in self._failed:
            self._do(COMPILE, lambda: self._try_to_make(key, weights, own))
        return self._runs.get(key)

    def _do(self, what: str, job: Callable[[], None]) -> bool:
        """Now, or in a thread; False where one is busy with the same kind of work: the next step asks again."""
        if self._wait:
            job()
            return True
        with self._lock:
            if what in self._busy and self._busy[what].is_alive():
                return False
            # OpenVINO aborts a process that ends while it compiles: the end waits, for a second or so. Not for what
            # is quantised, which takes a process of its own.
            self._busy[what] = threading.Thread(target=job, name=f"vj-{what}", daemon=what != COMPILE)
            self._busy[what].start()
            return True

    def _try_to_make(self, key: Hashable, weights: Callable[[], Weights], own: bool) -> None:
        try:
            self._make(key, weights(), own)
        except Exception:  # a full disk, say: torch goes on playing it, at its speed
            if self._wait:
                raise
            log.exception("network not compiled")
            if len(self._failed) >= FORGIVEN:
                self._failed.clear()
            self._failed.add(key)

    def _make(self, key: Hashable, weights: Weights, own: bool) -> None:
        quantised = None
        if self._cache and own and filters_of(weights) >= WIDE:
            quantised = int8_unet(weights, self._threads, self._cache)
            if quantised is None:
                self._do(QUANTISE, partial(self._quantise, key, weights, self._cache))
        if quantised or key not in self._runs:
            self._keep(key, quantised or float_unet(weights, self._threads))

    def _quantise(self, key: Hashable, weights: Weights, cache: Path) -> None:
        try:
            quantize_apart(weights, cache)
        except (Unavailable, OSError) as error:  # a cache that cannot be written, say
            log.warning("a wide model stays in floating point, at half the speed", reason=str(error))
            return
        while not self._do(COMPILE, partial(self._exchange, key, weights, cache)):
            self._busy[COMPILE].join()

    def _exchange(self, key: Hashable, weights: Weights, cache: Path) -> None:
        """Puts the quantised network in the place of the one that ran meanwhile."""
        if (run := int8_unet(weights, self._threads, cache)) is not None:
            self._keep(key, run)

    def _keep(self, key: Hashable, run: Run) -> None:
        with self._lock:
            while key not in self._runs and len(self._runs) >= KEPT:
                self._runs.pop(next(iter(self._runs)))
            self._runs[key] = run
