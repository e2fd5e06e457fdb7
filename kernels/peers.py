"""What the benchmark compares with: the same network in torch, eager, under cuDNN with a CUDA graph, and compiled.

The only file here that knows torch; nothing but bench.py imports it.
"""

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kernels.pict import Weights
from kernels.weights import EPSILON, SIZE, filters_of, unet_layers

Step = Callable[[], object]


class TorchUnet(nn.Module):
    """x [1, 3, 256, 256] in 0..1 -> the same.

    For the benchmark alone, the product's is in stylizer/convert/pix2pix.py.
    """

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.layers = unet_layers(filters_of(weights))
        for index, layer in enumerate(self.layers):
            self.register_buffer(f"w{index}", torch.from_numpy(weights[layer.kernel].transpose(3, 2, 0, 1).copy()))
            self.register_buffer(f"b{index}", torch.from_numpy(weights[layer.bias].copy()))
            if layer.norm:
                self.register_buffer(f"gamma{index}", torch.from_numpy(weights[layer.gamma].copy()))
                self.register_buffer(f"beta{index}", torch.from_numpy(weights[layer.beta].copy()))

    def forward(self, x: Tensor) -> Tensor:
        x = x * 2 - 1
        skips: list[Tensor] = []
        for index in range(16):
            if index > 8:
                x = torch.cat((x, skips[15 - index]), dim=1)
            x = self._layer(index, x)
            skips.append(x)
        return (torch.tanh(x) + 1) / 2

    def _layer(self, index: int, x: Tensor) -> Tensor:
        layer = self.layers[index]
        x = F.relu(x) if layer.slope == 0 else F.leaky_relu(x, layer.slope) if layer.slope < 1 else x
        convolve = F.conv2d if layer.kind == "conv" else F.conv_transpose2d
        y = convolve(x, self.get_buffer(f"w{index}"), self.get_buffer(f"b{index}"), stride=2, padding=1)
        if not layer.norm:
            return y
        gamma, beta = self.get_buffer(f"gamma{index}"), self.get_buffer(f"beta{index}")
        if layer.out_size == 1:  # torch refuses to normalise one pixel; beta is what is left
            return beta[None, :, None, None].to(y.dtype)
        return F.instance_norm(y, weight=gamma, bias=beta, eps=EPSILON)


def peers(weights: Weights) -> Iterator[tuple[str, Callable[[], Step]]]:
    """(name, prepare): prepare() warms up and returns one step on torch's current stream."""
    yield "torch eager fp32", lambda: _eager(weights, torch.float32)
    yield "torch eager fp16", lambda: _eager(weights, torch.float16)
    yield "torch cuDNN autotuned, channels_last fp16, CUDA graph", lambda: _graph(weights)
    yield "torch.compile max-autotune, channels_last fp16", lambda: _compiled(weights)


def _network(weights: Weights, dtype: torch.dtype) -> tuple[TorchUnet, Tensor]:
    network = TorchUnet(weights).cuda().to(dtype).eval()
    x = torch.rand(1, 3, SIZE, SIZE, device="cuda", dtype=dtype)
    if dtype == torch.float16:
        network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    return network, x


def _eager(weights: Weights, dtype: torch.dtype) -> Step:
    torch.backends.cudnn.benchmark = False
    network, x = _network(weights, dtype)
    return _without_gradients(lambda: network(x))


def _without_gradients(step: Step) -> Step:
    def run() -> object:
        with torch.inference_mode():
            return step()

    return run


def _graph(weights: Weights) -> Step:
    torch.backends.cudnn.benchmark = True
    network, x = _network(weights, torch.float16)
    with torch.inference_mode():
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(5):
                network(x)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            network(x)
    return graph.replay


def _compiled(weights: Weights) -> Step:
    network, x = _network(weights, torch.float16)
    compiled = torch.compile(network, mode="max-autotune")
    return _without_gradients(lambda: compiled(x))
