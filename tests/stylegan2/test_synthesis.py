import pytest
import torch
from torch import Tensor

from stylizer.stylegan2.mapping import Mapping, seeded_z, truncate
from stylizer.stylegan2.synthesis import CONFIG_F_256, Synthesis, SynthesisConfig

SMALL = SynthesisConfig(widths=(8, 8, 6, 5, 4), first=4, w_dim=6)  # 4 to 64 px


def _ws(config: SynthesisConfig, n: int = 2) -> Tensor:
    return torch.randn(n, config.num_ws, config.w_dim, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def net() -> Synthesis:
    torch.manual_seed(0)
    net = Synthesis(SMALL).eval().requires_grad_(False)
    for name, value in net.named_parameters():
        if name.endswith(("noise_strength", "bias")):
            torch.nn.init.normal_(value)
    return net


def test_the_start_from_16_equals_the_whole_way(net: Synthesis) -> None:
    ws = _ws(SMALL)
    feat16 = net.features(ws, at=16)
    assert feat16.shape == (2, 6, 16, 16)
    torch.testing.assert_close(net(feat16, ws, start=16), net(None, ws), rtol=0, atol=0)


def test_a_generator_that_begins_at_16_equals_the_upper_part_of_a_whole_one(net: Synthesis) -> None:
    upper = SynthesisConfig(widths=SMALL.widths[2:], first=16, w_dim=6)
    part = Synthesis(upper).eval().requires_grad_(False)
    part.load_state_dict({k: v for k, v in net.state_dict().items() if k in part.state_dict()})
    ws = _ws(SMALL)
    feat16 = net.features(ws, at=16)
    torch.testing.assert_close(part(feat16, ws[:, 4:]), net(feat16, ws), rtol=0, atol=0)


def test_every_w_of_the_upper_layers_changes_the_picture(net: Synthesis) -> None:
    ws = _ws(SMALL, 1)
    feat16 = net.features(ws, at=16)
    before = net(feat16, ws)
    for i in range(5, SMALL.num_ws):
        other = ws.clone()
        other[:, i] += 1
        assert not torch.allclose(net(feat16, other), before), f"ws[{i}] does nothing"


def test_noise_none_is_the_same_every_time_and_random_is_not(net: Synthesis) -> None:
    ws = _ws(SMALL)
    assert torch.equal(net(None, ws, noise="none"), net(None, ws, noise="none"))
    assert not torch.equal(net(None, ws, noise="random"), net(None, ws, noise="random"))


def test_a_smaller_picture_stops_early(net: Synthesis) -> None:
    ws = _ws(SMALL)
    assert net(None, ws, stop=32).shape == (2, 4, 32, 32)


def test_config_f_has_the_papers_sizes() -> None:
    assert CONFIG_F_256.num_ws == 14
    assert CONFIG_F_256.sizes == (4, 8, 16, 32, 64, 128, 256)
    assert SynthesisConfig.from_dict(CONFIG_F_256.to_dict()) == CONFIG_F_256


@pytest.mark.parametrize("wrong", [{"first": 12}, {"first": 16, "rgb_from": 8}, {"widths": ()}, {"w_dim": 0}])
def test_impossible_sizes_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SynthesisConfig(**wrong)  # type: ignore[arg-type]


def test_truncation_and_seeds() -> None:
    ws, mean = _ws(SMALL), torch.full((6,), 0.5)
    assert torch.equal(truncate(ws, mean, 1.0), mean + (ws - mean))
    assert torch.equal(truncate(ws, mean, 0.0), mean.expand_as(ws))
    assert torch.equal(seeded_z(7, 16), seeded_z(7, 16))
    assert not torch.equal(seeded_z(7, 16), seeded_z(8, 16))


def test_the_mapping_ignores_the_length_of_z_and_follows_its_mean() -> None:
    mapping = Mapping(8, 6)
    z = seeded_z(1, 8)
    torch.testing.assert_close(mapping(z), mapping(3 * z))
    w = mapping(z).detach()
    mapping.track_mean(w, decay=0.0)
    torch.testing.assert_close(mapping.w_avg, w[0])


def test_details_are_added_at_their_size_and_zeros_change_nothing(net: Synthesis) -> None:
    ws = _ws(SMALL)
    feat16 = net.features(ws, at=16)
    plain = net(feat16, ws)
    zeros = torch.zeros(2, 5, 32, 32), torch.zeros(2, 4, 64, 64)
    torch.testing.assert_close(net(feat16, ws, zeros), plain, rtol=0, atol=0)
    for i in (0, 1):
        some = tuple(z + (k == i) for k, z in enumerate(zeros))
        assert not torch.allclose(net(feat16, ws, some), plain)
