"""Runs the mixture of two models: each tensor is interpolated, then one forward pass, as Ngx does.

All tensors of a model lie in one vector, and the network's parameters are views of a third one, so a crossfade is one
`lerp` and takes effect with the next picture, without a hitch. While the fader rests, a compiled network takes over
(`rest.py`): 4.8 ms instead of 9 at 16 filters on two cores, and in int8 20 ms instead of 64 at 64 filters.
"""

import threading
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from kernels.pict import Weights
from stylizer.convert.pix2pix import Unet256
from stylizer.vj.bank import Model
from stylizer.vj.rest import Rest
from stylizer.vj.widen import widened

RESTS_AFTER = 8  # pictures with the same mixture
KEPT_VECTORS, KEPT_NETWORKS = 6, 3  # of the two models that play and the two that are being made ready


class Dreamer:
    """dtype: of the moving fader's arithmetic: bfloat16 on a CPU, float16 on a GPU, unless told.

    cache: folder for quantised networks, None for none. wait: off-line, see Rest. compiles: False
    leaves a resting fader in torch, for shows of a moment. threads: of the compiled networks.
    """

    def __init__(
        self,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
        *,
        cache: Path | None = None,
        wait: bool = False,
        compiles: bool = True,
    ) -> None:
        self.device = device or torch.device("cpu")
        self.dtype = dtype or (torch.float16 if self.device.type == "cuda" else torch.bfloat16)
        self._vectors: dict[tuple[Model, int], Tensor] = {}
        self._networks: dict[int, tuple[Unet256, Tensor]] = {}  # by filters, with the vector that is its parameters
        self._lock = threading.Lock()
        self._network: Unet256 | None = None
        self._mixed = torch.empty(0)
        self._now: tuple[Model, Model, float] | None = None
        self._rested = 0
        self._rest = Rest(torch.get_num_threads(), cache, wait=wait) if compiles and self.device.type == "cpu" else None

    @property
    def filters(self) -> int:
        """Of the network that runs, the wider of the two; 0 before the first mix."""
        return self._network.filters if self._network else 0

    def prepare(self, a: Model, b: Model) -> None:
        """From any thread, before `mix`: what a fader between them needs is made here, not between two pictures.

        Seconds at 64 filters; nothing when it was made before.
        """
        with torch.inference_mode():
            widest = max(a.filters, b.filters)
            for model, filters in {(a, a.filters), (b, b.filters), (a, widest), (b, widest)}:
                self._vector(model, filters)
                self._sized(filters)

    def mix(self, a: Model, b: Model, share: float) -> None:
        """Weights = a + share * (b - a), exact at 0 and 1. Cheap when nothing changed."""
        if self._now is not None and self._now[0] is a and self._now[1] is b and self._now[2] == share:
            return
        filters = max(a.filters if share < 1 else 0, b.filters if share > 0 else 0)
        if self._network is None or self._network.filters != filters:
            self._network, self._mixed = self._sized(filters)
        if share in (0.0, 1.0):
            self._mixed.copy_(self._vector(b if share else a, filters))
        else:
            torch.lerp(self._vector(a, filters), self._vector(b, filters), share, out=self._mixed)
        self._now, self._rested = (a, b, share), 0

    def __call__(self, picture_unit: Tensor) -> Tensor:
        """float32 [1, 3, 256, 256] in 0..1 -> the same."""
        assert self._network is not None and self._now is not None, "mix comes first"
        self._rested += 1
        if self._rest is not None and self._rested > RESTS_AFTER:
            a, b, share = self._now
            key = (b if share else a) if share in (0.0, 1.0) else (a, b, share)
            run = self._rest.run(key, lambda: mixture(a, b, share), own=share in (0.0, 1.0))
            if run is not None:
                return torch.from_numpy(run(picture_unit.contiguous().numpy()).copy())
        y: Tensor = self._network(picture_unit.to(self.device, self.dtype))
        return y.float()

    def _vector(self, model: Model, filters: int) -> Tensor:
        """All tensors of `model` in one vector; those that were asked for last are kept."""
        key = (model, filters)
        with self._lock:
            if key in self._vectors:
                self._vectors[key] = self._vectors.pop(key)  # the youngest now
                return self._vectors[key]
        network = Unet256.from_weights(widened(model.weights, filters))
        vector = parameters_to_vector(network.parameters()).to(self.device, self.dtype)
        with self._lock:
            while len(self._vectors) >= KEPT_VECTORS:
                self._vectors.pop(next(iter(self._vectors)))
            self._vectors[key] = vector
        return vector

    def _sized(self, filters: int) -> tuple[Unet256, Tensor]:
        """A network of so many filters, kept like the vectors."""
        with self._lock:
            if filters in self._networks:
                self._networks[filters] = self._networks.pop(filters)
                return self._networks[filters]
        network = Unet256(filters).to(self.device, self.dtype).eval().requires_grad_(False)
        mixed = parameters_to_vector(network.parameters())
        vector_to_parameters(mixed, network.parameters())
        with self._lock:
            while len(self._networks) >= KEPT_NETWORKS:
                self._networks.pop(next(iter(self._networks)))
            self._networks[filters] = network, mixed
        return network, mixed


def mixture(a: Model, b: Model, share: float) -> Weights:
    """Every tensor a + share * (b - a), in float32; of the wider network where two widths meet."""
    if share in (0.0, 1.0):
        return (b if share else a).weights
    filters = max(a.filters, b.filters)
    wide = widened(a.weights, filters), widened(b.weights, filters)
    return {name: w + np.float32(share) * (wide[1][name] - w) for name, w in wide[0].items()}
