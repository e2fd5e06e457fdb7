"""The style `anime` grown by one block to 512 px: does it collapse there? See docs/experiments.md, claim 5.

    stylizer train data characters build/512/pairs --pairs 800 --size 512
    python docs/make_512.py build/512 [--steps 1500]

Encoder and mapping stay as they are. The new block begins by adding nothing, so the first picture is the old one at
twice its size. A run that was stopped goes on; the loop warns as in every training.
"""

import argparse
import copy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import typer
from PIL import Image
from torch import Tensor

from encoders.losses import edge_weight, gradient_l1, over, weighted_l1
from stylizer.config import Settings
from stylizer.convert.toonify import SIZE, ToonifyConfig, ToonifyNet, load_style, network_input
from stylizer.frame import unit_from_signed
from stylizer.stylegan2.synthesis import Synthesis
from stylizer.training.data.characters import draw_pair
from stylizer.training.data.store import PairStore
from stylizer.training.export import UNSEEN
from stylizer.training.loop import run
from stylizer.training.measures import ms_ssim, sliced_wasserstein
from stylizer.training.run import follow, picture_grid
from stylizer.training.toonify import Critic, ToonifySettings
from stylizer.training.watch import variety
from stylizer.weights.registry import Registry

PICTURE = Path(__file__).resolve().parent / "experiments" / "512.webp"
LARGE = 2 * SIZE
PART = 128  # px of the encoder's picture, twice as many of the drawing
NEW_ALONE = 1 / 3  # of the steps: the new block learns before the others move
BATCH, LR, ADVERSARIAL, EMA = 2, 0.002, 0.08, 0.995
WIDTH = 8  # channels of the new block
LOOK = 50  # steps between two measures of variety
UNSEEN_PEOPLE = 16


def grown(net: ToonifyNet) -> ToonifyNet:
    """The network with one block more, whose picture is at first the old one at twice its size."""
    old = net.config.to_dict()
    old["synthesis"]["widths"] = (*net.config.synthesis.widths, WIDTH)
    old["encoder"]["num_ws"] += 2
    large = ToonifyNet(ToonifyConfig.from_dict(old))
    weights = net.state_dict()
    for name in ("encoder.to_ws.conv1.weight", "encoder.to_ws.conv1.bias", "w_avg"):  # the two new w are the last one
        rows = 1 if name == "w_avg" else net.config.synthesis.w_dim
        weights[name] = torch.cat((weights[name], weights[name][-rows:], weights[name][-rows:]))
    fresh = {k: v for k, v in large.state_dict().items() if k not in weights}
    for name, value in fresh.items():
        weights[name] = torch.zeros_like(value) if ".to_rgb.weight" in name or ".to_rgb.bias" in name else value
    large.load_state_dict(weights)
    return large


