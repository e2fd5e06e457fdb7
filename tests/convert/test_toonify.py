import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from encoders.feature16 import EncoderConfig
from stylizer.controls import defaults
from stylizer.convert.looks import Looks
from stylizer.convert.tones import toned_channels
from stylizer.convert.toonify import (
    FORMAT,
    ToonifyConfig,
    ToonifyNet,
    check_style,
    draw,
    load_style,
    network_input,
    save_style,
)
from stylizer.errors import ModelMissing, ModelRejected
from stylizer.stylegan2.synthesis import SynthesisConfig
from tests.pretend_card import CARD, PretendCard

TINY = ToonifyConfig(
    SynthesisConfig(widths=(8, 6, 5, 4, 4), first=16, w_dim=6, noise=False),
    EncoderConfig(
        widths=(8, 8, 8), blocks=1, feat_channels=8, detail_channels=(6, 5), fine_channels=(4, 4), num_ws=10, w_dim=6
    ),
    z_dim=12,
)
TONED = sum(toned_channels(TINY.encoder))


@pytest.fixture
def net() -> ToonifyNet:
    torch.manual_seed(4)
    return ToonifyNet(TINY).eval().requires_grad_(False)


def _person(n: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    alpha = torch.zeros(n, 1, 256, 256)
    alpha[..., 60:200, 100:160] = 1
    return torch.rand(n, 3, 256, 256, generator=generator), alpha


def test_pixels_behind_the_matte_do_not_matter(net: ToonifyNet) -> None:
    foreground, alpha = _person()
    other = torch.where(alpha > 0, foreground, 1 - foreground)
    assert torch.equal(network_input(foreground, alpha), network_input(other, alpha))


def test_one_network_equals_encode_and_draw(net: ToonifyNet) -> None:
    foreground, alpha = _person()
    zero, one, untoned = torch.zeros(1, 1, 1), torch.ones(1, 1, 1), torch.zeros(1, 3, TONED)
    for strength, synthesis in ((0.0, net.photo), (1.0, net.style)):
        got = net.at_strength(strength)(foreground, alpha, net.look(5), zero, untoned, one)
        want = draw(synthesis, *net.encode(foreground, alpha))
        for a, b in zip(got, want, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


def test_strengths_between_differ_from_both_ends(net: ToonifyNet) -> None:
    foreground, alpha = _person()
    pictures = [draw(net.synthesis_at(s), *net.encode(foreground, alpha))[0] for s in (0.0, 0.5, 1.0)]
    assert not torch.allclose(pictures[0], pictures[1])
    assert not torch.allclose(pictures[1], pictures[2])
    with pytest.raises(ValueError, match="1.5"):
        net.synthesis_at(1.5)


def test_visitors_of_one_batch_have_looks_of_their_own(net: ToonifyNet) -> None:
    foreground, alpha = (t.expand(2, -1, -1, -1) for t in _person())
    fixed = net.at_strength(1.0)
    looks, share = torch.cat([net.look(1), net.look(2)]), torch.tensor([0.0, 1.0])[:, None, None]
    tones, psi = torch.zeros(2, 3, TONED), torch.ones(2, 1, 1)
    picture, _ = fixed(foreground, alpha, looks, share, tones, psi)
    alone, _ = fixed(foreground[:1], alpha[:1], net.look(9), share[:1], tones[:1], psi[:1])
    torch.testing.assert_close(picture[:1], alone, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(picture[0], picture[1])


def test_truncation_to_nothing_gives_everybody_the_mean_look(net: ToonifyNet) -> None:
    foreground, alpha = _person()
    fixed, zero, untoned = net.at_strength(1.0), torch.zeros(1, 1, 1), torch.zeros(1, 3, TONED)
    a, _ = fixed(foreground, alpha, net.look(1), zero + 1, untoned, zero)
    b, _ = fixed(foreground, alpha, net.look(2), zero, untoned, zero)
    torch.testing.assert_close(a, b)


def test_the_same_seed_is_the_same_look(net: ToonifyNet) -> None:
    assert torch.equal(net.look(3), net.look(3))
    assert not torch.equal(net.look(3), net.look(4))


def test_a_style_survives_its_file(net: ToonifyNet, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_style(net, path)
    again = load_style(path)
    assert again.config == net.config
    for (name, a), b in zip(net.state_dict().items(), again.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4, msg=name)  # fp16 keeps 11 bits
    with safe_open(path, "pt") as file:
        assert {file.get_tensor(name).dtype for name in file.keys()} == {torch.float16}  # noqa: SIM118


def test_the_shipped_size_stays_below_ten_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_style(ToonifyNet(ToonifyConfig()), path)
    assert path.stat().st_size <= 10_000_000


def _spoil(path: Path, kind: str) -> None:
    with safe_open(path, "pt") as file:
        header, weights = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    name = "style.blocks.32.conv1.bias"
    match kind:
        case "missing":
            del weights[name]
        case "unknown":
            weights["intruder"] = torch.zeros(1)
        case "shape":
            weights[name] = torch.zeros(99)
        case "nan":
            weights[name][0] = float("nan")
        case "format":
            header["format"] = "something else"
        case "config":
            header["config"] = json.dumps({"synthesis": {"widths": [1]}})
    save_file(weights, path, metadata=header)


@pytest.mark.parametrize(
    "kind, words",
    [
        ("missing", r"style\.blocks\.32\.conv1\.bias is missing"),
        ("unknown", "intruder is unknown"),
        ("shape", r"conv1\.bias is \[99\], wanted is \[6\]"),
        ("nan", "not finite"),
        ("format", "something else"),
        ("config", "config is not usable"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(net: ToonifyNet, tmp_path: Path, kind: str, words: str) -> None:
    path = tmp_path / "weights.safetensors"
    save_style(net, path)
    _spoil(path, kind)
    with pytest.raises(ModelRejected, match=words):
        load_style(path)


def _with_config(net: ToonifyNet, path: Path, text: str) -> None:
    """A style whose header says of its sizes what is in `text`."""
    save_file(net.state_dict(), path, metadata={"format": FORMAT, "config": text})


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "field, value, words",
    [
        ("z_dim", 10**12, r"mapping\.layers\.0\.weight is \[6, 12\], wanted is \[6, 1000000000000\]"),
        ("z_dim", "5", "config is not usable"),
        ("z_dim", -1, "config is not usable"),
        ("mapping_layers", 10**9, "1000000000 layers, of"),
        ("encoder", {**TINY.to_dict()["encoder"], "blocks": 10**9}, "layers, of"),
        ("encoder", {**TINY.to_dict()["encoder"], "fine_widths": None}, "config is not usable"),
        ("encoder", {**TINY.to_dict()["encoder"], "channels": 10**8}, "is .*, wanted is .*, 100000000,"),
    ],
)
def test_a_header_that_names_any_size_costs_neither_memory_nor_time(
    net: ToonifyNet, tmp_path: Path, field: str, value: object, words: str
) -> None:
    path = tmp_path / "weights.safetensors"
    _with_config(net, path, json.dumps(TINY.to_dict() | {field: value}))
    with pytest.raises(ModelRejected, match=words):
        check_style(path)


def test_a_good_file_stands_the_check_and_a_nested_header_does_not(net: ToonifyNet, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    save_style(net, path)
    check_style(path)
    _with_config(net, path, "[" * 100_000)
    for read in (check_style, load_style):
        with pytest.raises(ModelRejected, match="config is not usable"):
            read(path)


def test_no_file_and_no_safetensors_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="nowhere"):
        load_style(tmp_path / "nowhere.safetensors")
    (tmp_path / "text.safetensors").write_text("hello, this is no model")
    with pytest.raises(ModelRejected, match="not a safetensors file"):
        load_style(tmp_path / "text.safetensors")


def test_an_encoder_that_does_not_fit_the_generator_is_refused() -> None:
    with pytest.raises(ValueError, match="feat_channels"):
        ToonifyConfig(TINY.synthesis, EncoderConfig(feat_channels=9, detail_channels=(6, 5), num_ws=10, w_dim=6))


def test_a_style_with_a_network_for_heads_is_one_file(net: ToonifyNet, tmp_path: Path) -> None:
    torch.manual_seed(5)
    head = ToonifyNet(TINY).eval().requires_grad_(False)
    path = tmp_path / "weights.safetensors"
    save_style(net.with_head(head), path)
    loaded = load_style(path)
    assert loaded.head is not None and loaded.head.head is None
    foreground, alpha = _person()
    for given, back in ((net, loaded), (head, loaded.head)):
        want, got = (draw(n.style, *n.encode(foreground, alpha))[0] for n in (given, back))
        torch.testing.assert_close(got, want, atol=0.02, rtol=0)
    photos = [draw(n.photo, *n.encode(foreground, alpha))[0] for n in (head, loaded.head)]
    assert 0 < (photos[0] - photos[1]).abs().mean() < 0.03, "eight bits, no fewer"
    figure, alone = (draw(n.style, *n.encode(foreground, alpha))[0] for n in (loaded, loaded.head))
    assert not torch.allclose(figure, alone)
    other = ToonifyNet(TINY).eval().requires_grad_(False)
    again = loaded.with_head(other)
    assert again.head is not None and torch.equal(again.head.encoder.stem.weight, other.encoder.stem.weight)


def test_a_graph_of_it_can_be_captured() -> None:
    """Nothing in it waits for the card, or brings anything there."""
    net = ToonifyNet(ToonifyConfig()).eval().requires_grad_(False)
    looks = Looks(net).tensors([defaults()] * 2, [None] * 2)
    fixed = net.at_strength(0.5).half().to(CARD)
    given = [t.to(CARD, torch.float16) for t in (torch.zeros(2, 3, 256, 256), torch.zeros(2, 1, 256, 256), *looks)]
    with torch.no_grad(), PretendCard() as card:
        picture, alpha = fixed(*given)
    assert (picture.shape, alpha.shape) == ((2, 3, 256, 256), (2, 1, 256, 256))
    assert picture.dtype == alpha.dtype == torch.float16 and card.waits == []
