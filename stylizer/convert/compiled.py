"""The compiled networks of all styles that were used last, and no more of them than memory can bear."""

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Self

import torch

from stylizer.engines import Compiled

# On a CPU each takes 34 MB (anime, any size): 20 and all else stay below 1.5 GB. Three styles at full strength have up
# to eight sizes each; what had to go is read from the disk again, and meanwhile drawn by torch.
MOST_ON_CPU = 20
MOST_ON_CARD = 120  # sixteen visitors, each at a strength of their own, with head and figure


class CompiledNetworks:
    """Any thread may ask."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._networks: OrderedDict[Hashable, Compiled] = OrderedDict()

    @classmethod
    def on(cls, device: torch.device) -> Self:
        return cls(MOST_ON_CPU if device.type == "cpu" else MOST_ON_CARD)

    def get(self, key: Hashable) -> Compiled | None:
        with self._lock:
            if key in self._networks:
                self._networks.move_to_end(key)
            return self._networks.get(key)

    def keep(self, key: Hashable, network: Compiled) -> None:
        with self._lock:
            self._networks[key] = network
            self._networks.move_to_end(key)
            while len(self._networks) > self._most:
                self._networks.popitem(last=False)
