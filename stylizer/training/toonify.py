"""Training of a Toonify style on drawn pairs.

Each step sees one batch. Most ask for the drawing: encoder and style generator learn together; the others ask for the
photo back: encoder and photo generator. The style generator starts as a copy of the photo generator, so that their
weights can be mixed. The picture's size grows: at 128 px a step costs a quarter. Later, two steps of three see only
parts of the pictures, at full size: lines and eyes are learnt there at a third of the cost.
"""

import copy
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from encoders.losses import (
    discriminator_logistic,
    edge_weight,
    generator_logistic,
    gradient_l1,
    over,
    r1_penalty,
    silhouette_iou,
    weighted_l1,
)
from stylizer.convert.toonify import HEAD, SIZE, ToonifyConfig, ToonifyNet, network_input
from stylizer.errors import BadInput, ModelRejected
from stylizer.frame import unit_from_signed
from stylizer.stylegan2.discriminator import Discriminator, DiscriminatorConfig
from stylizer.stylegan2.synthesis import Synthesis
from stylizer.training.batch import FACE, PART, Batch, cut_parts, heads_of, make_batch
from stylizer.training.data.store import PairStore, plan_of
from stylizer.training.looks import recolour
from stylizer.training.loop import Say, run
from stylizer.training.parallel import World
from stylizer.training.run import follow, picture_grid, set_rate
from stylizer.training.settings import check_settings
from stylizer.training.watch import LOOK, SEEN, variety

DATA = "data.json"  # in a run's folder: what its data sets say of themselves


@dataclass(frozen=True, slots=True)
class ToonifySettings:
    """One run. steps and batch of each stage; `photo_steps` come first and train photo reconstruction alone.

    A run that begins from another style's weights sets `photo_steps` to 0: its style generator keeps what it knows.
    With `style_only` everything else stays as it was, too: the photo generator and the encoder go on fitting together.
    With `heads` the pairs are heads and the network is the closeup's own: `batch_part` of them in each step, whole at
    128 px; from pairs of 256 px it learns near heads as well.
    """

    seed: int = 1
    heads: bool = False
    pairs: int = 8000
    first_pair: int = 1_000_000  # seed of the first one
    photo_steps: int = 60
    steps_128: int = 14000
    batch_128: int = 2  # of each process, as the other two
    steps_256: int = 6000
    batch_256: int = 2
    early_256: int = 3  # every so many-th step of the first stage is drawn at 256 px already
    batch_part: int = 4  # parts of PART px that two of three steps of the second stage see; 0 always shows the whole
    lr: float = 0.004
    photo_share: float = 0.15  # of the steps after `photo_steps`
    style_only: bool = False  # trains the style generator and the mapping of looks
    look_share: float = 0.15  # of the drawn pictures
    edge_gain: float = 3.0
    face_gain: float = 3.0
    gradient: float = 1.0
    adversarial: float = 0.02  # weight of the discriminator's say at 256 px; 0 trains without one
    adversarial_from: int = 14000  # step at which it joins: before, there are no lines to judge
    feature_gain: float = 0.0  # weight of likeness in what the discriminator's blocks find (1711.11585)
    r1: float = 0.5
    r1_every: int = 16
    ema: float = 0.998
    bf16: bool = True
    checkpoint_s: float = 100.0
    samples_every: int = 1000

    def __post_init__(self) -> None:
        counts = ("pairs", "batch_128", "batch_256", "early_256", "r1_every", "samples_every")
        check_settings(self, *counts, *(("batch_part",) if self.heads else ()))

    @property
    def steps(self) -> int:
        return self.steps_128 + self.steps_256

    def stage(self, step: int) -> tuple[int, int]:
        """(side in pixels, batch) of a step."""
        if self.in_parts(step):
            return 256, self.batch_part
        small = step < self.steps_128 and step % self.early_256 != self.early_256 - 1
        return (128, self.batch_128) if small else (256, self.batch_256)

    def in_parts(self, step: int) -> bool:
        return self.heads or step >= self.steps_128 and self.batch_part > 0 and step % 3 != 2

    @property
    def sides(self) -> tuple[int, ...]:
        """px that pairs may have."""
        return (PART, SIZE) if self.heads else (SIZE,)

    def network(self) -> ToonifyConfig:
        return HEAD if self.heads else ToonifyConfig()

    def work(self, step: int) -> float:
        """How much is done after so many steps, for the time left: one of the second stage costs as much as 2.5."""
        return min(step, self.steps_128) + 2.5 * max(0, step - self.steps_128)

    def rate(self, step: int) -> float:
        """Learning rate: warmed up over 50 steps, level, down to a twentieth over the last third."""
        left = (self.steps - step) / max(1, self.steps)
        return self.lr * min(1.0, (step + 1) / 50) * min(1.0, 0.05 + 0.95 * left * 3)


