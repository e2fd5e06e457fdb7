"""Training of a whole StyleGAN2 generator, from nothing or from another one (fine-tuning).

Non-saturating logistic loss, lazy R1 and lazy path length, style mixing, an averaged generator, adaptive augmentation
(arXiv:1912.04958, 2006.06676); small pictures first, if asked for (progressive growing, 1710.10196).
"""

import copy
import json
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from encoders.losses import discriminator_logistic, generator_logistic, path_lengths, r1_penalty
from stylizer.errors import BadInput
from stylizer.stylegan2.augment import TARGET, Controller, augment
from stylizer.stylegan2.blend import block_size
from stylizer.stylegan2.discriminator import Discriminator, DiscriminatorConfig
from stylizer.stylegan2.generator import Generator, GeneratorConfig
from stylizer.stylegan2.layers import NoiseMode
from stylizer.stylegan2.mapping import mix
from stylizer.stylegan2.synthesis import SynthesisConfig
from stylizer.training.data.pictures import Pictures, over_grey, shown, sized
from stylizer.training.parallel import World
from stylizer.training.run import follow, picture_grid, set_rate
from stylizer.training.settings import check_settings
from stylizer.training.watch import LOOK, SEEN, variety

SMALLEST = 16  # px: where the generator's first picture is
FADE = 500  # steps


