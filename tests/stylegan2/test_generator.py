from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from scipy.signal import convolve2d

from stylizer.errors import ModelMissing, ModelRejected
from stylizer.stylegan2.files import write_network
from stylizer.stylegan2.generator import FORMAT, Generator, GeneratorConfig, load_generator, save_generator
from stylizer.stylegan2.layers import BLUR_TAPS, make_taps
from stylizer.stylegan2.mapping import mix, seeded_z
from stylizer.stylegan2.synthesis import CONFIG_F_256, SynthesisConfig

SMALL = GeneratorConfig(SynthesisConfig(widths=(6, 6, 5, 4), first=4, w_dim=8), z_dim=7, mapping_layers=2)
HALF = (512, 512, 512, 512, 256, 128, 64)


@pytest.fixture
def net() -> Generator:
    torch.manual_seed(0)
    net = Generator(SMALL).eval().requires_grad_(False)
    torch.nn.init.normal_(net.mapping.w_avg)
    return net


def test_a_file_gives_the_same_pictures_back(net: Generator, tmp_path: Path) -> None:
    save_generator(net, tmp_path / "g.safetensors")
    again = load_generator(tmp_path / "g.safetensors")
    assert again.config == SMALL
    assert torch.equal(again(seeded_z(3, 7)), net(seeded_z(3, 7)))


def test_truncation_pulls_every_picture_towards_that_of_the_mean_w(net: Generator) -> None:
    z = torch.cat([seeded_z(i, 7) for i in range(4)])
    middle = net.synthesis(None, net.mapping.w_avg.expand(4, SMALL.synthesis.num_ws, -1))
    torch.testing.assert_close(net(z, psi=0.0), middle)
    far, near = ((net(z, psi=psi) - middle).abs().mean() for psi in (1.0, 0.5))
    assert near < far


def test_style_mixing_takes_coarse_layers_of_one_and_fine_ones_of_the_other(net: Generator) -> None:
    a, b = net.style_vectors(seeded_z(1, 7)), net.style_vectors(seeded_z(2, 7))
    mixed = mix(a, b, 3)
    assert torch.equal(mixed[:, :3], a[:, :3]) and torch.equal(mixed[:, 3:], b[:, 3:])
    assert torch.equal(net.synthesis.features(mixed, at=8), net.synthesis.features(a, at=8)), (
        "8 px is driven by ws[0:3]"
    )
    assert not torch.equal(net.synthesis(None, mixed), net.synthesis(None, a))
    with pytest.raises(ValueError, match="0..8, got 9"):
        mix(a, b, 9)


def test_the_blur_is_the_papers_separable_filter() -> None:
    row = torch.tensor(BLUR_TAPS)[None]
    both = torch.outer(make_taps(), make_taps())
    torch.testing.assert_close(torch.from_numpy(convolve2d(row.numpy(), row.numpy().T)) / 64, both)


@pytest.mark.parametrize(("widths", "count"), [(CONFIG_F_256.widths, 30_034_338), (HALF, 24_767_458)])
def test_sizes_are_the_published_ones(widths: tuple[int, ...], count: int) -> None:
    """24 767 458 is what stylegan2-ada-pytorch reports for 256 px with half the channels; mapping of 8 layers."""
    config = GeneratorConfig(replace(CONFIG_F_256, widths=widths), z_dim=512, mapping_layers=8)
    with torch.device("meta"):
        assert sum(p.numel() for p in Generator(config).parameters()) == count


@pytest.mark.parametrize("fault", ["format", "config", "unknown", "absent"])
def test_a_wrong_file_is_refused_by_name(fault: str, net: Generator, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    path = tmp_path / "g.safetensors"
    config = '{"synthesis": {"widths": [4]}}' if fault == "config" else "{}"
    if fault != "absent":
        save_file(
            net.state_dict(), path, {"format": "x" if fault == "format" else "stylizer-stylegan2-1", "config": config}
        )
    kind = ModelMissing if fault == "absent" else ModelRejected
    with pytest.raises(kind, match=r"g\.safetensors"):
        load_generator(path)


@pytest.mark.parametrize(
    "wrong",
    [
        {"z_dim": 0},
        {"z_dim": 10**12},
        {"mapping_rate": 0},
        {"mapping_rate": "fast"},
        {"mapping_layers": 10**9},
        {"synthesis": {"widths": [10**7, 10**7], "first": 4}},
        {"synthesis": {"widths": [6.5, 6], "first": 4}},
    ],
)
def test_a_file_that_names_absurd_sizes_is_refused_at_once(wrong: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "g.safetensors"
    write_network(path, {"a": torch.zeros(1)}, format=FORMAT, config={**SMALL.to_dict(), **wrong})
    with pytest.raises(ModelRejected, match=r"g\.safetensors"):
        load_generator(path)


def test_a_generator_that_starts_later_is_no_whole_one() -> None:
    with pytest.raises(ValueError, match="first = 16"):
        GeneratorConfig(SynthesisConfig())
