"""The ends of a generator's layers in one kernel of our own (`kernels/bias_act.cu`), where a card and CuPy are."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from kernels.bias_act import CHANNELS, bias_act
from kernels.launch import Launch, Ref
from stylizer.errors import Unavailable
from stylizer.stylegan2 import layers
from stylizer.stylegan2.layers import SynthesisLayer

Run = Callable[[Launch, Mapping[str, Tensor]], None]


class FusedBiasAct:
    """`layers.bias_act` for halves in one launch; what the kernel does not take is left to torch.

    run: carries out a launch over flat tensors of halves, in the order of torch's own work on their device.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def __call__(self, x: Tensor, scale: Tensor, bias: Tensor, noise: Tensor | None, up_taps: Tensor | None) -> Tensor:
        batch, channels, height, width = x.shape
        side = height - (up_taps is not None)
        if x.dtype != torch.float16 or channels % CHANNELS or height != width or (noise is not None and len(noise) > 1):
            return layers.bias_act(x, scale, bias, noise, up_taps)
        out = torch.empty((batch, side, side, channels), dtype=x.dtype, device=x.device)
        given = {"x": x.permute(0, 2, 3, 1), "scale": scale, "bias": bias, "out": out}
        if noise is not None:
            given["noise"] = noise
        refs = Ref("x"), Ref("scale"), Ref("bias"), None if noise is None else Ref("noise"), Ref("out")
        launch = bias_act(*refs, shape=(batch, side, channels), blur=up_taps is not None)
        self._run(launch, {name: t.to(torch.float16).contiguous().view(-1) for name, t in given.items()})
        return out.permute(0, 3, 1, 2)


def fuse(net: nn.Module, run: Run) -> None:
    """From now on each layer of the generators in `net` ends in the kernel."""
    for layer in net.modules():
        if isinstance(layer, SynthesisLayer):
            layer.bias_act = FusedBiasAct(run)


def open_run() -> Run:
    """Launches by CuPy. Raises Unavailable, with the reason, where that cannot be imported."""
    try:
        import cupy as cp

        from kernels import cuda
    except ImportError as error:
        raise Unavailable(f"a generator's layers end in torch: CuPy cannot be imported ({error})") from None

    def run(launch: Launch, tensors: Mapping[str, Tensor]) -> None:
        device = tensors["out"].device
        with cp.cuda.Device(device.index or 0), torchs_stream(device):
            cuda.run(launch, {name: _seen(cp, t) for name, t in tensors.items()})

    return run


def torchs_stream(device: torch.device | None = None) -> Any:
    """The stream that torch works on now, for CuPy."""
    import cupy as cp

    return cp.cuda.Stream.from_external(torch.cuda.current_stream(device))


def _seen(cp: object, tensor: Tensor) -> object:
    """A tensor's memory for CuPy, by its address: torch's own way may wait for a stream, which no capture allows."""
    memory = cp.cuda.UnownedMemory(tensor.data_ptr(), tensor.nbytes, tensor)  # type: ignore[attr-defined]
    return cp.ndarray(tensor.numel(), "float16", cp.cuda.MemoryPointer(memory, 0))  # type: ignore[attr-defined]
