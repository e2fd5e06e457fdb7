"""Training of a Toonify style on drawn pairs.

Each step sees one batch. Most ask for the drawing: encoder and style generator learn together; the others ask for the
photo back: encoder and photo generator. The style generator starts as a copy of the photo generator, so that their
weights can be mixed. The picture's size grows: at 128 px a step costs a quarter. Later, two steps of three see only
parts of the pictures, at full size: lines and eyes are learnt there at a third of the cost.
"""

import copy
import json
import time
import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
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
from stylizer.convert.toonify import ToonifyConfig, ToonifyNet, network_input
from stylizer.errors import BadInput
from stylizer.frame import unit_from_signed
from stylizer.stylegan2.discriminator import Discriminator, DiscriminatorConfig
from stylizer.stylegan2.synthesis import Synthesis
from stylizer.training.data.store import PairStore
from stylizer.training.looks import recolour
from stylizer.training.run import RunLog, StopAsked, follow, load_state, picture_grid, save_atomically

FACE = 7  # label of the face
PART = 128  # px: side of the parts that `cut_parts` takes


@dataclass(frozen=True, slots=True)
class ToonifySettings:
    """One run. steps and batch of each stage; `photo_steps` come first and train photo reconstruction alone.

    A run that begins from another style's weights sets `photo_steps` to 0: its style generator keeps what it knows.
    With `style_only` everything else stays as it was, too: the photo generator and the encoder go on fitting together.
    """

    seed: int = 1
    pairs: int = 8000
    first_pair: int = 1_000_000  # seed of the first one
    photo_steps: int = 60
    steps_128: int = 14000
    batch_128: int = 2
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
    r1: float = 0.5
    r1_every: int = 16
    ema: float = 0.998
    checkpoint_s: float = 100.0
    samples_every: int = 1000

    @classmethod
    def read(cls, path: Path) -> "ToonifySettings":
        """Raises BadInput naming a key that is unknown or a value of the wrong kind."""
        values = tomllib.loads(path.read_text())
        for name, value in values.items():
            if name not in cls.__slots__:
                raise BadInput(f"{path}: {name} is no setting; there are {', '.join(cls.__slots__)}")
            if not isinstance(value, int | float):
                raise BadInput(f"{path}: {name} must be a number, true or false, got {value!r}")
        return cls(**values)

    def write(self, path: Path) -> None:
        path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in asdict(self).items()))

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
        return step >= self.steps_128 and self.batch_part > 0 and step % 3 != 2

    def rate(self, step: int) -> float:
        """Learning rate: warmed up over 50 steps, level, down to a twentieth over the last third."""
        left = (self.steps - step) / max(1, self.steps)
        return self.lr * min(1.0, (step + 1) / 50) * min(1.0, 0.05 + 0.95 * left * 3)


@dataclass(slots=True, eq=False)
class Batch:
    """photo [N, 3, 256, 256] straight, matte [N, 1, ...]; drawing premultiplied, its alpha; labels. Unit floats."""

    photo: Tensor
    matte: Tensor
    drawing: Tensor
    alpha: Tensor
    labels: Tensor
    backdrop: Tensor  # [N, 3, 1, 1]: a random colour that both sides are compared over

    def pictures(self) -> tuple[Tensor, ...]:
        return self.photo, self.matte, self.drawing, self.alpha, self.labels


def make_batch(store: PairStore, n: int, rng: np.random.Generator) -> Batch:
    """n random pairs, half of them mirrored."""
    rows = np.sort(rng.choice(len(store), n, replace=False))
    photo, drawing, labels = store.photo[rows], store.drawing[rows], store.labels[rows]
    for i in np.flatnonzero(rng.random(n) < 0.5):
        photo[i], drawing[i], labels[i] = photo[i, :, ::-1], drawing[i, :, ::-1], labels[i, :, ::-1]
    p, d = (torch.from_numpy(a).permute(0, 3, 1, 2).float() / 255 for a in (photo, drawing))
    backdrop = torch.from_numpy(rng.random((n, 3, 1, 1), np.float32))
    return Batch(p[:, :3], p[:, 3:], d[:, :3] * d[:, 3:], d[:, 3:], torch.from_numpy(labels)[:, None].float(), backdrop)


