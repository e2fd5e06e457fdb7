"""A card that nobody has: torch's `meta` device, which knows shapes and types and refuses what lies elsewhere."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

CARD = torch.device("meta")
_ops = torch.ops.aten


class PretendCard(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Within `with`, what asks the card for a number gets one. waits: such questions, and what was fetched or sent:
    each would end the capture of a graph."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.waits: list[str] = []

    def __torch_dispatch__(
        self, op: Any, types: Iterable[type], args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        first = args[0] if args and isinstance(args[0], torch.Tensor) else None
        if first is not None and (answer := self._answered(op, first, args, kwargs)) is not None:
            return answer
        self._check_places(op, tree_leaves((args, kwargs)))
        return op(*args, **kwargs)

    def _check_places(self, op: Any, given: Iterable[object]) -> None:
        """`meta` looks at the places of some steps' tensors only. A single number may come from the CPU; so may
        indices, for which both wait."""
        places = {t.is_meta for t in given if isinstance(t, torch.Tensor) and t.dim()}
        if len(places) < 2:
            return
        if op not in (_ops.index.Tensor, _ops.index_put_.default, _ops._index_put_impl_.default):
            raise RuntimeError(f"{op}: tensors of the card and of the CPU")
        self.waits.append("copy")

    def _answered(self, op: Any, first: torch.Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if op is _ops.copy_.default and first.is_meta != args[1].is_meta:
            self.waits.append("copy")
            return first
        if op is _ops._to_copy.default and kwargs.get("device") is not None:
            there = torch.device(kwargs["device"]).type == "meta"
            if first.is_meta != there:
                self.waits.append("copy")
            if first.is_meta and not there:
                return torch.zeros(first.shape, dtype=kwargs.get("dtype") or first.dtype)
        if not first.is_meta:
            return None
        if op is _ops._local_scalar_dense.default:
            self.waits.append("a number")
            return 0.5 if first.is_floating_point() else first.dtype == torch.bool or 1
        if op is _ops.nonzero.default:
            self.waits.append("a size")
            return torch.zeros(1, first.dim(), dtype=torch.int64, device=CARD)
        return None


def without_the_cards_own(patch: pytest.MonkeyPatch) -> None:
    """autocast and fused Adam know no `meta`: plain arithmetic in their place."""
    adam: Callable[..., torch.optim.Adam] = torch.optim.Adam
    patch.setattr(torch, "autocast", lambda *args, **kwargs: nullcontext())
    patch.setattr(torch.optim, "Adam", lambda *args, **kwargs: adam(*args, **{**kwargs, "fused": False}))