@dataclass(frozen=True, slots=True)
class GanSettings:
    """One run. widths: channels of the generator's blocks from 4 px on; the last one has the picture's size.

    freeze: blocks up to this size in pixels, and the mapping, keep the weights that a fine-tuning starts from.
    noise: whether the layers' noise inputs play; a style plays without, and a fine-tuning may paint speckles by them.
    grow: the steps at which pictures double their size; before the first they are the smallest. Most of what a CPU can
    learn in a day is learnt at 64 px, where a step costs a fifth of one at 256.
    """

    seed: int = 1
    widths: tuple[int, ...] = (256, 256, 256, 128, 64, 32, 16)
    critic_widths: tuple[int, ...] = (16, 32, 64, 128, 256, 256, 256)  # from the picture's size down
    w_dim: int = 64
    z_dim: int = 16
    mapping_layers: int = 3
    steps: int = 50_000
    batch: int = 8  # of each process
    lr: float = 0.002
    r1: float = 1.0
    r1_every: int = 16
    path: float = 2.0
    path_every: int = 8
    mixing: float = 0.9  # share of pictures with two w
    ema_pictures: float = 10_000  # half-life of the averaged weights
    adaptive: bool = True
    adaptive_pictures: int = 100_000  # shown until p may go from 0 to 1
    freeze: int = 0
    noise: bool = True
    grow: tuple[int, ...] = ()
    bf16: bool = True
    samples_every: int = 1000
    checkpoint_s: float = 100.0

    def __post_init__(self) -> None:
        if not self.widths:
            raise ValueError("widths must have one number for each size of block, got none")
        if len(self.critic_widths) != len(self.widths):
            raise ValueError(f"critic_widths must have as many numbers as widths, {len(self.widths)}")
        counts = ("steps", "batch", "r1_every", "path_every", "ema_pictures", "adaptive_pictures", "samples_every")
        check_settings(self, *counts)
        if list(self.grow) != sorted(set(self.grow)) or self.grow and self.size_at(0) < SMALLEST:
            most = max(0, (self.size // SMALLEST).bit_length() - 1)
            raise ValueError(f"grow must be steps that rise, {most} of them at most, got {list(self.grow)}")
        self.critic(self.generator.synthesis.channels)

    @property
    def size(self) -> int:
        return 4 << (len(self.widths) - 1)

    @property
    def generator(self) -> GeneratorConfig:
        """Pictures with alpha. The first ToRGB is at 16 px, so that a start from features there loses nothing."""
        synthesis = SynthesisConfig(widths=self.widths, first=4, rgb_from=min(16, self.size), w_dim=self.w_dim)
        return GeneratorConfig(synthesis, self.z_dim, self.mapping_layers)

    def critic(self, channels: int) -> DiscriminatorConfig:
        return DiscriminatorConfig(self.size, self.critic_widths, channels, entrances=len(self.grow))

    def size_at(self, step: int) -> int:
        """Side of the pictures in this step, in pixels."""
        return self.size >> sum(step < at for at in self.grow)

    def r1_at(self, step: int) -> float:
        """As strong at any size: at half the side slopes are four times as steep, at a quarter as many pixels."""
        return self.r1 * (self.size_at(step) / self.size) ** 2

    def fade_at(self, step: int) -> float:
        """0..1: a size that is new to the discriminator comes in over `FADE` steps."""
        return min([1.0, *((step - at + 1) / FADE for at in self.grow if at <= step)])


class GanTrainer:
    """Both networks, their optimisers, the averaged generator and the augmentation's controller."""

    def __init__(
        self,
        settings: GanSettings,
        pictures: Pictures,
        world: World | None = None,
        *,
        start: Generator | None = None,
        critic: Discriminator | None = None,
    ) -> None:
        """start: the generator to go on from; critic: the discriminator that it was trained against."""
        if len(pictures) < 2:
            raise BadInput(f"a training needs at least 2 pictures, got {len(pictures)}")
        torch.manual_seed(settings.seed)
        self.settings, self.pictures, self.world, self.done = settings, pictures, world or World(), 0
        self.net = copy.deepcopy(start) if start else Generator(settings.generator)
        self.net.train().requires_grad_(True)
        if start and settings.freeze:
            freeze(self.net, settings.freeze)
        if not start:
            _silence(self.net, above=settings.size_at(0))
        synthesis = self.net.config.synthesis
        if self.net.config.size != settings.size:
            raise BadInput(
                f"widths: they give {settings.size} px, the generator to start from has {self.net.config.size}"
            )
        self.critic = copy.deepcopy(critic) if critic else Discriminator(settings.critic(synthesis.channels))
        self.critic.train().requires_grad_(True)
        known, wanted = self.critic.config.entrances, len(settings.grow)
        if known < wanted:
            raise BadInput(f"grow: {wanted} times, the discriminator to go on from knows {known} smaller sizes")
        for net in (self.net, self.critic):
            net.to(self.world.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = copy.deepcopy(self.net).eval().requires_grad_(False)
        trained = [p for p in self.net.parameters() if p.requires_grad]
        self.optimizer = _adam(trained, settings.lr, settings.path_every if settings.path else 0)
        self.critic_optimizer = _adam(list(self.critic.parameters()), settings.lr, settings.r1_every)
        self.controller = Controller(target=TARGET, pictures=settings.adaptive_pictures)
        self.path_mean = 0.0

    def state(self) -> dict[str, Any]:
        parts = ("net", "ema", "critic", "optimizer", "critic_optimizer")
        networks = {name: getattr(self, name).state_dict() for name in parts}
        about = {
            "config": json.dumps(self.net.config.to_dict()),
            "critic_config": json.dumps(asdict(self.critic.config)),
        }
        rest = {"step": self.done, "controller": self.controller.state(), "path_mean": self.path_mean}
        return {**networks, **about, **rest}

    def restore(self, state: dict[str, Any]) -> None:
        for name in ("net", "ema", "critic", "optimizer", "critic_optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.done, self.path_mean = int(state["step"]), float(state["path_mean"])
        self.controller = Controller.restored({**state["controller"], "pictures": self.settings.adaptive_pictures})
        every = self.settings.path_every if self.settings.path else 0
        set_rate(self.optimizer, self.settings.lr * _share(every))  # today's, not the one that was saved
        set_rate(self.critic_optimizer, self.settings.lr * _share(self.settings.r1_every))

    @property
    def size(self) -> int:
        """Side of the pictures just now, in pixels."""
        return self.settings.size_at(self.done)

    def step(self) -> dict[str, float]:
        """One step of each network, wholly decided by the seed, the step's number and the process's rank."""
        s = self.settings
        numbers = np.random.default_rng((s.seed, self.done, self.world.rank))
        torch.manual_seed(int(numbers.integers(2**62)))
        batch = self.pictures.batch(s.batch, numbers).to(self.world.device)
        real = sized(over_grey(batch)[:, : self.net.config.synthesis.channels], self.size)
        values = self._teach_critic(real) | self._teach_generator()
        self.done += 1
        seen = self.done * s.batch * self.world.size
        follow(self.ema, self.net, 0.5 ** (s.batch * self.world.size / min(s.ema_pictures, 0.05 * seen + 1)))
        if self.done % LOOK == 0:
            values["variety"] = self.world.mean(self._variety(numbers))
        return values

    def generate(self, n: int) -> tuple[Tensor, Tensor]:
        """n pictures of new z, some with the w of two mixed -> pictures as the discriminator sees them, their ws."""
        config = self.net.config
        z = torch.randn(2, n, config.z_dim, device=self.world.device)
        coarse, fine = self.net.style_vectors(z[0]), self.net.style_vectors(z[1])
        self.net.mapping.track_mean(self.world.mean_of(coarse[:, 0].detach().float().mean(0, keepdim=True)))
        layers = config.synthesis.num_ws
        ws = coarse
        if torch.rand(()).item() < self.settings.mixing:
            ws = mix(coarse, fine, int(torch.randint(1, layers, ())))
        ws = ws if ws.requires_grad else ws.requires_grad_()  # a frozen mapping; the path length is taken along ws
        noise: NoiseMode = "random" if self.settings.noise else "none"
        return shown(self.net.synthesis(None, ws, noise=noise, stop=self.size).float()), ws

    def _half(self) -> AbstractContextManager[None]:
        return torch.autocast(self.world.device.type, torch.bfloat16, enabled=self.settings.bf16)

    def _changed(self, pictures: Tensor) -> Tensor:
        return augment(pictures, self.controller.p) if self.settings.adaptive else pictures

    def _judge(self, pictures: Tensor) -> Tensor:
        logits: Tensor = self.critic(pictures, self.settings.fade_at(self.done))
        return logits

    def _teach_critic(self, real: Tensor) -> dict[str, float]:
        s = self.settings
        self.critic.requires_grad_(True)
        self.critic_optimizer.zero_grad(set_to_none=True)
        with self._half():
            with torch.no_grad():
                fake, _ = self.generate(s.batch)
            real = self._changed(real).detach()
            logits = self._judge(real).float()
            loss = discriminator_logistic(logits, self._judge(self._changed(fake)).float())
        loss.backward()  # type: ignore[no-untyped-call]
        if self.done % s.r1_every == 0:  # at the pictures as the discriminator sees them, augmented
            leaf = real.float().requires_grad_()
            penalty = r1_penalty(self._judge(leaf), leaf) * (s.r1_at(self.done) / 2 * s.r1_every)
            penalty.backward()  # type: ignore[no-untyped-call]
        self.world.average(self.critic.parameters())
        self.critic_optimizer.step()
        sign = self.world.mean(float(logits.detach().sign().mean()))
        if s.adaptive:
            self.controller.update(sign, s.batch * self.world.size)
        return {"critic": self.world.mean(loss.item()), "sign": sign, "p": self.controller.p}

    def _teach_generator(self) -> dict[str, float]:
        s = self.settings
        self.critic.requires_grad_(False)
        self.optimizer.zero_grad(set_to_none=True)
        with self._half():
            fake, _ = self.generate(s.batch)
            loss = generator_logistic(self._judge(self._changed(fake)).float())
        loss.backward()  # type: ignore[no-untyped-call]
        values = {"generator": self.world.mean(loss.item())}
        if s.path and self.done % s.path_every == 0:
            values["path"] = self._regularise_path()
        self.world.average(self.net.parameters())
        self.optimizer.step()
        return values

    def _regularise_path(self) -> float:
        """Adds the gradient of the lazy path length penalty, on half a batch (1912.04958, appendix B)."""
        s = self.settings
        picture, ws = self.generate(max(1, s.batch // 2))
        lengths = path_lengths(picture, ws, torch.randn_like(picture))
        mean = self.world.mean(float(lengths.detach().mean()))
        self.path_mean += 0.01 * (mean - self.path_mean)
        penalty = (lengths - self.path_mean).square().mean() * (s.path * s.path_every)
        penalty.backward()  # type: ignore[no-untyped-call]
        return mean

    @torch.no_grad()
    def _variety(self, numbers: np.random.Generator) -> float:
        """How much samples differ, over how much real pictures do."""
        config = self.net.config
        z = torch.from_numpy(numbers.standard_normal((SEEN, config.z_dim), np.float32)).to(self.world.device)
        made = self._shown(z)
        real = sized(over_grey(self.pictures.batch(SEEN, numbers))[:, : made.shape[1]], made.shape[-1])
        return variety(made) / max(1e-6, variety(real))

    @torch.no_grad()
    def samples(self, path: Path, *, rows: int = 4, columns: int = 8) -> None:
        """Pictures of the averaged generator, always from the same z."""
        z = np.random.default_rng(0).standard_normal((rows * columns, self.net.config.z_dim), np.float32)
        made = (self._shown(torch.from_numpy(z).to(self.world.device))[:, :3] + 1) / 2
        picture_grid(list(torch.split(made, columns)), path)

    def _shown(self, z: Tensor) -> Tensor:
        """What the averaged generator draws, of the size that it has reached."""
        noise: NoiseMode = "const" if self.settings.noise else "none"
        return shown(self.ema.synthesis(None, self.ema.style_vectors(z), noise=noise, stop=self.size))


def freeze(net: Generator, size: int) -> None:
    """Keeps the mapping, the constant and every convolution up to `size` px as they are; each ToRGB may learn."""
    for name, parameter in net.named_parameters():
        if block_size(name) <= size and "to_rgb" not in name:
            parameter.requires_grad_(False)


def _silence(net: Generator, *, above: int) -> None:
    """Blocks of more than so many pixels begin by adding nothing to the picture."""
    for name, parameter in net.named_parameters():
        if "to_rgb" in name and block_size(name) > above and "affine" not in name:
            nn.init.zeros_(parameter)


def _adam(parameters: list[nn.Parameter], lr: float, every: int) -> torch.optim.Adam:
    """With a lazy penalty each `every` steps, rate and memory are as if it were a step of its own (appendix B)."""
    share = _share(every)
    return torch.optim.Adam(parameters, lr=lr * share, betas=(0.0, 0.99**share), fused=True)


def _share(every: int) -> float:
    return every / (every + 1) if every else 1.0