class Grown:
    """Trains the style generator of the grown network on parts of the pictures; see loop.Trainer."""

    def __init__(self, start: ToonifyNet, pairs: Path, steps: int) -> None:
        torch.manual_seed(0)
        self.net, self.store, self.steps, self.done = grown(start), PairStore.open(pairs), steps, 0
        self.net.requires_grad_(False)
        self.style: Synthesis = self.net.style
        self.ema = copy.deepcopy(self.style)
        self.critic = Critic(ToonifySettings(lr=LR, r1_every=16, r1=0.5, adversarial=ADVERSARIAL))
        self.optimizer = torch.optim.Adam(self.style.parameters(), lr=LR, betas=(0.0, 0.99), fused=True)

    def state(self) -> dict[str, Any]:
        networks = {name: getattr(self, name).state_dict() for name in ("style", "ema", "optimizer")}
        return {**networks, "critic": self.critic.state(), "step": self.done}

    def restore(self, state: dict[str, Any]) -> None:
        for name in ("style", "ema", "optimizer"):
            getattr(self, name).load_state_dict(state[name])
        self.critic.restore(state["critic"])
        self.done = int(state["step"])

    def step(self) -> dict[str, float]:
        numbers = np.random.default_rng((7, self.done))
        new_alone = self.done < NEW_ALONE * self.steps
        for name, parameter in self.style.named_parameters():
            parameter.requires_grad_(not new_alone or name.startswith(f"blocks.{LARGE}."))
        given, wanted, wanted_alpha = self._parts(numbers)
        backdrop = torch.from_numpy(numbers.random((BATCH, 3, 1, 1), np.float32))
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16):
            with torch.no_grad():
                feat, ws, details = self.net.encoder(given)
            drawn = unit_from_signed(self.style(feat, ws, details, noise="none").float())
        shown = over(drawn[:, :3], drawn[:, 3:], backdrop)
        target = wanted + backdrop * (1 - wanted_alpha)
        judged, values = self.critic.judge(shown, target, numbers, self.done)
        weight = edge_weight(target, gain=3.0)
        apart = weighted_l1(shown, target, weight) + weighted_l1(drawn[:, 3:], wanted_alpha, weight)
        apart = apart + gradient_l1(shown, target, weight)
        (apart + judged).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.done += 1
        follow(self.ema, self.style, EMA)
        values["style"] = apart.item()
        if self.done % LOOK == 0:
            values["variety"] = self._variety()
        return values

    def _parts(self, numbers: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """The encoder's input [N, 4, PART, PART]; the drawing, premultiplied, and its alpha, twice as large."""
        given, wanted = [], []
        for row in numbers.choice(len(self.store), BATCH, replace=False):
            photo, drawing = (_unit(a[row]) for a in (self.store.photo, self.store.drawing))
            y, x = numbers.integers(0, (SIZE - PART) // 16 + 1, 2) * 16
            given.append(network_input(*_camera(photo))[..., y : y + PART, x : x + PART])
            wanted.append(drawing[..., 2 * y : 2 * (y + PART), 2 * x : 2 * (x + PART)])
        drawing = torch.cat(wanted)
        return torch.cat(given), drawing[:, :3] * drawing[:, 3:], drawing[:, 3:]

    @torch.no_grad()
    def _variety(self) -> float:
        """How much the drawings of people differ, over how much the drawings wanted do."""
        photo, drawing = (_unit(a[:16]) for a in (self.store.photo, self.store.drawing))
        return variety(over(*self.draw(photo), _grey(photo))) / variety(_laid(drawing))

    @torch.no_grad()
    def draw(self, photo: Tensor) -> tuple[Tensor, Tensor]:
        """photo [N, 4, 512, 512] -> the averaged generator's drawing, straight, and its alpha."""
        made = [
            unit_from_signed(self.ema(*self.net.encoder(network_input(*_camera(one))), noise="none"))
            for one in torch.split(photo, 1)
        ]
        drawn = torch.cat(made).clamp(0, 1)
        return drawn[:, :3], drawn[:, 3:]

    @torch.no_grad()
    def samples(self, path: Path) -> None:
        """Four unseen persons: the camera, the drawing wanted, the drawing made."""
        photo, drawing = unseen(4)
        picture_grid([_laid(photo), _laid(drawing), over(*self.draw(photo), _grey(photo))], path)


def unseen(count: int) -> tuple[Tensor, Tensor]:
    """photo, drawing [N, 4, 512, 512] unit of persons that no run trains on."""
    pairs = [draw_pair(UNSEEN + i, LARGE) for i in range(count)]
    photo, drawing = (torch.cat([_unit(getattr(pair, side)) for pair in pairs]) for side in ("photo", "drawing"))
    return photo, drawing


def measured(trainer: Grown, start: ToonifyNet) -> dict[str, tuple[float, ...]]:
    """Of the old drawing at twice its size, and of the grown network's: MS-SSIM, L1, distance, variety."""
    photo, drawing = unseen(UNSEEN_PEOPLE)
    wanted = _laid(drawing)
    with torch.no_grad():
        synthesis = start.style
        small = torch.cat(
            [unit_from_signed(synthesis(*start.encode(*_camera(one)), noise="none")) for one in torch.split(photo, 1)]
        )
    doubled = F.interpolate(small.clamp(0, 1), size=(LARGE, LARGE), mode="bicubic").clamp(0, 1)
    rows = {
        "256 px, drawn at twice its size": over(doubled[:, :3], doubled[:, 3:], _grey(photo)),
        "512 px": over(*trainer.draw(photo), _grey(photo)),
    }
    return {
        name: (
            float(ms_ssim(shown, wanted).mean()),
            float((shown - wanted).abs().mean()),
            sliced_wasserstein(shown, wanted),
            variety(shown) / variety(wanted),
        )
        for name, shown in rows.items()
    }


def _unit(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    """[S, S, 4] or [N, S, S, 4] u8 -> [N, 4, S, S] unit."""
    tensor = torch.from_numpy(np.array(pixels)).float() / 255
    return (tensor[None] if tensor.ndim == 3 else tensor).permute(0, 3, 1, 2)


def _camera(photo: Tensor) -> tuple[Tensor, Tensor]:
    """The photo and its matte as the encoder sees them, at 256 px."""
    small = F.interpolate(photo, size=(SIZE, SIZE), mode="area")
    return small[:, :3], small[:, 3:]


def _grey(like: Tensor) -> Tensor:
    return torch.full((len(like), 3, 1, 1), 0.92)


def _laid(straight: Tensor) -> Tensor:
    return over(straight[:, :3], straight[:, 3:], _grey(straight))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    asked = parser.parse_args()
    start = load_style(Registry(Settings.load()).style("anime").weights)
    trainer = Grown(start, asked.folder / "pairs", asked.steps)
    out = asked.folder / "run"
    run(out, trainer, asked.steps, typer.echo, samples_every=250, checkpoint_s=60)
    with Image.open(out / f"samples_{trainer.done:06d}.png") as sheet:
        sheet.resize((sheet.width * 5 // 8, sheet.height * 5 // 8), Image.Resampling.LANCZOS).save(PICTURE, quality=80)
    for name, row in measured(trainer, start).items():
        sys.stdout.write(f"| {name} | " + " | ".join(f"{value:.3f}" for value in row) + " |\n")


if __name__ == "__main__":
    main()
