"""Pictures of one kind that a training draws from: one array in memory-mapped form, straight RGBA."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from stylizer.errors import BadInput
from stylizer.training.data.store import mapped

SIDES = ("photo", "drawing")


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """pixels [count, S, S, 4] uint8, straight RGBA."""

    pixels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.pixels)

    @classmethod
    def open(cls, folder: Path, side: str) -> "Pictures":
        """The photos or the drawings of a data set that `train data` has made. Raises BadInput when it has none."""
        if side not in SIDES:
            raise BadInput(f"side: must be one of {', '.join(SIDES)}, got {side!r}")
        array = folder / f"{side}.npy"
        if not (folder / "store.json").is_file() or not array.is_file():
            raise BadInput(f"{folder}: no finished data set with {side}s; make it with `stylizer train data`")
        return cls(mapped(array))

    def batch(self, n: int, rng: np.random.Generator) -> Tensor:
        """n random pictures, half of them mirrored: [n, 4, S, S] unit, straight."""
        rows = rng.choice(len(self), n, replace=len(self) < n)
        chosen = np.stack([self.pixels[row] for row in rows])
        mirrored = rng.random(n) < 0.5
        chosen[mirrored] = chosen[mirrored, :, ::-1]
        return torch.from_numpy(chosen).permute(0, 3, 1, 2).float() / 255


def over_grey(straight: Tensor) -> Tensor:
    """What both sides of a comparison are shown as. [N, 4, S, S] unit, straight -> -1..1: colours over grey, alpha.

    Grey is 0 on that scale, so that laying over it is one product.
    """
    rgb, alpha = straight[:, :3] * 2 - 1, straight[:, 3:]
    return torch.cat((rgb * alpha, alpha * 2 - 1), 1)


def shown(drawn: Tensor) -> Tensor:
    """A generator's picture [N, 3 or 4, S, S], -1..1 -> the same laid over grey by its own alpha, if it has one."""
    return drawn if drawn.shape[1] == 3 else over_grey((drawn + 1) / 2)


def sized(pictures: Tensor, size: int) -> Tensor:
    """[N, C, S, S] at `size` px: the area's mean when it is less, smooth when it is more; as they are at S."""
    if pictures.shape[-1] < size:
        return F.interpolate(pictures, size=(size, size), mode="bilinear")
    return pictures if pictures.shape[-1] == size else F.interpolate(pictures, size=(size, size), mode="area")