def cut_parts(batch: Batch, rng: np.random.Generator) -> Batch:
    """Of each picture PART x PART px around some point of the figure; every other time of its face, if it has one."""
    parts = []
    for i, (alpha, labels) in enumerate(zip(batch.alpha, batch.labels, strict=True)):
        inside = np.argwhere(alpha[0].numpy() > 0.5)
        if rng.random() < 0.5 and len(face := np.argwhere(labels[0].numpy() == FACE)):
            inside = face
        centre = inside[rng.integers(len(inside))] if len(inside) else np.array(alpha.shape[1:]) // 2
        y, x = (centre - rng.integers(PART // 4, PART * 3 // 4, 2)).clip(0, alpha.shape[-1] - PART)
        parts.append([t[i, :, y : y + PART, x : x + PART] for t in batch.pictures()])
    photo, matte, drawing, alpha, labels = (torch.stack(t) for t in zip(*parts, strict=True))
    return Batch(photo, matte, drawing, alpha, labels, batch.backdrop)


def _shrink(x: Tensor, size: int) -> Tensor:
    """A part of a picture, smaller than `size`, stays as it is."""
    return x if x.shape[-1] <= size else F.interpolate(x, size=(size, size), mode="area")


class Critic:
    """The discriminator and its optimiser. It sees a part of each picture at full size: it is there for the lines."""

    def __init__(self, settings: ToonifySettings) -> None:
        self.settings = settings
        self.net = Discriminator(DiscriminatorConfig()).to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=settings.lr / 2, betas=(0.0, 0.99), fused=True)

    def state(self) -> dict[str, Any]:
        return {"net": self.net.state_dict(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])

    def judge(
        self, made: Tensor, wanted: Tensor, rng: np.random.Generator, step: int
    ) -> tuple[Tensor, dict[str, float]]:
        """Learns from made [N, 3, 256, 256] unit and wanted drawings; returns the generator's loss."""
        side = self.net.config.size
        top, left = (int(rng.integers(0, made.shape[-1] - side + 1)) for _ in range(2))
        fake, real = (p[..., top : top + side, left : left + side] * 2 - 1 for p in (made, wanted))
        self.net.requires_grad_(True)
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            loss = discriminator_logistic(self.net(real).float(), self.net(fake.detach()).float())
        loss.backward()  # type: ignore[no-untyped-call]
        if step % self.settings.r1_every == 0:
            leaf = real.detach().requires_grad_()
            penalty = r1_penalty(self.net(leaf), leaf) * (self.settings.r1 / 2 * self.settings.r1_every)
            penalty.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.net.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16):
            said = generator_logistic(self.net(fake).float())
        return said, {"critic": loss.item(), "said": said.item()}


