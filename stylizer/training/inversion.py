"""Training of the encoder that inverts a frozen generator: a picture -> features at 16x16 and ws that draw it again.

Half of the pictures are photos, of which only the picture is known; half the generator made itself, of which the
features and the ws are known too.
"""

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from encoders.feature16 import EncoderConfig, Feature16
from encoders.losses import gradient_l1
from stylizer.convert.toonify import SIZE
from stylizer.errors import BadInput
from stylizer.stylegan2.discriminator import Discriminator
from stylizer.stylegan2.generator import Generator
from stylizer.stylegan2.synthesis import Synthesis, SynthesisConfig
from stylizer.training.data.pictures import Pictures, over_grey, shown, sized
from stylizer.training.parallel import World
from stylizer.training.run import follow, picture_grid, set_rate
from stylizer.training.settings import check_settings

START = 16  # px: where the features enter


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """One run. widths: channels of the encoder at 1/4, 1/8 and 1/16 of the picture.

    details: whether the encoder also passes what it saw at 32 px and more; without, all goes through 16x16 and ws.
    """

    seed: int = 1
    widths: tuple[int, ...] = (64, 128, 176)
    blocks: int = 2
    details: bool = True
    steps: int = 20_000
    batch: int = 4  # of each process
    lr: float = 0.002
    made: float = 0.5  # share of steps on pictures that the generator made
    gradient: float = 1.0
    feature: float = 0.2  # weight of the discriminator's features, where there is one
    latent: float = 0.2  # weight of the known features and ws
    ema: float = 0.998
    bf16: bool = True
    samples_every: int = 1000
    checkpoint_s: float = 100.0

    def __post_init__(self) -> None:
        if len(self.widths) != 3:
            raise ValueError(f"widths must be three numbers, got {list(self.widths)}")
        check_settings(self, "steps", "batch", "samples_every")


def upper_part(net: Generator) -> Synthesis:
    """What is drawn from the features at 16x16 on, with an alpha: a generator without one is opaque everywhere."""
    whole = net.config.synthesis
    if whole.sizes[-1] < 4 * START:
        raise BadInput(f"the generator draws {whole.sizes[-1]} px; an encoder needs one of {4 * START} px at least")
    if whole.rgb_from > START:
        raise BadInput(f"the generator's pictures begin at {whole.rgb_from} px, they must at {START} px or below")
    first = whole.sizes.index(START)
    config = SynthesisConfig(whole.widths[first:], START, START, whole.w_dim, channels=4, noise=False)
    part = Synthesis(config)
    weights = net.synthesis.state_dict()
    wanted = {name: weights[name] for name in part.state_dict() if name in weights}
    if whole.channels == 3:
        for name, value in wanted.items():
            if ".to_rgb.weight" in name:
                wanted[name] = torch.cat((value, torch.zeros_like(value[:1])))
            elif ".to_rgb.bias" in name:
                last = name == f"blocks.{whole.sizes[-1]}.to_rgb.bias"
                wanted[name] = torch.cat((value, torch.full_like(value[:1], float(last))))
    part.load_state_dict(wanted)
    return part


def encoder_config(settings: EncoderSettings, synthesis: SynthesisConfig) -> EncoderConfig:
    """An encoder that fits the upper part of a generator; details at 128 and 256 px where it draws as large."""
    large = synthesis.sizes[-1] >= SIZE
    return EncoderConfig(
        widths=settings.widths,
        blocks=settings.blocks,
        feat_channels=synthesis.width_at(START),
        detail_channels=(synthesis.width_at(32), synthesis.width_at(64)),
        fine_channels=(synthesis.width_at(128), synthesis.width_at(256)) if large else (),
        num_ws=synthesis.num_ws,
        w_dim=synthesis.w_dim,
    )


def as_input(picture: Tensor) -> Tensor:
    """[N, 4, S, S] as `over_grey` gives it -> the encoder's input [N, 4, 256, 256]: colours over grey, alpha 0..1."""
    if picture.shape[-1] != SIZE:
        picture = F.interpolate(picture, size=(SIZE, SIZE), mode="bilinear")
    return torch.cat((picture[:, :3], (picture[:, 3:] + 1) / 2), 1)


