"""Each engine gives what plain torch gives."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from stylizer.config import Device, EngineName, Settings
from stylizer.engines import choose
from stylizer.errors import Unavailable, Unreadable


class TwoHeads(nn.Module):
    """Two inputs, two outputs: what the pipeline's networks look like from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, picture: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
        features = self.conv(picture * alpha).relu()
        return features, features.mean(dim=(2, 3))


def settings(tmp_path: Path, **values: object) -> Settings:
    return Settings.load(cache=tmp_path, **values)


@pytest.mark.parametrize("name, tolerance", [(EngineName.TORCH, 1e-6), (EngineName.OPENVINO, 2e-2)])  # bf16: 8 bits
@pytest.mark.parametrize("batch", [1, 3])
def test_engine_agrees_with_the_module(name: EngineName, tolerance: float, batch: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = TwoHeads().eval()
    picture, alpha = torch.rand(batch, 3, 16, 12), torch.rand(batch, 1, 16, 12)
    run = choose(settings(tmp_path, engine=name, device=Device.CPU)).compile(net, (picture, alpha))
    with torch.no_grad():
        wanted = net(picture, alpha)
    for got, want in zip(run(picture, alpha), wanted, strict=True):
        assert got.dtype == torch.float32
        torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)


def test_results_are_not_overwritten_by_the_next_call(tmp_path: Path) -> None:
    run = choose(settings(tmp_path, engine=EngineName.OPENVINO)).compile(
        TwoHeads(), (torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8))
    )
    first, _ = run(torch.rand(1, 3, 8, 8), torch.ones(1, 1, 8, 8))
    kept = first.clone()
    run(torch.rand(1, 3, 8, 8) + 5, torch.ones(1, 1, 8, 8))
    assert torch.equal(first, kept)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_missing_gpu_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no CUDA device"):
        choose(settings(tmp_path, device=Device.CUDA))
    with pytest.raises(Unavailable, match="cuda_graph"):
        choose(settings(tmp_path, engine=EngineName.CUDA_GRAPH))


def test_file_that_is_no_network_is_named(tmp_path: Path) -> None:
    path = tmp_path / "junk.onnx"
    path.write_bytes(b"not a network")
    with pytest.raises(Unreadable, match=r"junk\.onnx"):
        choose(settings(tmp_path)).read(path)


def test_converted_networks_are_cached_and_told_apart(tmp_path: Path) -> None:
    example = (torch.rand(1, 3, 8, 8), torch.rand(1, 1, 8, 8))
    net = TwoHeads()
    first, _ = choose(settings(tmp_path, engine=EngineName.OPENVINO)).compile(net, example)(*example)
    files = set(tmp_path.glob("openvino/*.xml"))
    assert len(files) == 1
    again, _ = choose(settings(tmp_path, engine=EngineName.OPENVINO)).compile(net, example)(*example)
    assert torch.equal(first, again) and set(tmp_path.glob("openvino/*.xml")) == files
    with torch.no_grad():
        net.conv.weight += 1
    other, _ = choose(settings(tmp_path, engine=EngineName.OPENVINO)).compile(net, example)(*example)
    assert not torch.allclose(first, other, atol=0.1)


def test_one_conversion_serves_every_size(tmp_path: Path) -> None:
    """Of a network that says so: its example was traced at one size and runs at another."""
    net = TwoHeads()
    for height, width in ((8, 8), (16, 12)):
        example = (torch.rand(1, 3, height, width), torch.rand(1, 1, height, width))
        run = choose(settings(tmp_path, engine=EngineName.OPENVINO)).compile(net, example, any_size=True)
        with torch.no_grad():
            wanted = net(*example)
        for got, want in zip(run(*example), wanted, strict=True):
            torch.testing.assert_close(got, want, rtol=2e-2, atol=2e-2)
        assert len(list(tmp_path.glob("openvino/*.xml"))) == 1