def _shrink(x: Tensor, size: int) -> Tensor:
    """A part of a picture, smaller than `size`, stays as it is."""
    return x if x.shape[-1] <= size else F.interpolate(x, size=(size, size), mode="area")


def _half(settings: ToonifySettings, world: World) -> AbstractContextManager[None]:
    return torch.autocast(world.device.type, torch.bfloat16, enabled=settings.bf16)


class Critic:
    """The discriminator and its optimiser. It sees a part of each picture at full size: it is there for the lines."""

    def __init__(self, settings: ToonifySettings, world: World | None = None) -> None:
        self.settings, self.world = settings, world or World()
        self.net = Discriminator(DiscriminatorConfig())
        self.net.to(self.world.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=settings.lr / 2, betas=(0.0, 0.99), fused=True)

    def state(self) -> dict[str, Any]:
        return {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        set_rate(self.optimizer, self.settings.lr / 2)

    def judge(
        self, made: Tensor, wanted: Tensor, rng: np.random.Generator, step: int
    ) -> tuple[Tensor, dict[str, float]]:
        """Learns from made [N, 3, S, S] unit and the wanted drawings of them; returns the generator's weighted loss."""
        side = self.net.config.size
        top, left = (int(rng.integers(0, made.shape[-1] - side + 1)) for _ in range(2))
        fake, real = (p[..., top : top + side, left : left + side] * 2 - 1 for p in (made, wanted))
        self.net.requires_grad_(True)
        self.optimizer.zero_grad(set_to_none=True)
        with _half(self.settings, self.world):
            loss = discriminator_logistic(self.net(real).float(), self.net(fake.detach()).float())
        loss.backward()  # type: ignore[no-untyped-call]
        if step % self.settings.r1_every == 0:
            leaf = real.detach().requires_grad_()
            penalty = r1_penalty(self.net(leaf), leaf) * (self.settings.r1 / 2 * self.settings.r1_every)
            penalty.backward()  # type: ignore[no-untyped-call]
        self.world.average(self.net.parameters())
        self.optimizer.step()
        self.net.requires_grad_(False)
        with _half(self.settings, self.world):
            found = self.net.features(fake)
            said = generator_logistic(self.net.verdict(found[-1]).float())
        values = {"critic": loss.item(), "generator": said.item()}
        total = self.settings.adversarial * said
        if self.settings.feature_gain:
            with torch.no_grad(), _half(self.settings, self.world):
                true = self.net.features(real)
            unlike = torch.stack([F.l1_loss(a.float(), b.float()) for a, b in zip(found, true, strict=True)]).mean()
            total, values["unlike"] = total + self.settings.feature_gain * unlike, unlike.item()
        return total, values


class Trainer:
    """Networks, optimiser and step of one run; `step` does one, `state` and `restore` carry it over a stop."""

    def __init__(
        self,
        settings: ToonifySettings,
        store: PairStore,
        config: ToonifyConfig | None = None,
        world: World | None = None,
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.store, self.world, self.done = settings, store, world or World(), 0
        self.net = ToonifyNet(config or settings.network())
        self.net.to(self.world.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = copy.deepcopy(self.net).requires_grad_(False)
        if settings.style_only:
            self.net.encoder.requires_grad_(False)
            self.net.photo.requires_grad_(False)
        trained = [p for p in self.net.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=settings.lr, betas=(0.9, 0.99), fused=True)
        self.critic = Critic(settings, self.world) if settings.adversarial else None

    def state(self) -> dict[str, Any]:
        net, ema, optimizer = self.net.state_dict(), self.ema.state_dict(), self.optimizer.state_dict()
        critic = {"critic": self.critic.state()} if self.critic else {}
        return {"step": self.done, "net": net, "ema": ema, "optimizer": optimizer, **critic}

    def restore(self, state: dict[str, Any]) -> None:
        self.done = int(state["step"])
        self.net.load_state_dict(state["net"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.critic and "critic" in state:  # absent when the critic joins later
            self.critic.restore(state["critic"])

    def begin_from(self, weights: dict[str, Tensor]) -> list[str]:
        """Takes over those weights whose name and shape fit; returns the names that start anew."""
        own = self.net.state_dict()
        fitting = {k: v.float() for k, v in weights.items() if k in own and own[k].shape == v.shape}
        for net in (self.net, self.ema):
            net.load_state_dict({**own, **fitting})
        return sorted(own.keys() - fitting.keys())

    def step(self) -> dict[str, float]:
        """One step, wholly decided by the seed and the step's number.

        Every process draws the same random numbers for all of them and takes its own rows: several processes learn what
        one with as much larger a batch does.
        """
        s = self.settings
        size, n = s.stage(self.done)
        rng = np.random.default_rng((s.seed, self.done))
        if s.photo_steps and self.done == s.photo_steps:
            self._start_style()
        batch = make_batch(self.store, n * self.world.size, rng)
        if s.in_parts(self.done):
            batch = heads_of(batch, rng) if s.heads else cut_parts(batch, rng)
        z, share = self._invented(len(batch.photo), rng)
        set_rate(self.optimizer, s.rate(self.done))
        self.optimizer.zero_grad(set_to_none=True)
        photo = not s.style_only and (self.done < s.photo_steps or rng.random() < s.photo_share)
        batch = batch.of(self.world)
        loss, values = self._photo_loss(batch, size) if photo else self._style_loss(batch, size, z, share, rng)
        loss.backward()  # type: ignore[no-untyped-call]
        self.world.average(self.net.parameters())
        self.optimizer.step()
        self.done += 1
        follow(self.ema, self.net, min(s.ema, self.done / (self.done + 10)))
        values = {name: self.world.mean(value) for name, value in values.items()}
        if self.done % LOOK == 0:
            values["variety"] = self._variety(rng)
        return {**values, "lr": s.rate(self.done - 1)}

    def _start_style(self) -> None:
        """The style begins where the photo generator is."""
        self.net.style.load_state_dict(self.net.photo.state_dict())
        self.ema.style.load_state_dict(self.ema.photo.state_dict())

    def _draw(
        self, synthesis: Synthesis, feat: Tensor, ws: Tensor, details: tuple[Tensor, ...], size: int
    ) -> tuple[Tensor, Tensor]:
        picture = unit_from_signed(synthesis(feat, ws, details, stop=size, noise="none").float())
        return picture[:, :3], picture[:, 3:]

    def _encode(self, batch: Batch) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        x = network_input(batch.photo, batch.matte).contiguous(memory_format=torch.channels_last)
        feat, ws, details = self.net.encoder(x)
        if not self.settings.style_only:
            with torch.no_grad():
                self.net.w_avg.lerp_(self.world.mean_of(ws.detach().float().mean(0)), 0.01)
        return feat, ws, details

    def _photo_loss(self, batch: Batch, size: int) -> tuple[Tensor, dict[str, float]]:
        with _half(self.settings, self.world):
            feat, ws, details = self._encode(batch)
            rgb, alpha = self._draw(self.net.photo, feat, ws, details, size)
        wanted_alpha = _shrink(batch.alpha, size)
        wanted = over(_shrink(batch.photo, size), wanted_alpha, batch.backdrop)
        loss = self._compare(rgb, alpha, wanted, wanted_alpha, batch, size)
        return loss, {"photo": loss.item()}

    def _invented(self, n: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """z [n, z_dim] of looks, and how far each drawing takes its look [n], mostly 0."""
        z = rng.standard_normal((n, self.net.config.z_dim), np.float32)
        share = rng.uniform(0.3, 1.3, n).clip(0, 1) * (rng.random(n) < self.settings.look_share)
        return torch.from_numpy(z), torch.from_numpy(share.astype(np.float32))

    def _style_loss(
        self, batch: Batch, size: int, z: Tensor, share: Tensor, rng: np.random.Generator
    ) -> tuple[Tensor, dict[str, float]]:
        z, share = (self.world.own(t).to(self.world.device) for t in (z, share))
        amount = share[:, None, None]
        with _half(self.settings, self.world):
            feat, ws, details = self._encode(batch)
            look = self.net.mapping(z)[:, None]
            ws = torch.lerp(ws.float(), look.float().expand_as(ws), amount)
            rgb, alpha = self._draw(self.net.style, feat, ws, details, size)
        mixed, some = batch.drawing.clone(), share.nonzero()[:, 0]
        if len(some):
            other = recolour(batch.drawing[some], batch.labels[some], z[some])
            mixed[some] = torch.lerp(batch.drawing[some], other, amount[some, None])
        wanted_alpha = _shrink(batch.alpha, size)
        wanted = _shrink(mixed, size) + batch.backdrop * (1 - wanted_alpha)
        loss = self._compare(rgb, alpha, wanted, wanted_alpha, batch, size)
        values = {"style": loss.item(), "iou": silhouette_iou(alpha, wanted_alpha).mean().item()}
        if self.critic and size == 256 and self.done >= self.settings.adversarial_from:
            judged, more = self.critic.judge(over(rgb, alpha, batch.backdrop), wanted, rng, self.done)
            loss, values = loss + judged, {**values, **more}
        return loss, values

    def _compare(
        self, rgb: Tensor, alpha: Tensor, wanted: Tensor, wanted_alpha: Tensor, batch: Batch, size: int
    ) -> Tensor:
        s = self.settings
        shown = over(rgb, alpha, batch.backdrop)
        weight = edge_weight(wanted, gain=s.edge_gain) + s.face_gain * (_shrink((batch.labels == FACE).float(), size))
        loss = weighted_l1(shown, wanted, weight) + weighted_l1(alpha, wanted_alpha, weight)
        return loss + s.gradient * gradient_l1(shown, wanted, weight)

    @torch.no_grad()
    def _drawn(self, batch: Batch) -> list[Tensor]:
        """What the averaged style and photo generators draw, over light grey."""
        feat, ws, details = self.ema.encoder(network_input(batch.photo, batch.matte))
        drawn = (self._draw(synthesis, feat, ws, details, SIZE) for synthesis in (self.ema.style, self.ema.photo))
        return [over(rgb.clamp(0, 1), alpha.clamp(0, 1), _grey(batch)) for rgb, alpha in drawn]

    def _variety(self, rng: np.random.Generator) -> float:
        """How much the drawings of different people differ, over how much those wanted do."""
        batch = make_batch(self.store, min(SEEN, len(self.store)), rng).of(World(device=self.world.device))
        style, _ = self._drawn(batch)
        return variety(style) / max(1e-6, variety(batch.drawing + _grey(batch) * (1 - batch.alpha)))

    def samples(self, path: Path, n: int = 8) -> None:
        """Input, drawing wanted, drawing made, photo made; by the averaged weights."""
        batch = make_batch(self.store, min(n, len(self.store)), np.random.default_rng(12345)).of(
            World(device=self.world.device)
        )
        grey = _grey(batch)
        given = [over(batch.photo, batch.matte, grey), batch.drawing + grey * (1 - batch.alpha)]
        picture_grid([*given, *self._drawn(batch)], path)


def _grey(batch: Batch) -> Tensor:
    return torch.full_like(batch.backdrop, 0.9)


def _weights_of(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ModelRejected(f"{path}: not a safetensors file ({error})") from None


def plans_of(run: Path) -> list[dict[str, Any]]:
    """Of the data sets that a run has seen; none for a run from before they were noted."""
    about = run / DATA
    return json.loads(about.read_text(encoding="utf-8")) if about.is_file() else []


def train(
    folder: Path,
    data: Path | Sequence[Path],
    settings: ToonifySettings,
    say: Say,
    *,
    config: ToonifyConfig | None = None,
    begin_from: Path | None = None,
    world: World | None = None,
) -> Trainer:
    """Runs, or goes on with, the training in `folder` until its last step; see `loop.run`.

    data: one store of pairs, or several, learnt together. begin_from: a style's weights file that a new run takes its
    first weights from.
    """
    world = world or World()
    folders = [data] if isinstance(data, Path) else data
    store = PairStore.joined(folders)
    if store.photo.shape[1] not in settings.sides:
        names, what = ", ".join(map(str, folders)), "a closeup's network" if settings.heads else "a style"
        sides = " or ".join(map(str, settings.sides))
        raise BadInput(f"{names}: its pairs have {store.photo.shape[1]} px, {what} is trained on {sides}")
    begun = (folder / "checkpoint.pt").is_file()
    plans = plans_of(folder) if begun else []  # what a run has seen it does not forget when it goes on with other data
    plans += [plan for one in dict.fromkeys(folders) if (plan := plan_of(one / "store.json")) not in plans]
    trainer = Trainer(settings, store, config, world)
    if begin_from is not None and not begun:
        fresh = trainer.begin_from(_weights_of(begin_from))
        say(f"begins from {begin_from}; new are: {', '.join(fresh) or 'none'}")
    every, seconds = settings.samples_every, settings.checkpoint_s
    steps, work = settings.steps, settings.work
    run(
        folder, trainer, steps, say,
        samples_every=every, checkpoint_s=seconds, world=world, work=work, settings=settings,
        about={DATA: json.dumps(plans)},
    )  # fmt: skip
    return trainer
