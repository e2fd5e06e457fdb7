"""One training in several processes, each with its own pictures: torch.distributed, started by `torchrun`.

    torchrun --nproc-per-node 4 -m stylizer train stylegan2 …

Gradients are averaged between `backward` and the optimiser's step. torch's DistributedDataParallel does it while
`backward` runs, but its hooks miss what torch.autograd.grad computes, and two of StyleGAN2's losses are made of that.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from stylizer.engines.card import why_no_cuda
from stylizer.errors import BadInput, Unavailable

PATIENCE = timedelta(days=2)  # until the first has made a data set: NCCL would wait ten minutes


@dataclass(frozen=True, slots=True)
class World:
    """This process among its like. Every process holds the same weights; only the first writes files."""

    rank: int = 0
    size: int = 1
    device: torch.device = torch.device("cpu")

    @property
    def first(self) -> bool:
        return self.rank == 0

    def own(self, rows: Tensor) -> Tensor:
        """This process's share of a batch [N * size, ...] that every process has drawn alike -> [N, ...]."""
        return rows.chunk(self.size)[self.rank]

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replaces each gradient by its mean over all processes."""
        grads = [p.grad for p in parameters if p.grad is not None]
        if self.size == 1 or not grads:
            return
        flat = torch.cat([g.flatten() for g in grads])
        dist.all_reduce(flat)
        flat /= self.size
        for grad, part in zip(grads, torch.split(flat, [g.numel() for g in grads]), strict=True):
            grad.copy_(part.view_as(grad))

    def mean(self, number: float) -> float:
        """The mean of every process's number: all of them get the same."""
        if self.size == 1:
            return number
        return float(self.mean_of(torch.tensor(number, dtype=torch.float32, device=self.device)))

    def mean_of(self, values: Tensor) -> Tensor:
        """The mean of every process's tensor, all of one shape."""
        if self.size == 1:
            return values
        total = values.detach().clone()
        dist.all_reduce(total)
        return total / self.size

    def wait(self) -> None:
        """Until every process is here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def joined(threads: int = 0) -> Iterator[World]:
    """The world that torchrun's variables describe; alone without them, on a GPU where there is one.

    threads: of this process on the CPU, 0 leaves torch's choice. Raises BadInput when there are more processes than
    cards, Unavailable when the card is of no use.
    """
    if threads:
        torch.set_num_threads(threads)
    rank, size, local = (
        int(os.environ.get(k, d)) for k, d in (("RANK", "0"), ("WORLD_SIZE", "1"), ("LOCAL_RANK", "0"))
    )
    on_gpu = torch.cuda.is_available()
    device = _card(local) if on_gpu else torch.device("cpu")
    if size == 1:
        yield World(device=device)
        return
    dist.init_process_group("nccl" if on_gpu else "gloo", timeout=PATIENCE, device_id=device if on_gpu else None)
    try:
        yield World(rank, size, device)
    finally:
        dist.destroy_process_group()


def _card(local: int) -> torch.device:
    """This process's own, and from now on torch's choice."""
    if local >= (count := torch.cuda.device_count()):
        raise BadInput(f"torchrun: process {local + 1} of this machine, which has {count} GPUs; one process for each")
    device = torch.device("cuda", local)
    torch.cuda.set_device(device)
    if why := why_no_cuda():
        raise Unavailable(f"{why}; with CUDA_VISIBLE_DEVICES= the CPU trains")
    return device
