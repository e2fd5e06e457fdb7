"""A generator whose layers end in our kernel draws what torch's draws: on the emulator, and on a card where one is."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import Tensor

from kernels.launch import Launch
from stylizer.engines.fused import FusedBiasAct, fuse, open_run, torchs_stream
from stylizer.stylegan2.layers import SynthesisLayer, bias_act, make_taps
from stylizer.stylegan2.synthesis import Synthesis, SynthesisConfig
from tests.kernels.emulator import device_copy, require_emulator, run

SMALL = SynthesisConfig(widths=(32, 16, 8), w_dim=16)  # 16, 32 and 64 px


class Emulated:
    """Carries out launches on the emulator. launches: how many."""

    def __init__(self) -> None:
        require_emulator()
        self.launches = 0

    def __call__(self, launch: Launch, tensors: Mapping[str, Tensor]) -> None:
        arrays = {name: device_copy(t.numpy()) for name, t in tensors.items()}
        run(launch, arrays)
        tensors["out"].copy_(torch.from_numpy(np.asarray(arrays["out"])))
        self.launches += 1


def drawn(net: Synthesis, batch: int) -> Tensor:
    rng = torch.Generator().manual_seed(3)
    feat = torch.randn(batch, 32, 16, 16, generator=rng).half().to(memory_format=torch.channels_last)
    with torch.inference_mode():
        picture: Tensor = net(feat, torch.randn(batch, SMALL.num_ws, SMALL.w_dim, generator=rng).half())
    return picture.float()


def generator() -> Synthesis:
    torch.manual_seed(2)
    net = Synthesis(SMALL).eval()
    for layer in net.modules():
        if isinstance(layer, SynthesisLayer) and layer.noise_strength is not None:
            torch.nn.init.normal_(layer.bias)
            torch.nn.init.constant_(layer.noise_strength, 0.3)
    return net.half().to(memory_format=torch.channels_last)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_picture_is_that_of_torch(batch: int) -> None:
    net, machine = generator(), Emulated()
    plain = drawn(net, batch)
    fuse(net, machine)
    fused = drawn(net, batch)
    assert machine.launches == 4  # two layers each at 32 and 64 px; the first block has none
    spread = plain.std()
    assert (fused - plain).abs().max() < 0.02 * spread  # both round to halves, at other places


@pytest.mark.parametrize("up", [False, True])
def test_one_layer_is_nearer_to_the_exact_result_than_torch_in_halves(up: bool) -> None:
    rng = torch.Generator().manual_seed(1)
    x = torch.randn(2, 16, 8 + up, 8 + up, generator=rng).half()
    scale, bias = torch.rand(2, 16, generator=rng), torch.randn(16, generator=rng).half()
    noise, taps = torch.randn(1, 1, 8, 8, generator=rng).half(), make_taps(2.0).half() if up else None
    doubled = None if taps is None else taps.double()
    exact = bias_act(x.double(), scale.half().double(), bias.double(), noise.double(), doubled)
    got = FusedBiasAct(Emulated())(x, scale, bias, noise, taps)
    torch_error = (bias_act(x, scale, bias, noise, taps) - exact).abs().mean()
    assert got.is_contiguous(memory_format=torch.channels_last)
    assert (got - exact).abs().mean() < torch_error


@pytest.mark.parametrize(
    "x, noise",
    [
        (torch.randn(1, 16, 4, 4), None),  # no halves
        (torch.randn(1, 12, 4, 4).half(), None),  # channels that are no multiple of eight
        (torch.randn(2, 16, 4, 4).half(), torch.randn(2, 1, 4, 4).half()),  # noise of each sample's own
        (torch.randn(1, 16, 4, 6).half(), None),  # not square
    ],
)
def test_what_the_kernel_does_not_take_is_left_to_torch(x: Tensor, noise: Tensor | None) -> None:
    machine = Emulated()
    scale, bias = torch.rand(len(x), x.shape[1]), torch.randn(x.shape[1]).to(x)
    got = FusedBiasAct(machine)(x, scale, bias, noise, None)
    assert machine.launches == 0
    assert torch.equal(got, bias_act(x, scale, bias, noise, None))


def test_cupy_works_on_torchs_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """By CuPy's present way: an older one warns at each launch, which is an error in tests."""
    pytest.importorskip("cupy", reason="cupy is not installed")
    streams = {0: ForeignStream(1234)}
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: streams[device.index or 0])
    assert torchs_stream(torch.device("cuda")).ptr == 1234


class ForeignStream:
    """As torch.cuda.Stream, which tells its address by the same protocol."""

    def __init__(self, address: int) -> None:
        self._address = address

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self._address


@pytest.mark.gpu
def test_on_a_card_in_a_graph() -> None:
    net = generator().cuda()
    feat = torch.randn(2, 32, 16, 16).half().cuda().to(memory_format=torch.channels_last)
    ws = torch.randn(2, SMALL.num_ws, SMALL.w_dim).half().cuda()
    with torch.inference_mode():
        plain = net(feat, ws).float()
        fuse(net, open_run())
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        with torch.cuda.stream(stream):
            net(feat, ws)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            out = net(feat, ws)
        graph.replay()
    assert (out.float() - plain).abs().max() < 0.02 * plain.std()