class EncoderTrainer:
    """The encoder, its average, and the frozen networks that it learns from."""

    def __init__(
        self,
        settings: EncoderSettings,
        pictures: Pictures,
        generator: Generator,
        critic: Discriminator | None = None,
        world: World | None = None,
    ) -> None:
        """critic: the discriminator that the generator was trained against; its features tell pictures apart."""
        torch.manual_seed(settings.seed)
        self.settings, self.pictures, self.world, self.done = settings, pictures, world or World(), 0
        device = self.world.device
        self.generator = generator.to(device).eval().requires_grad_(False)
        self.upper = upper_part(generator).to(device).eval().requires_grad_(False)
        self.critic = critic.to(device).eval().requires_grad_(False) if critic else None
        self.net = Feature16(encoder_config(settings, self.upper.config)).to(device)
        self.ema = copy.deepcopy(self.net).eval().requires_grad_(False)
        self.ws_mean = torch.zeros(self.upper.config.num_ws, self.upper.config.w_dim, device=device)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=settings.lr, betas=(0.9, 0.99), fused=True)

    def state(self) -> dict[str, Any]:
        networks = {name: getattr(self, name).state_dict() for name in ("net", "ema", "optimizer")}
        return {**networks, "step": self.done, "ws_mean": self.ws_mean}

    def restore(self, state: dict[str, Any]) -> None:
        for name in ("net", "ema", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.done = int(state["step"])
        self.ws_mean = state["ws_mean"].to(self.world.device)

    def step(self) -> dict[str, float]:
        """One step, wholly decided by the seed, the step's number and the process's rank."""
        s = self.settings
        numbers = np.random.default_rng((s.seed, self.done, self.world.rank))
        set_rate(self.optimizer, self._rate())
        shared = np.random.default_rng((s.seed, self.done, 0, 1))  # zeros at the end change nothing: not `numbers`
        made = shared.random() < s.made
        wanted, known = self._made(numbers) if made else (self._photos(numbers), None)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.world.device.type, torch.bfloat16, enabled=s.bf16):
            feat, ws, details = self.net(as_input(wanted))
            drawn = shown(self.upper(feat, ws, details if s.details else (), noise="none").float())
            target = sized(wanted, drawn.shape[-1])
            loss, values = self._compare(drawn, target)
        if known is not None:
            gap = _relative_l1(feat.float(), known[0]) + _relative_l1(ws.float(), known[1])
            loss = loss + s.latent * gap
            values["latent"] = float(gap.detach())
        with torch.no_grad():
            self.ws_mean.lerp_(self.world.mean_of(ws.detach().float().mean(0)), 0.01)
        loss.backward()  # type: ignore[no-untyped-call]
        self.world.average(self.net.parameters())
        self.optimizer.step()
        self.done += 1
        follow(self.ema, self.net, min(s.ema, self.done / (self.done + 10)))
        return {("made_" if made else "photo_") + k: self.world.mean(v) for k, v in values.items()}

    def _rate(self) -> float:
        """Level, then down to a twentieth over the last third."""
        left = (self.settings.steps - self.done) / self.settings.steps
        return self.settings.lr * min(1.0, 0.05 + 0.95 * left * 3)

    def _photos(self, numbers: np.random.Generator) -> Tensor:
        return over_grey(self.pictures.batch(self.settings.batch, numbers).to(self.world.device))

    @torch.no_grad()
    def _made(self, numbers: np.random.Generator) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Pictures of the generator's own -> as `over_grey` gives them, with their features and upper ws."""
        config = self.generator.config
        z = torch.from_numpy(numbers.standard_normal((self.settings.batch, config.z_dim), np.float32))
        ws = self.generator.style_vectors(z.to(self.world.device))
        feat = self.generator.synthesis.features(ws, at=START, noise="none")
        upper = ws[:, -self.upper.config.num_ws :]
        return shown(self.upper(feat, upper, noise="none")), (feat, upper)

    def _compare(self, drawn: Tensor, target: Tensor) -> tuple[Tensor, dict[str, float]]:
        s = self.settings
        l1 = (drawn - target).abs().mean()
        one = torch.ones_like(drawn[:, :1])
        loss = l1 + s.gradient * gradient_l1(drawn, target, one)
        values = {"l1": l1.item()}
        if self.critic and s.feature:
            channels = self.critic.config.channels
            ours, theirs = (self.critic.features(p[:, :channels]) for p in (drawn, target))
            gap = torch.stack([_relative_l1(a.float(), b.float()) for a, b in zip(ours, theirs, strict=True)]).mean()
            loss, values["feature"] = loss + s.feature * gap, gap.item()
        return loss, values | {"loss": loss.item()}

    @torch.no_grad()
    def draw(self, pictures: Tensor, upper: Synthesis | None = None) -> Tensor:
        """[N, 4, S, S] as `over_grey` gives it -> drawn again, by another generator's upper part if given."""
        feat, ws, details = self.ema(as_input(pictures))
        return shown((upper or self.upper)(feat, ws, details if self.settings.details else (), noise="none"))

    @torch.no_grad()
    def samples(self, path: Path, n: int = 8) -> None:
        """Photos, and what the frozen generator makes of their features."""
        rng = np.random.default_rng(12345)
        photos = over_grey(self.pictures.batch(n, rng).to(self.world.device))
        drawn = self.draw(photos)
        picture_grid([(p[:, :3] + 1) / 2 for p in (sized(photos, drawn.shape[-1]), drawn)], path)


def _relative_l1(a: Tensor, b: Tensor) -> Tensor:
    """Mean difference over the second's own spread: layers of any scale weigh alike."""
    return (a - b).abs().mean() / b.abs().mean().clamp(min=1e-4)
