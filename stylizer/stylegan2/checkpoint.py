"""Generators that others trained, in our form: NVIDIA's `.pkl` (stylegan2-ada-pytorch) and rosinality's `.pt`.

Both hold the same network as `Generator`: names and a few shapes differ. Neither file is trusted (`strict_pickle`).
"""

import argparse
import pickle
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from stylizer.errors import ModelRejected, StylizerError, Unreadable
from stylizer.stylegan2.files import fill_network
from stylizer.stylegan2.generator import Generator, GeneratorConfig
from stylizer.stylegan2.layers import activate, make_taps
from stylizer.stylegan2.strict_pickle import Record, read_pickle
from stylizer.stylegan2.synthesis import SynthesisConfig

Weights = Mapping[str, Tensor]
Rule = tuple[str, Callable[[re.Match[str]], str] | None]  # foreign name -> ours, or nothing where it is a constant
LEGACY_TORCH = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how torch's files began before they were zip archives
_LAYER = r"(affine\.weight|affine\.bias|weight|bias|noise_strength|noise_const)"

NVIDIA: tuple[Rule, ...] = (
    (r"mapping\.fc(\d+)\.(weight|bias)", lambda m: f"mapping.layers.{m[1]}.{m[2]}"),
    (r"mapping\.w_avg", lambda m: "mapping.w_avg"),
    (r"synthesis\.b4\.const", lambda m: "synthesis.const"),
    (rf"synthesis\.b(\d+)\.(conv[01])\.{_LAYER}", lambda m: f"synthesis.blocks.{m[1]}.{m[2]}.{m[3]}"),
    (rf"synthesis\.b(\d+)\.torgb\.{_LAYER}", lambda m: f"synthesis.blocks.{m[1]}.to_rgb.{m[2]}"),
    (r".*\.resample_filter", None),
)
_ROSINALITY_LAYER = {
    "conv.weight": "weight",
    "conv.modulation.weight": "affine.weight",
    "conv.modulation.bias": "affine.bias",
    "noise.weight": "noise_strength",
    "activate.bias": "bias",
    "bias": "bias",
}
_PART = "(" + "|".join(map(re.escape, _ROSINALITY_LAYER)) + ")"
ROSINALITY: tuple[Rule, ...] = (
    (r"style\.(\d+)\.(weight|bias)", lambda m: f"mapping.layers.{int(m[1]) - 1}.{m[2]}"),  # 0 is the norm of z
    (r"input\.input", lambda m: "synthesis.const"),
    (rf"conv1\.{_PART}", lambda m: f"synthesis.blocks.4.conv1.{_ROSINALITY_LAYER[m[1]]}"),
    (rf"convs\.(\d{{1,2}})\.{_PART}", lambda m: f"synthesis.blocks.{_at(int(m[1]))}.{_ROSINALITY_LAYER[m[2]]}"),
    (rf"to_rgb1\.{_PART}", lambda m: f"synthesis.blocks.4.to_rgb.{_ROSINALITY_LAYER[m[1]]}"),
    (
        rf"to_rgbs\.(\d{{1,2}})\.{_PART}",
        lambda m: f"synthesis.blocks.{8 << int(m[1])}.to_rgb.{_ROSINALITY_LAYER[m[2]]}",
    ),
    (r"noises\.noise_0", lambda m: "synthesis.blocks.4.conv1.noise_const"),
    (r"noises\.noise_(\d{1,2})", lambda m: f"synthesis.blocks.{_at(int(m[1]) - 1)}.noise_const"),
    (r".*\.kernel", None),
)


def import_generator(path: Path) -> Generator:
    """The averaged generator of either format, ready to run.

    Raises ModelRejected for a file that holds more than tensors and plain containers or another architecture, naming
    what; Unreadable for one that is neither format.
    """
    if not path.is_file():
        raise Unreadable(f"{path}: there is no such file")
    try:
        with path.open("rb") as file:
            legacy = file.read(len(LEGACY_TORCH)) == LEGACY_TORCH
        read = _from_rosinality if legacy or zipfile.is_zipfile(path) else _from_nvidia
        return _assembled(path, *read(path))
    except StylizerError:
        raise
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except Exception as error:  # any: whatever stands where a tensor, a table or a size was awaited
        raise ModelRejected(f"{path}: not a StyleGAN2 generator ({type(error).__name__}: {str(error)[:80]})") from None


def _at(index: int) -> str:
    """The block and layer of rosinality's convolution `index`."""
    return f"{8 << index // 2}.conv{index % 2}"


def _from_nvidia(path: Path) -> tuple[dict[str, Tensor], float]:
    content = read_pickle(path)
    net = content.get("G_ema") if isinstance(content, dict) else content
    if not isinstance(net, Record):
        raise ModelRejected(f"{path}: no averaged generator (G_ema) is in it")
    first = net.state.get("_modules", {}).get("mapping")
    first = first.state.get("_modules", {}).get("fc0") if isinstance(first, Record) else None
    rate = first.state.get("bias_gain", 0.01) if isinstance(first, Record) else 0.01
    return _renamed(path, dict(_tensors(path, net)), NVIDIA), float(rate)


