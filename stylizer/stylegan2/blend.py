"""Two generators into one: Toonify's layer swap (arXiv:2010.05334), made continuous."""

import re
from collections.abc import Mapping

from torch import Tensor

from stylizer.errors import ModelRejected

Weights = Mapping[str, Tensor]
_BLOCK = re.compile(r"(?:^|\.)blocks\.(\d+)\.")


def block_size(name: str) -> int:
    """Side in pixels of the block that a weight belongs to; 0 for the constant."""
    found = _BLOCK.search(name)
    return int(found[1]) if found else 0


def check_alike(photo: Weights, style: Weights) -> None:
    """Raises ModelRejected naming the first weight that one of the two lacks or holds in another shape."""
    if missing := sorted(set(photo) ^ set(style)):
        raise ModelRejected(f"the two generators differ: only one of them has {missing[0]}")
    for name, value in photo.items():
        if value.shape != style[name].shape:
            raise ModelRejected(f"{name}: {list(value.shape)} in one generator, {list(style[name].shape)} in the other")


def blend(photo: Weights, style: Weights, strength: float, *, above: int = 16) -> dict[str, Tensor]:
    """Weights of blocks larger than `above` px mixed linearly, the others taken from `photo`. 0 and 1 are exact; 1 is
    the layer swap as published.

    The mix is rounded to the weights' own type; neither argument is changed.
    """
    check_alike(photo, style)
    return {
        name: _mix(value, style[name], strength if block_size(name) > above else 0.0) for name, value in photo.items()
    }


def _mix(a: Tensor, b: Tensor, share: float) -> Tensor:
    if share in (0.0, 1.0):
        return a.clone() if share == 0 else b.clone()
    return a.float().lerp(b.float(), share).to(a.dtype)
