"""The pix2pix U-Net-256 in plain torch: compiled by OpenVINO on CPUs, compared with our kernels."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from kernels.pict import BadWeights, Weights
from kernels.weights import EPSILON, Layer, filters_of, load_weights, unet_layers
from stylizer.errors import ModelMissing, ModelRejected
from stylizer.frame import signed_from_unit, unit_from_signed


class UnetLayer(nn.Module):
    """Activation, 4x4 convolution (or transposed convolution) with stride 2, bias, instance norm.

    x [N, cin, H, W] -> [N, cout, H/2, W/2] or [N, cout, 2H, 2W].
    """

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        shape = (layer.cout, layer.cin, 4, 4) if layer.kind == "conv" else (layer.cin, layer.cout, 4, 4)
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.empty(layer.cout))
        if layer.norm:
            self.gamma = nn.Parameter(torch.empty(layer.cout))
            self.beta = nn.Parameter(torch.empty(layer.cout))

    def forward(self, x: Tensor) -> Tensor:
        if self.layer.out_size == 1:  # the mean of one pixel is itself: whatever it was, the norm leaves beta
            return self.beta[:, None, None].expand(x.shape[0], -1, -1, -1)
        if self.layer.slope != 1:
            x = F.leaky_relu(x, self.layer.slope) if self.layer.slope else F.relu(x)
        convolve = F.conv2d if self.layer.kind == "conv" else F.conv_transpose2d
        y = convolve(x, self.weight, self.bias, stride=2, padding=1)
        if not self.layer.norm:
            return y
        # Instance norm as a layer norm over the pixels: OpenVINO has one operation for this, and ten for the other.
        normal = F.layer_norm(y.flatten(2), (self.layer.out_size**2,), eps=EPSILON).view_as(y)
        return torch.addcmul(self.beta[:, None, None], normal, self.gamma[:, None, None])

    def load(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        """Copies this layer's tensors; kernels turn from [4, 4, a, b] into torch's [b, a, 4, 4]."""
        tensors = {"weight": weights[self.layer.kernel].transpose(3, 2, 0, 1), "bias": weights[self.layer.bias]}
        if self.layer.norm:
            tensors |= {"gamma": weights[self.layer.gamma], "beta": weights[self.layer.beta]}
        self.load_state_dict({n: torch.from_numpy(np.ascontiguousarray(w)) for n, w in tensors.items()})


class Unet256(nn.Module):
    """x [N, 3, 256, 256] in 0..1 -> the same shape and range. `filters` of the first layer: 64 in the paper."""

    def __init__(self, filters: int) -> None:
        super().__init__()
        self.filters = filters
        self.layers = nn.ModuleList([UnetLayer(layer) for layer in unet_layers(filters)])

    def forward(self, picture_unit: Tensor) -> Tensor:
        x = signed_from_unit(picture_unit)
        skips: list[Tensor] = []
        for encoder in self.layers[:8]:
            x = encoder(x)
            skips.append(x)
        skips.pop()
        x = self.layers[8](x)
        for decoder in self.layers[9:]:
            x = decoder(torch.cat((x, skips.pop()), dim=1))
        return unit_from_signed(torch.tanh(x))

    @classmethod
    def from_weights(cls, weights: Mapping[str, NDArray[np.float32]]) -> Self:
        """A network in evaluation mode from arrays under their `.pict` names. Raises BadWeights."""
        network = cls(filters_of(weights))
        for layer in network.layers:
            assert isinstance(layer, UnetLayer)
            layer.load(weights)
        return network.eval().requires_grad_(False)


def weights_of(network: Unet256) -> Weights:
    """The inverse of Unet256.from_weights."""
    weights: Weights = {}
    for layer in network.layers:
        assert isinstance(layer, UnetLayer)
        name = layer.layer
        tensors = {name.kernel: layer.weight.permute(2, 3, 1, 0), name.bias: layer.bias}
        if name.norm:
            tensors |= {name.gamma: layer.gamma, name.beta: layer.beta}
        weights |= {key: np.ascontiguousarray(t.detach().float().cpu().numpy()) for key, t in tensors.items()}
    return weights


def load_unet(path: Path) -> Unet256:
    """The network of a `.pict` or `.safetensors` file.

    Raises ModelMissing when there is no such file, ModelRejected when its content is not a U-Net-256.
    """
    try:
        return Unet256.from_weights(load_weights(path))
    except FileNotFoundError:
        raise ModelMissing(f"{path.name}: no such file") from None
    except BadWeights as error:
        raise ModelRejected(str(error)) from None
