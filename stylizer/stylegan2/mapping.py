"""z -> w: the mapping network, the running mean of w, truncation."""

import torch
from torch import Tensor, nn

from stylizer.stylegan2.layers import Linear, activate


class Mapping(nn.Module):
    """z [N, z_dim], any scale -> w [N, w_dim]. `w_avg` [w_dim] follows the mean of w while training."""

    w_avg: Tensor

    def __init__(self, z_dim: int, w_dim: int, *, layers: int = 2, lr_scale: float = 0.01) -> None:
        super().__init__()
        sizes = [z_dim] + [w_dim] * layers
        self.layers = nn.ModuleList(Linear(a, b, lr_scale=lr_scale) for a, b in zip(sizes, sizes[1:], strict=False))
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z: Tensor) -> Tensor:
        x = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            x = activate(layer(x))
        return x

    @torch.no_grad()
    def track_mean(self, w: Tensor, *, decay: float = 0.998) -> None:
        """Moves `w_avg` towards the mean of this batch, w [N, w_dim]."""
        self.w_avg.copy_(w.detach().float().mean(0).lerp(self.w_avg, decay))


def truncate(ws: Tensor, w_avg: Tensor, psi: float | Tensor) -> Tensor:
    """w_avg + psi * (ws - w_avg); psi 1 changes nothing. ws [N, num_ws, w_dim], w_avg [w_dim] or [num_ws, w_dim]."""
    return w_avg + psi * (ws - w_avg)


def mix(coarse: Tensor, fine: Tensor, crossover: int) -> Tensor:
    """Style mixing: ws of `coarse` before layer `crossover`, of `fine` from it on. Both [N, num_ws, w_dim].

    Raises ValueError for a crossover outside 0..num_ws.
    """
    if not 0 <= crossover <= coarse.shape[1]:
        raise ValueError(f"crossover must be in 0..{coarse.shape[1]}, got {crossover}")
    return torch.cat((coarse[:, :crossover], fine[:, crossover:]), 1)


def seeded_z(seed: int, z_dim: int) -> Tensor:
    """The same z [1, z_dim] for the same seed on every machine."""
    return torch.randn(1, z_dim, generator=torch.Generator().manual_seed(seed))