class Trainer:
    """Networks, optimiser and step of one run; `step` does one, `state` and `restore` carry it over a stop."""

    def __init__(self, settings: ToonifySettings, store: PairStore, config: ToonifyConfig | None = None) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.store, self.done = settings, store, 0
        self.net = ToonifyNet(config or ToonifyConfig()).to(memory_format=torch.channels_last)
        self.ema = copy.deepcopy(self.net).requires_grad_(False)
        if settings.style_only:
            self.net.encoder.requires_grad_(False)
            self.net.photo.requires_grad_(False)
        trained = [p for p in self.net.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=settings.lr, betas=(0.9, 0.99), fused=True)
        self.critic = Critic(settings) if settings.adversarial else None

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
        """One step, wholly decided by the seed and the step's number."""
        s = self.settings
        size, n = s.stage(self.done)
        rng = np.random.default_rng((s.seed, self.done))
        if s.photo_steps and self.done == s.photo_steps:
            self._start_style()
        batch = make_batch(self.store, n, rng)
        if s.in_parts(self.done):
            batch = cut_parts(batch, rng)
        for group in self.optimizer.param_groups:
            group["lr"] = s.rate(self.done)
        self.optimizer.zero_grad(set_to_none=True)
        photo = not s.style_only and (self.done < s.photo_steps or rng.random() < s.photo_share)
        loss, values = self._photo_loss(batch, size) if photo else self._style_loss(batch, size, rng)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.done += 1
        follow(self.ema, self.net, min(s.ema, self.done / (self.done + 10)))
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
                self.net.w_avg.lerp_(ws.detach().float().mean(0), 0.01)
        return feat, ws, details

    def _photo_loss(self, batch: Batch, size: int) -> tuple[Tensor, dict[str, float]]:
        with torch.autocast("cpu", torch.bfloat16):
            feat, ws, details = self._encode(batch)
            rgb, alpha = self._draw(self.net.photo, feat, ws, details, size)
        wanted_alpha = _shrink(batch.alpha, size)
        wanted = over(_shrink(batch.photo, size), wanted_alpha, batch.backdrop)
        loss = self._compare(rgb, alpha, wanted, wanted_alpha, batch, size)
        return loss, {"photo": loss.item()}

    def _style_loss(self, batch: Batch, size: int, rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        n = len(batch.photo)
        z = torch.from_numpy(rng.standard_normal((n, self.net.config.z_dim), np.float32))
        share = rng.uniform(0.3, 1.3, n).clip(0, 1) * (rng.random(n) < self.settings.look_share)
        amount = torch.from_numpy(share.astype(np.float32))
        with torch.autocast("cpu", torch.bfloat16):
            feat, ws, details = self._encode(batch)
            look = self.net.mapping(z)[:, None]
            ws = torch.lerp(ws.float(), look.float().expand_as(ws), amount[:, None, None])
            rgb, alpha = self._draw(self.net.style, feat, ws, details, size)
        mixed, some = batch.drawing.clone(), torch.from_numpy(np.flatnonzero(share))
        if len(some):
            other = recolour(batch.drawing[some], batch.labels[some], z[some])
            mixed[some] = torch.lerp(batch.drawing[some], other, amount[some, None, None, None])
        wanted_alpha = _shrink(batch.alpha, size)
        wanted = _shrink(mixed, size) + batch.backdrop * (1 - wanted_alpha)
        loss = self._compare(rgb, alpha, wanted, wanted_alpha, batch, size)
        values = {"style": loss.item(), "iou": silhouette_iou(alpha, wanted_alpha).mean().item()}
        if self.critic and size == 256 and self.done >= self.settings.adversarial_from:
            said, more = self.critic.judge(over(rgb, alpha, batch.backdrop), wanted, rng, self.done)
            loss, values = loss + self.settings.adversarial * said, {**values, **more}
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
    def samples(self, path: Path, n: int = 8) -> None:
        """Input, drawing wanted, drawing made, photo made; by the averaged weights."""
        size = 256
        batch = make_batch(self.store, n, np.random.default_rng(12345))
        grey = torch.full((n, 3, 1, 1), 0.9)
        rows = [over(batch.photo, batch.matte, grey), batch.drawing + grey * (1 - batch.alpha)]
        feat, ws, details = self.ema.encoder(network_input(batch.photo, batch.matte))
        for synthesis in (self.ema.style, self.ema.photo):
            rgb, alpha = self._draw(synthesis, feat, ws, details, size)
            rows.append(over(rgb.clamp(0, 1), alpha.clamp(0, 1), grey))
        picture_grid([_shrink(row, size) for row in rows], path)


def train(
    folder: Path,
    data: Path,
    settings: ToonifySettings,
    say: Callable[[str], None],
    *,
    config: ToonifyConfig | None = None,
    begin_from: Path | None = None,
) -> Trainer:
    """Runs, or goes on with, the training in `folder` until its last step.

    begin_from: a style's weights file that a new run takes its first weights from.

    SIGINT and SIGTERM end it after the step; a harder kill loses at most `checkpoint_s` seconds. `say` gets a line with
    the time left about every 20 seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings.write(folder / "settings.toml")
    trainer = Trainer(settings, PairStore.open(data), config)
    state = load_state(folder / "checkpoint.pt")
    if state is not None:
        trainer.restore(state)
    elif begin_from is not None:
        fresh = trainer.begin_from(load_file(begin_from))
        say(f"begins from {begin_from}; new are: {', '.join(fresh) or 'none'}")
    log = RunLog(folder, from_step=trainer.done)
    pace = _Pace(settings, trainer.done)
    saved = time.monotonic()
    with StopAsked() as stop:
        while trainer.done < settings.steps and not stop.now:
            log.add(trainer.done + 1, trainer.step())
            pace.tell(trainer.done, log, say)
            if trainer.done % settings.samples_every == 0:
                trainer.samples(folder / f"samples_{trainer.done:06d}.png")
                log.picture()
            if time.monotonic() - saved > settings.checkpoint_s:
                save_atomically(trainer.state(), folder / "checkpoint.pt")
                saved = time.monotonic()
    save_atomically(trainer.state(), folder / "checkpoint.pt")
    log.picture()
    log.close()
    return trainer


class _Pace:
    """Says every 20 seconds how far the run is. A step at 256 px is counted as 2.5 of those at 128 px."""

    def __init__(self, settings: ToonifySettings, step: int) -> None:
        self._settings, self._begun, self._told = settings, (time.monotonic(), self._work(settings, step)), 0.0

    @staticmethod
    def _work(settings: ToonifySettings, step: int) -> float:
        return min(step, settings.steps_128) + 2.5 * max(0, step - settings.steps_128)

    def tell(self, step: int, log: RunLog, say: Callable[[str], None]) -> None:
        now = time.monotonic()
        if now - self._told < 20:
            return
        self._told = now
        done = self._work(self._settings, step)
        per_unit = (now - self._begun[0]) / max(1e-9, done - self._begun[1])
        left = (self._work(self._settings, self._settings.steps) - done) * per_unit
        recent = {k: [row[k] for row in log.rows[-40:] if k in row] for k in ("photo", "style", "iou")}
        numbers = "  ".join(f"{k} {np.mean(v):.4f}" for k, v in recent.items() if v)
        say(f"step {step}/{self._settings.steps}  {numbers}  {left / 60:.0f} min left")
