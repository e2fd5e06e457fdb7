"""Files in both foreign formats are built here, with classes that stand in for those of their authors."""

import argparse
import io
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typer.testing import CliRunner

from stylizer.errors import ModelRejected, Unreadable
from stylizer.stylegan2.checkpoint import import_generator
from stylizer.stylegan2.generator import load_generator, save_generator
from stylizer.stylegan2.strict_pickle import read_pickle
from stylizer.weights.cli import models_app

W_DIM, WIDTHS = 6, {4: 8, 8: 7, 16: 5}
RESULT: list[str] = []  # what a malicious pickle would have left


def _normal(*shape: int) -> Tensor:
    return torch.randn(*shape)


class Layer(dict[str, Tensor]):
    """Raw numbers of one convolution: weight, affine weight and bias, bias, and noise where there is one."""

    def __init__(self, n_in: int, n_out: int, kernel: int, size: int | None) -> None:
        super().__init__(
            weight=_normal(n_out, n_in, kernel, kernel),
            affine_weight=_normal(n_in, W_DIM),
            affine_bias=torch.ones(n_in) + 0.1 * _normal(n_in),
            bias=0.3 * _normal(n_out),
        )
        if size:
            self["noise"], self["strength"] = _normal(size, size), torch.tensor(0.4)


