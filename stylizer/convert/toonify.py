"""The Toonify network and its file: an encoder, a photo generator and a style generator of the same shape.

The encoder gives features at 16x16 and style vectors; above 16x16 the weights of the two generators are mixed.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from encoders.feature16 import EncoderConfig, Feature16
from stylizer.convert import Look
from stylizer.convert.tones import MAPS, toned, tones_of
from stylizer.errors import ModelRejected
from stylizer.frame import signed_from_unit, unit_from_signed
from stylizer.stylegan2.blend import blend
from stylizer.stylegan2.files import check_fit, fill_network, read_network, write_network
from stylizer.stylegan2.mapping import Mapping, seeded_z, truncate
from stylizer.stylegan2.synthesis import Synthesis, SynthesisConfig

SIZE = 256  # px: side of the pictures that go in and come out
BACKDROP = 0.5  # mid-grey, unit range: what the network sees behind the person
FORMAT = "stylizer-toonify-1"


@dataclass(frozen=True, slots=True)
class ToonifyConfig:
    """head: of the network that draws the head from nearer; without one the same network does."""

    synthesis: SynthesisConfig = field(default_factory=lambda: SynthesisConfig(noise=False))
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    z_dim: int = 16
    mapping_layers: int = 3
    head: "ToonifyConfig | None" = None

    def __post_init__(self) -> None:
        ours, theirs = self.synthesis, self.encoder
        details = theirs.detail_channels + theirs.fine_channels
        above = tuple(ours.width_at(32 << i) for i in range(len(details)))
        wanted = (ours.width_at(16), above, ours.num_ws, ours.w_dim)
        if (theirs.feat_channels, details, theirs.num_ws, theirs.w_dim) != wanted or ours.channels != 4:
            raise ValueError(f"the encoder's feat_channels, details, num_ws, w_dim must be {wanted}, channels 4")

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        synthesis = SynthesisConfig.from_dict(values["synthesis"])
        encoder = EncoderConfig.from_dict(values["encoder"])
        head = cls.from_dict({**values["head"], "head": None}) if values.get("head") else None
        return cls(synthesis, encoder, values["z_dim"], values.get("mapping_layers", 3), head)

    def to_dict(self) -> dict[str, Any]:
        return {
            "synthesis": self.synthesis.to_dict(),
            "encoder": self.encoder.to_dict(),
            "z_dim": self.z_dim,
            "mapping_layers": self.mapping_layers,
            "head": self.head.to_dict() if self.head else None,
        }


# For the head from nearer: more channels where an eye is drawn, fewer where a body is understood.
HEAD = ToonifyConfig(
    SynthesisConfig(widths=(160, 112, 96, 48, 24), noise=False),
    EncoderConfig(
        widths=(64, 112, 128),
        feat_channels=160,
        detail_channels=(112, 96),
        fine_channels=(48, 24),
        fine_widths=(32, 16),
    ),
)


class ToonifyNet(nn.Module):
    """Everything a style file holds. `w_avg` [num_ws, w_dim] is the mean of the encoder's ws while training.

    head: a network of its own for the head from nearer, in squares of 128 px; the same seed gives it the same look.
    """

    w_avg: Tensor

    def __init__(self, config: ToonifyConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Feature16(config.encoder)
        self.photo = Synthesis(config.synthesis)
        self.style = Synthesis(config.synthesis)
        self.mapping = Mapping(config.z_dim, config.synthesis.w_dim, layers=config.mapping_layers, lr_scale=1.0)
        self.register_buffer("w_avg", torch.zeros(config.synthesis.num_ws, config.synthesis.w_dim))
        self.head = ToonifyNet(config.head) if config.head else None

    def with_head(self, head: "ToonifyNet") -> "ToonifyNet":
        """The same network and `head` as its own for heads."""
        whole = ToonifyNet(replace(self.config, head=head.config))
        kept = {name: value for name, value in self.state_dict().items() if not name.startswith("head.")}
        whole.load_state_dict(kept | {f"head.{name}": value for name, value in head.state_dict().items()})
        return whole.eval().requires_grad_(False)

    def encode(self, foreground: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """foreground [N, 3, 256, 256] unit, straight; alpha [N, 1, 256, 256] -> feat16, ws, details (see Feature16)."""
        feat16, ws, details = self.encoder(network_input(foreground, alpha))
        return feat16, ws, details

    def synthesis_at(self, strength: float) -> Synthesis:
        """A generator whose layers after feat16 are mixed: 0 is the photo generator, 1 the style."""
        if not 0 <= strength <= 1:
            raise ValueError(f"strength must be in 0..1, got {strength}")
        mixed = Synthesis(self.config.synthesis)
        photo, style = self.photo.state_dict(), self.style.state_dict()
        mixed.load_state_dict(
            blend(photo, style, strength, above=8)
        )  # the ToRGB at 16 comes after feat16: it is mixed too
        return mixed.eval().requires_grad_(False)

    def at_strength(self, strength: float) -> "FixedToonify":
        """The whole way as one network for one strength: what an engine compiles."""
        return FixedToonify(self.encoder, self.synthesis_at(strength), self.w_avg)

    def look(self, seed: int) -> Tensor:
        """Style vectors [1, num_ws, w_dim] of an invented look; the same seed gives the same look."""
        z = seeded_z(seed, self.config.z_dim).to(self.w_avg)
        w: Tensor = self.mapping(z)
        return w[:, None].expand(-1, self.config.synthesis.num_ws, -1).contiguous()


def look_of(encoder: Feature16, foreground: Tensor, alpha: Tensor) -> Look:
    """What others can take on of a person, given as to `ToonifyNet.encode`."""
    feat16, ws, details = encoder(network_input(foreground, alpha))
    return Look(ws, tones_of((feat16, *details)[:MAPS], alpha))


class FixedToonify(nn.Module):
    """Encoder and one generator; takes and gives plain tensors only, so it can be traced and converted."""

    w_avg: Tensor

    def __init__(self, encoder: Feature16, synthesis: Synthesis, w_avg: Tensor) -> None:
        super().__init__()
        self.encoder, self.synthesis = encoder, synthesis
        self.register_buffer("w_avg", w_avg.detach().clone())

    def forward(
        self, foreground: Tensor, alpha: Tensor, look_ws: Tensor, look: Tensor, tones: Tensor, psi: Tensor
    ) -> tuple[Tensor, Tensor]:
        """One batch, every visitor with a look of their own.

        foreground [N, 3, 256, 256] unit, straight. alpha [N, 1, 256, 256].
        look_ws [N, num_ws, w_dim]: an invented look's, or another person's.
        look [N, num_ws, 1]: how far each layer takes them; 0 keeps the encoder's, 1 takes look_ws.
        tones [N, 3, C]: another person's, and how far each channel takes them on, see `toned`.
        psi [N, 1, 1]: truncation, 1 is off.
        -> picture [N, 3, 256, 256] unit, straight, and the drawn figure's own alpha [N, 1, 256, 256].
        """
        feat16, ws, details = self.encoder(network_input(foreground, alpha))
        ws = truncate(torch.lerp(ws.to(look_ws.dtype), look_ws, look), self.w_avg, psi)
        maps = (feat16, *details)
        feat16, *others = toned(maps[:MAPS], alpha, tones) + maps[MAPS:]
        return draw(self.synthesis, feat16, ws, tuple(others))


def network_input(foreground: Tensor, alpha: Tensor) -> Tensor:
    """foreground [N, 3, H, W] unit, straight; alpha [N, 1, H, W] -> [N, 4, H, W]: RGB over grey -1..1, alpha 0..1."""
    return torch.cat((signed_from_unit(foreground * alpha + BACKDROP * (1 - alpha)), alpha), 1)


def draw(synthesis: Synthesis, feat16: Tensor, ws: Tensor, details: tuple[Tensor, ...] = ()) -> tuple[Tensor, Tensor]:
    """-> picture [N, 3, S, S] unit, straight, and alpha [N, 1, S, S], both within 0..1."""
    unit = unit_from_signed(synthesis(feat16, ws, details, noise="none")).clamp(0, 1)
    return unit[:, :3], unit[:, 3:]


def save_style(net: ToonifyNet, path: Path) -> None:
    """Writes weights in fp16 and the sizes in the header: one safetensors file.

    Of the photo generator for heads, which only strengths below 1 show, eight bits are kept: so styles fit into 10 MB.
    """
    weights = {
        name: value.to(torch.float8_e4m3fn if name.startswith("head.photo.") else torch.float16)
        for name, value in net.state_dict().items()
    }
    write_network(path, weights, format=FORMAT, config=net.config.to_dict())


def load_style(path: Path) -> ToonifyNet:
    """Reads what `save_style` wrote, in fp32, ready to run.

    Raises ModelMissing when there is no file, ModelRejected naming the weight or the header entry that is wrong.
    """
    values, weights = read_network(path, format=FORMAT)
    net = _built(path, values, weights)
    fill_network(net, weights, str(path))
    return net.eval().requires_grad_(False)


def check_style(path: Path) -> None:
    """For a stranger's file, whose header may name any size: none is built that the file does not fill.

    Raises what `load_style` raises. The first time takes a second: torch loads what it needs for it.
    """
    values, weights = read_network(path, format=FORMAT)
    with torch.device("meta"):  # shapes without memory
        net = _built(path, values, weights)
    check_fit(net, weights, str(path))


def _built(path: Path, values: dict[str, Any], weights: dict[str, Tensor]) -> ToonifyNet:
    try:
        config = ToonifyConfig.from_dict(values)
        for each in filter(None, (config, config.head)):
            layers = max(each.mapping_layers, each.encoder.blocks * len(each.encoder.widths))
            if layers > len(weights):
                raise ValueError(f"{layers} layers, of {len(weights)} weights in the file")
        return ToonifyNet(config)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelRejected(f"{path}: the header's config is not usable ({str(error)[:200]})") from None
