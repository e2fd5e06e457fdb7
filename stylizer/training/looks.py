"""Invented looks: z names colours of hair, top, bottom and shoes; the mapping learns drawings recoloured so."""

from math import sqrt

import torch
from torch import Tensor

PARTS = (2, 3, 4, 5)  # hair, top, bottom, shoes: indices of characters.sheet.LABELS
Z_DIM = 3 * len(PARTS)  # that many numbers of z are used: hue, saturation, lightness of each part


def palette(z: Tensor) -> Tensor:
    """z [N, >= 12] of unit scale -> colours [N, 4, 3] unit, evenly spread over the hues."""
    share = 0.5 * (1 + torch.erf(z[:, :Z_DIM] / sqrt(2))).reshape(-1, len(PARTS), 3)
    hue, saturation, value = share[..., 0], 0.3 + 0.6 * share[..., 1], 0.45 + 0.55 * share[..., 2]
    offset = torch.tensor([5.0, 3.0, 1.0], device=z.device)
    k = (offset + hue[..., None] * 6) % 6
    return value[..., None] * (1 - saturation[..., None] * torch.minimum(k, 4 - k).clamp(0, 1))


def recolour(drawing: Tensor, labels: Tensor, z: Tensor) -> Tensor:
    """drawing [N, 3, H, W] unit, premultiplied; labels [N, 1, H, W] -> the same in z's colours, light and ink kept."""
    light = (drawing * torch.tensor([0.3, 0.59, 0.11], device=drawing.device)[:, None, None]).sum(1, keepdim=True)
    gain = (light * 1.6).clamp(0, 1) ** 0.8
    result = drawing
    for i, colour in zip(PARTS, palette(z).unbind(1), strict=True):
        result = torch.where(labels == i, gain * colour[:, :, None, None], result)
    return result
