"""The compiled networks of all styles that were used last, and no more of them than memory can bear."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Self

import torch

from stylizer.engines import Compiled

# On a CPU each takes some 40 MB (anime, any size): with 10 a worker has about 1.5 GB. One look has up to eight sizes,
# four visitors in four looks play 18 at once, in 1.9 GB; with room for 10 alone each would come back from the disk
# again and again, drawn by torch meanwhile, at twice the latency (docs/performance.md).
FEW_ON_CPU, MOST_ON_CPU = 10, 20
MOST_ON_CARD = 120  # sixteen visitors, each at a strength of their own, with head and figure
IDLE_S = 60.0


class CompiledNetworks:
    """Any thread may ask. `most` at once, and beyond `few` none that nobody has played for IDLE_S."""

    def __init__(self, most: int, few: int | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._few = most, most if few is None else few
        self._clock, self._lock = clock, Lock()
        self._networks: OrderedDict[Hashable, tuple[Compiled, float]] = OrderedDict()  # and when it was played last

    @classmethod
    def on(cls, device: torch.device) -> Self:
        return cls(MOST_ON_CPU, FEW_ON_CPU) if device.type == "cpu" else cls(MOST_ON_CARD)

    def get(self, key: Hashable) -> Compiled | None:
        with self._lock:
            if key not in self._networks:
                return None
            network, _ = self._networks[key]
            self._note(key, network)
            return network

    def keep(self, key: Hashable, network: Compiled) -> None:
        with self._lock:
            self._note(key, network)

    def _note(self, key: Hashable, network: Compiled) -> None:
        now_s = self._clock()
        self._networks[key] = network, now_s
        self._networks.move_to_end(key)
        while len(self._networks) > self._few:
            _, played_s = next(iter(self._networks.values()))
            if len(self._networks) <= self._most and now_s - played_s <= IDLE_S:
                return
            self._networks.popitem(last=False)