def _tensors(path: Path, module: Record, prefix: str = "") -> list[tuple[str, Tensor]]:
    """Every tensor of a module and of those within it, under its dotted name."""
    found: list[tuple[str, Tensor]] = []
    for kind in ("_parameters", "_buffers"):
        for name, value in module.state.get(kind, {}).items():
            value = torch.from_numpy(value.value.copy()) if hasattr(value, "value") else value
            if not isinstance(value, Tensor | None):
                raise ModelRejected(f"{path}: {prefix}{name} is no tensor")
            found += [(prefix + name, value)] if value is not None else []
    for name, inner in module.state.get("_modules", {}).items():
        if isinstance(inner, Record):
            found += _tensors(path, inner, f"{prefix}{name}.")
    return found


def _from_rosinality(path: Path) -> tuple[dict[str, Tensor], float]:
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):  # the options of the training: names and numbers
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        raise ModelRejected(f"{path}: refused, it names {named[1] if named else 'what is no tensor'}") from None
    except (RuntimeError, EOFError, OSError) as error:
        raise Unreadable(f"{path}: not a PyTorch checkpoint ({str(error)[:80]})") from None
    weights = content.get("g_ema") if isinstance(content, dict) else None
    if not isinstance(weights, Mapping) or not all(isinstance(v, Tensor) for v in weights.values()):
        raise ModelRejected(f"{path}: no averaged generator (g_ema) is in it")
    ours = _renamed(path, weights, ROSINALITY)
    if isinstance(average := content.get("latent_avg"), Tensor):
        ours["mapping.w_avg"] = average.float().flatten()
    return ours, 0.01


def _renamed(path: Path, weights: Weights, rules: tuple[Rule, ...]) -> dict[str, Tensor]:
    result = {}
    for name, value in weights.items():
        rule = next((r for r in rules if re.fullmatch(r[0], name)), None)
        if rule is None:
            raise ModelRejected(f"{path}: {name} belongs to no StyleGAN2 generator that can be played here")
        if rule[1] is None:
            _check_filter(path, name, value)
            continue
        match = re.fullmatch(rule[0], name)
        assert match
        result[rule[1](match)] = value.detach().float()
    return result


def _check_filter(path: Path, name: str, value: Tensor) -> None:
    """Blur filters are fixed here; another one would draw other pictures."""
    taps = make_taps()
    ours = torch.outer(taps, taps)
    if value.shape != ours.shape or not torch.allclose(value.float() / value.float().sum(), ours, atol=1e-5):
        raise ModelRejected(f"{path}: {name} is another filter than [1, 3, 3, 1]")


def _assembled(path: Path, weights: dict[str, Tensor], mapping_rate: float) -> Generator:
    try:
        config = _config(weights, mapping_rate)
    except (KeyError, ValueError, IndexError) as error:
        raise ModelRejected(f"{path}: not a whole StyleGAN2 generator ({type(error).__name__}: {error})") from None
    net = Generator(config)
    wanted = net.state_dict()
    if "mapping.w_avg" not in weights:
        weights["mapping.w_avg"] = _mean_w(weights, config)
    for name, value in weights.items():
        if name in wanted and [s for s in value.shape if s > 1] == [s for s in wanted[name].shape if s > 1]:
            weights[name] = value.reshape(wanted[name].shape)
    fill_network(net, weights, str(path))
    return net.eval().requires_grad_(False)


def _config(weights: Weights, mapping_rate: float) -> GeneratorConfig:
    """The sizes that the weights' shapes tell."""
    sizes = sorted({int(m[1]) for name in weights if (m := re.match(r"synthesis\.blocks\.(\d+)\.conv1\.weight", name))})
    if sizes != [4 << i for i in range(len(sizes))] or not sizes:
        raise ValueError(f"blocks of {sizes} px")
    first = weights["mapping.layers.0.weight"]
    synthesis = SynthesisConfig(
        widths=tuple(weights[f"synthesis.blocks.{s}.conv1.weight"].shape[-4] for s in sizes),
        first=4,
        rgb_from=4,
        w_dim=first.shape[0],
        channels=weights["synthesis.blocks.4.to_rgb.weight"].shape[-4],
    )
    layers = sum(bool(re.fullmatch(r"mapping\.layers\.\d+\.weight", name)) for name in weights)
    return GeneratorConfig(synthesis, z_dim=first.shape[1], mapping_layers=layers, mapping_rate=mapping_rate)


def _mean_w(weights: Weights, config: GeneratorConfig) -> Tensor:
    """The mean w, for files without one: of ten thousand z, the same on every machine."""
    z = torch.randn(10_000, config.z_dim, generator=torch.Generator().manual_seed(0))
    x = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
    for i in range(config.mapping_layers):
        weight, bias = (weights[f"mapping.layers.{i}.{part}"] for part in ("weight", "bias"))
        x = activate(x @ (weight * (config.mapping_rate / weight.shape[1] ** 0.5)).t() + bias * config.mapping_rate)
    return x.mean(0)
