"""A whole StyleGAN2 generator, from z to the picture, and its file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from stylizer.errors import ModelRejected
from stylizer.stylegan2.files import check_fit, fill_network, read_network, write_network
from stylizer.stylegan2.layers import NoiseMode
from stylizer.stylegan2.mapping import Mapping, truncate
from stylizer.stylegan2.synthesis import FULL_256, Synthesis, SynthesisConfig

FORMAT = "stylizer-stylegan2-1"


@dataclass(frozen=True, slots=True)
class GeneratorConfig:
    """mapping_rate: how much slower the mapping network learns than the rest."""

    synthesis: SynthesisConfig = field(default_factory=lambda: FULL_256)
    z_dim: int = 16
    mapping_layers: int = 3
    mapping_rate: float = 0.01

    def __post_init__(self) -> None:
        if self.synthesis.first != 4:
            raise ValueError(f"a whole generator starts at 4 px, got first = {self.synthesis.first}")
        if self.z_dim < 1 or self.mapping_layers < 1 or not self.mapping_rate > 0:
            raise ValueError(
                f"z_dim {self.z_dim}, mapping_layers {self.mapping_layers} must be at least 1, mapping_rate"
                f" {self.mapping_rate} more than 0"
            )

    @property
    def size(self) -> int:
        """Side of the picture in pixels."""
        return self.synthesis.sizes[-1]

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        return cls(**{**values, "synthesis": SynthesisConfig.from_dict(values["synthesis"])})

    def to_dict(self) -> dict[str, Any]:
        rest = {name: getattr(self, name) for name in ("z_dim", "mapping_layers", "mapping_rate")}
        return {"synthesis": self.synthesis.to_dict(), **rest}


class Generator(nn.Module):
    """z [N, z_dim] -> picture [N, channels, size, size], about -1..1."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        w_dim = config.synthesis.w_dim
        self.mapping = Mapping(config.z_dim, w_dim, layers=config.mapping_layers, lr_scale=config.mapping_rate)
        self.synthesis = Synthesis(config.synthesis)

    def style_vectors(self, z: Tensor, *, psi: float = 1.0) -> Tensor:
        """z [N, z_dim] -> ws [N, num_ws, w_dim], the same for every layer, truncated towards the mean by psi."""
        ws = self.mapping(z)[:, None].expand(-1, self.config.synthesis.num_ws, -1)
        return ws if psi == 1 else truncate(ws, self.mapping.w_avg, psi)

    def forward(self, z: Tensor, *, psi: float = 1.0, noise: NoiseMode = "const") -> Tensor:
        picture: Tensor = self.synthesis(None, self.style_vectors(z, psi=psi), noise=noise)
        return picture


def save_generator(net: Generator, path: Path) -> None:
    write_network(path, net.state_dict(), format=FORMAT, config=net.config.to_dict())


def load_generator(path: Path) -> Generator:
    """Reads what `save_generator` wrote, ready to run. Raises ModelMissing or ModelRejected saying what is wrong."""
    values, weights = read_network(path, format=FORMAT)
    try:
        config = GeneratorConfig.from_dict(values)
        if config.mapping_layers > len(weights):
            raise ValueError(f"mapping_layers {config.mapping_layers}, of {len(weights)} weights in the file")
        with torch.device("meta"):  # the header may name any size: none is built that the file does not fill
            check_fit(Generator(config), weights, str(path))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelRejected(f"{path}: the header's config is not usable ({str(error)[:200]})") from None
    net = Generator(config)
    fill_network(net, {name: value.float() for name, value in weights.items()}, str(path))
    return net.eval().requires_grad_(False)