class Network:
    """A small StyleGAN2 as raw numbers, and its picture by the paper's formulas alone."""

    def __init__(self) -> None:
        torch.manual_seed(4)
        self.mapping = [(_normal(W_DIM, W_DIM) * 100, 10 * _normal(W_DIM)) for _ in range(8)]  # learn at rate 0.01
        self.const, self.w_avg = _normal(1, 8, 4, 4), 0.1 * _normal(W_DIM)
        self.convs, self.to_rgb = {(4, 1): Layer(8, 8, 3, 4)}, {4: Layer(8, 3, 1, None)}
        for size in (8, 16):
            below, width = WIDTHS[size // 2], WIDTHS[size]
            self.convs[size, 0], self.convs[size, 1] = Layer(below, width, 3, size), Layer(width, width, 3, size)
            self.to_rgb[size] = Layer(width, 3, 1, None)

    def picture(self, z: Tensor) -> Tensor:
        w = z / z.square().mean(1, keepdim=True).sqrt()
        for weight, bias in self.mapping:
            w = F.leaky_relu(w @ (weight * 0.01 / W_DIM**0.5).t() + 0.01 * bias, 0.2) * 2**0.5
        x = _conv(self.const.expand(len(z), -1, -1, -1), w, self.convs[4, 1])
        image = _conv(x, w, self.to_rgb[4], rgb=True)
        for size in (8, 16):
            x = _conv(_conv(x, w, self.convs[size, 0], up=True), w, self.convs[size, 1])
            image = _conv(x, w, self.to_rgb[size], rgb=True) + _fir(_zeros_between(image), (2, 1))
        return image


def _zeros_between(x: Tensor) -> Tensor:
    wide = torch.zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    wide[:, :, ::2, ::2] = x
    return wide


def _fir(x: Tensor, pad: tuple[int, int]) -> Tensor:
    """[1, 3, 3, 1] both ways with gain 4: what follows zeros between the pixels."""
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 4
    kernel = torch.outer(taps, taps)[None, None].expand(x.shape[1], 1, -1, -1)
    return F.conv2d(F.pad(x, (*pad, *pad)), kernel, groups=x.shape[1])


def _conv(x: Tensor, w: Tensor, layer: Layer, *, up: bool = False, rgb: bool = False) -> Tensor:
    style = w @ (layer["affine_weight"] / W_DIM**0.5).t() + layer["affine_bias"]
    kernel = layer["weight"].shape[-1]
    rows = []
    for sample, s in zip(x, style, strict=True):
        weight = layer["weight"] / (layer["weight"][0].numel()) ** 0.5 * s[None, :, None, None]
        if not rgb:
            weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:  # a true convolution over the picture with zeros between, then the filter
            wide = F.pad(_zeros_between(sample[None])[..., :-1, :-1], (2, 2, 2, 2))
            rows.append(_fir(F.conv2d(wide, weight.flip(2, 3)), (1, 1)))
        else:
            rows.append(F.conv2d(sample[None], weight, padding=kernel // 2))
    y = torch.cat(rows)
    if rgb:
        return y + layer["bias"][:, None, None]
    y = y + layer["strength"] * layer["noise"] + layer["bias"][:, None, None]
    return F.leaky_relu(y, 0.2) * 2**0.5


@pytest.fixture(scope="module")
def network() -> Network:
    return Network()


@pytest.fixture
def z() -> Tensor:
    return torch.randn(2, W_DIM, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def foreign_modules() -> Iterator[dict[str, ModuleType]]:
    """`torch_utils.persistence` and `dnnlib.util` while a file is written; gone when it is read."""
    names = ("torch_utils", "torch_utils.persistence", "dnnlib", "dnnlib.util")
    modules = {name: ModuleType(name) for name in names}
    sys.modules.update(modules)
    yield modules
    for name in names:
        sys.modules.pop(name, None)


def _write_nvidia(net: Network, path: Path, modules: dict[str, ModuleType], extra: object = None) -> None:
    def rebuild(meta: dict[str, Any]) -> None:
        raise AssertionError("only a name in the file")

    rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = (
        "torch_utils.persistence",
        *("_reconstruct_persistent_obj",) * 2,
    )
    modules["torch_utils.persistence"]._reconstruct_persistent_obj = rebuild  # type: ignore[attr-defined]
    easy = type("EasyDict", (dict,), {"__module__": "dnnlib.util"})
    modules["dnnlib.util"].EasyDict = easy  # type: ignore[attr-defined]

    class Persistent(nn.Module):
        """As NVIDIA's decorator makes them: pickled as their source and their attributes."""

        def __reduce__(self) -> Any:
            meta = {
                "type": "class",
                "version": 6,
                "module_src": "raise SystemExit('the source in the file was run')",
                "class_name": self.kind,
                "state": dict(self.__dict__),
            }
            return rebuild, (meta,), None

        def __init__(self, kind: str, **parts: Any) -> None:
            super().__init__()
            self.kind, self._init_kwargs = kind, easy(img_channels=3)
            for name, part in parts.items():
                if isinstance(part, nn.Module):
                    self.add_module(name, part)
                elif isinstance(part, float):
                    setattr(self, name, part)
                else:
                    self.register_parameter(name, nn.Parameter(part))

    def layer(raw: Layer) -> Persistent:
        affine = Persistent("FullyConnectedLayer", weight=raw["affine_weight"], bias=raw["affine_bias"])
        made = Persistent("SynthesisLayer", affine=affine, weight=raw["weight"], bias=raw["bias"])
        if "noise" in raw:
            made.register_buffer("noise_const", raw["noise"])
            made.register_parameter("noise_strength", nn.Parameter(raw["strength"]))
            made.register_buffer("resample_filter", _filter())
        return made

    blocks = {}
    for size, to_rgb in net.to_rgb.items():
        parts: dict[str, Any] = {f"conv{i}": layer(raw) for (at, i), raw in net.convs.items() if at == size}
        blocks[f"b{size}"] = Persistent("SynthesisBlock", torgb=layer(to_rgb), **parts)
    blocks["b4"].register_parameter("const", nn.Parameter(net.const[0]))
    full = {
        f"fc{i}": Persistent("FullyConnectedLayer", weight=weight, bias=bias, bias_gain=0.01)
        for i, (weight, bias) in enumerate(net.mapping)
    }
    mapping = Persistent("MappingNetwork", **full)
    mapping.register_buffer("w_avg", net.w_avg)
    generator = Persistent("Generator", synthesis=Persistent("SynthesisNetwork", **blocks), mapping=mapping)
    path.write_bytes(pickle.dumps({"G_ema": generator, "G": None, "options": easy(cond=False), "extra": extra}))


def _filter() -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    return torch.outer(taps, taps)


def _rosinality(net: Network) -> dict[str, Tensor]:
    def put(name: str, raw: Layer) -> None:
        state[f"{name}.conv.weight"] = raw["weight"][None]
        state[f"{name}.conv.modulation.weight"] = raw["affine_weight"]
        state[f"{name}.conv.modulation.bias"] = raw["affine_bias"]
        if "noise" in raw:
            state[f"{name}.noise.weight"] = raw["strength"][None]
            state[f"{name}.activate.bias"] = raw["bias"]
        else:
            state[f"{name}.bias"] = raw["bias"].reshape(1, 3, 1, 1)

    state: dict[str, Tensor] = {"input.input": net.const}
    for i, (weight, bias) in enumerate(net.mapping):
        state[f"style.{i + 1}.weight"], state[f"style.{i + 1}.bias"] = weight, bias
    put("conv1", net.convs[4, 1])
    put("to_rgb1", net.to_rgb[4])
    for k, at in enumerate([(8, 0), (8, 1), (16, 0), (16, 1)]):
        put(f"convs.{k}", net.convs[at])
        state[f"noises.noise_{k + 1}"] = net.convs[at]["noise"][None, None]
    state["noises.noise_0"] = net.convs[4, 1]["noise"][None, None]
    for k, size in enumerate((8, 16)):
        put(f"to_rgbs.{k}", net.to_rgb[size])
        state[f"to_rgbs.{k}.upsample.kernel"] = _filter() * 4
        state[f"convs.{2 * k}.conv.blur.kernel"] = _filter() * 4
    return state


def _write_rosinality(net: Network, path: Path, **more: object) -> None:
    torch.save({"g_ema": _rosinality(net), "args": argparse.Namespace(size=16), "ada_aug_p": 0.2, **more}, path)


def test_an_nvidia_pickle_draws_what_its_numbers_say(
    network: Network, z: Tensor, tmp_path: Path, foreign_modules: dict[str, ModuleType]
) -> None:
    _write_nvidia(network, tmp_path / "net.pkl", foreign_modules)
    net = import_generator(tmp_path / "net.pkl")
    torch.testing.assert_close(net(z), network.picture(z), rtol=1e-4, atol=1e-4)
    assert torch.equal(net.mapping.w_avg, network.w_avg)


def test_a_rosinality_checkpoint_draws_what_its_numbers_say(network: Network, z: Tensor, tmp_path: Path) -> None:
    _write_rosinality(network, tmp_path / "net.pt", latent_avg=network.w_avg)
    net = import_generator(tmp_path / "net.pt")
    torch.testing.assert_close(net(z), network.picture(z), rtol=1e-4, atol=1e-4)
    assert torch.equal(net.mapping.w_avg, network.w_avg)


def test_without_a_mean_w_one_is_computed(network: Network, tmp_path: Path) -> None:
    _write_rosinality(network, tmp_path / "net.pt")
    net = import_generator(tmp_path / "net.pt")
    many = torch.randn(4000, W_DIM, generator=torch.Generator().manual_seed(9))
    torch.testing.assert_close(net.mapping.w_avg, net.mapping(many).mean(0), rtol=0.1, atol=0.05)


def test_the_command_writes_safetensors_that_load(network: Network, z: Tensor, tmp_path: Path) -> None:
    _write_rosinality(network, tmp_path / "net.pt")
    target = tmp_path / "net.safetensors"
    result = CliRunner().invoke(models_app, ["import", str(tmp_path / "net.pt"), str(target)])
    assert result.exit_code == 0, result.output
    torch.testing.assert_close(load_generator(target)(z), network.picture(z), rtol=1e-4, atol=1e-4)


def test_what_is_written_may_be_read_by_whoever_may_read_other_files(network: Network, tmp_path: Path) -> None:
    """A worker in a container is another user. And what cannot be written is an error as of any other file."""
    _write_rosinality(network, tmp_path / "net.pt")
    net, plain = import_generator(tmp_path / "net.pt"), tmp_path / "plain"
    plain.touch()
    save_generator(net, tmp_path / "net.safetensors")
    assert (tmp_path / "net.safetensors").stat().st_mode == plain.stat().st_mode
    with pytest.raises(OSError, match="No such file or directory"):
        save_generator(net, tmp_path / "absent" / "net.safetensors")


class _Call:
    """Pickled as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


class _Malicious:
    def __reduce__(self) -> Any:
        return RESULT.append, ("was here",)


@pytest.mark.parametrize("kind", ["pkl", "pkl-inside-a-storage", "pt", "os.system"])
def test_a_malicious_file_is_refused_and_does_nothing(
    kind: str, network: Network, tmp_path: Path, foreign_modules: dict[str, ModuleType]
) -> None:
    path = tmp_path / "net.bin"
    if kind == "pkl":
        _write_nvidia(network, path, foreign_modules, extra=_Malicious())
    elif kind == "pt":
        _write_rosinality(network, path, extra=_Malicious())
    elif kind == "os.system":
        path.write_bytes(b"cposix\nsystem\n(S'touch " + bytes(tmp_path / "was-here") + b"'\ntR.")
    else:
        inner = tmp_path / "inner"
        torch.save(_Malicious(), inner, _use_new_zipfile_serialization=False)
        call = type("Call", (), {"__reduce__": lambda self: (torch.storage._load_from_bytes, (inner.read_bytes(),))})
        path.write_bytes(pickle.dumps({"G_ema": call()}))
    with pytest.raises(ModelRejected, match=r"net\.bin"):
        import_generator(path)
    assert not RESULT
    assert not (tmp_path / "was-here").exists()


def test_a_tensor_that_reaches_beyond_its_numbers_is_refused(tmp_path: Path) -> None:
    """torch would fill it up with whatever lay in memory."""
    inner = io.BytesIO()
    four = torch.zeros(4)._typed_storage()  # type: ignore[no-untyped-call]
    torch.save(four, inner, _use_new_zipfile_serialization=False)
    storage = _Call(torch.storage._load_from_bytes, inner.getvalue())
    shapes = {
        "whole": (0, (2, 2), (2, 1)),
        "long": (0, (5,), (1,)),
        "late": (2, (3,), (1,)),
        "wide": (0, (2, 2), (3, 1)),
    }
    for name, where in shapes.items():
        (tmp_path / name).write_bytes(pickle.dumps(_Call(torch._utils._rebuild_tensor_v2, storage, *where, False, {})))
    assert torch.equal(read_pickle(tmp_path / "whole"), torch.zeros(2, 2))
    for name in ("long", "late", "wide"):
        with pytest.raises(ModelRejected, match=f"{name}: refused, a tensor reaches beyond"):
            read_pickle(tmp_path / name)


@pytest.mark.parametrize("fault", ["conditional", "other filter", "missing", "no generator"])
def test_another_architecture_is_refused_by_name(fault: str, network: Network, tmp_path: Path) -> None:
    state = _rosinality(network)
    named = {
        "conditional": "embed.weight",
        "other filter": "upsample.kernel",
        "missing": "conv1.bias",
        "no generator": "g_ema",
    }
    if fault == "conditional":
        state["embed.weight"] = torch.zeros(3)
    elif fault == "other filter":
        state["to_rgbs.0.upsample.kernel"] = torch.ones(4, 4)
    elif fault == "missing":
        del state["convs.1.activate.bias"]
    torch.save({"g_ema" if fault != "no generator" else "d": state}, tmp_path / "net.pt")
    with pytest.raises(ModelRejected, match=named[fault].replace(".", r"\.")):
        import_generator(tmp_path / "net.pt")


def test_what_is_neither_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(b"hello")
    with pytest.raises(Unreadable, match=r"a\.pkl"):
        import_generator(tmp_path / "a.pkl")
    with pytest.raises(Unreadable, match="no such file"):
        import_generator(tmp_path / "b.pkl")


def _nvidia_record(state: object) -> bytes:
    """One object whose attributes are `state`."""
    told = pickle.dumps({"class_name": "G", "state": state}, 2)[2:-1]
    return b"\x80\x02ctorch_utils.persistence\n_reconstruct_persistent_obj\n" + told + b"\x85R."


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x8e" + (1 << 62).to_bytes(8, "little") + b"a.",  # bytes of a length that no memory has
        b"\x80\x04\x8e" + b"\xff" * 8 + b"a.",
        _nvidia_record({"_modules": 5}),
        _nvidia_record({"_parameters": "many"}),
    ],
    ids=["memory", "overflow", "modules", "parameters"],
)
def test_a_pickle_that_tells_anything_is_refused_by_name(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.pkl").write_bytes(content)
    with pytest.raises((ModelRejected, Unreadable), match=r"net\.pkl"):
        import_generator(tmp_path / "net.pkl")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "name, value", [("to_rgbs.9999999999.bias", 0), ("convs.9999999999.conv.weight", 0), (1, 0), ("style.1.bias", 9)]
)
def test_a_checkpoint_of_absurd_names_or_sizes_is_refused_at_once(
    name: object, value: int, network: Network, tmp_path: Path
) -> None:
    """A block's size is 2 to the power of the number in its name: of the first that was 35 seconds."""
    torch.save({"g_ema": _rosinality(network) | {name: torch.zeros(value)}}, tmp_path / "net.pt")
    with pytest.raises(ModelRejected, match=r"net\.pt"):
        import_generator(tmp_path / "net.pt")
