"""Measures of difference between two pictures that training lowers."""

import torch
import torch.nn.functional as F
from torch import Tensor


def over(picture: Tensor, alpha: Tensor, backdrop: Tensor) -> Tensor:
    """Straight colours [N, 3, H, W] with alpha [N, 1, H, W] over a plain colour [N, 3, 1, 1]."""
    return picture * alpha + backdrop * (1 - alpha)


def edge_weight(target: Tensor, *, gain: float) -> Tensor:
    """1 on plain areas, up to 1 + gain along lines, which are few pixels: [N, C, H, W] -> [N, 1, H, W]."""
    dx = F.pad((target[..., 1:] - target[..., :-1]).abs().amax(1, keepdim=True), (0, 1))
    dy = F.pad((target[..., 1:, :] - target[..., :-1, :]).abs().amax(1, keepdim=True), (0, 0, 0, 1))
    return 1 + gain * F.max_pool2d(torch.maximum(dx, dy), 3, stride=1, padding=1).clamp(0, 1)


def gradient_l1(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    """Mean difference of the pictures' steps from pixel to pixel, both ways; weight [N, 1, H, W]."""
    d = a - b
    across = (d[..., 1:] - d[..., :-1]).abs() * weight[..., 1:]
    down = (d[..., 1:, :] - d[..., :-1, :]).abs() * weight[..., 1:, :]
    return across.mean() + down.mean()


def weighted_l1(a: Tensor, b: Tensor, weight: Tensor) -> Tensor:
    return ((a - b).abs() * weight).mean()


def silhouette_iou(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of two alphas [N, 1, H, W], cut at one half -> [N]; two empty ones agree."""
    a, b = a > 0.5, b > 0.5
    both, either = (a & b).sum((1, 2, 3)).float(), (a | b).sum((1, 2, 3)).float()
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def generator_logistic(fake: Tensor) -> Tensor:
    """Non-saturating logistic loss of the generator; fake [N]: the discriminator's logits of what it made."""
    return F.softplus(-fake).mean()


def discriminator_logistic(real: Tensor, fake: Tensor) -> Tensor:
    """Logistic loss of the discriminator; logits [N] of real and of made pictures."""
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def r1_penalty(real_logits: Tensor, real: Tensor) -> Tensor:
    """Mean squared slope of the logits at real pictures [N, C, H, W], which must require gradients (1801.04406)."""
    (slope,) = torch.autograd.grad(real_logits.sum(), real, create_graph=True)
    return slope.square().sum((1, 2, 3)).mean()


def path_lengths(picture: Tensor, ws: Tensor, direction: Tensor) -> Tensor:
    """How far the picture moves for a step of ws, seen along `direction` (1912.04958, section 3.2) -> [N].

    picture [N, C, H, W] made from ws [N, num_ws, w_dim], which must require gradients; direction [N, C, H, W] normal.
    """
    along = (picture * direction).sum() / (picture.shape[2] * picture.shape[3]) ** 0.5
    (slope,) = torch.autograd.grad(along, ws, create_graph=True)
    return slope.square().sum(2).mean(1).sqrt()
