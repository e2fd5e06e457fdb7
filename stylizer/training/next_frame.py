"""Trains a network that dreams the next frame: pix2pix as published (arXiv:1611.07004), frames N -> N + 1.

L1 with weight 100 and a conditional PatchGAN, dropout in decoders 8 to 6, Adam 2e-4 with beta1 0.5. Ours: training on
the network's own dreams (`rollouts.py`); a condition hidden from the discriminator half of the time, so that a dream
that left its film is judged by its looks alone; a running mean of the weights, which is what is exported.
"""

import copy
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kernels.pict import Weights
from kernels.weights import filters_of, random_weights
from stylizer.convert.pix2pix import Unet256, weights_of
from stylizer.errors import BadInput, ModelRejected
from stylizer.frame import PixelsU8, u8_from_unit
from stylizer.training.patch_discriminator import PatchDiscriminator
from stylizer.training.rollouts import Batch, Rollouts, grain
from stylizer.training.run import is_finite, load_state, set_rate

L1_WEIGHT = 100.0
DROPOUT_LAYERS = (8, 9, 10)  # decoders 8, 7, 6
BETAS = (0.5, 0.999)
MEAN_KEEPS = 0.998  # of the running mean per step


@dataclass(frozen=True, slots=True)
class Plan:
    filters: int = 16
    batch: int = 4
    places: int = 48  # dreams held, a batch at least
    depth: int = 20  # steps of a dream before it starts anew
    learning_rate: float = 2e-4
    seed: int = 1


class NextFrameTrainer:
    """films: uint8 [T, 3, H, W] each; see Rollouts. All randomness comes from the plan's seed and, after a stop, the
    step at which it goes on.

    device: where the networks learn; the films and the dreams lie on the CPU.
    """

    def __init__(self, films: list[Tensor], plan: Plan, device: torch.device | None = None) -> None:
        torch.manual_seed(plan.seed)
        self.plan, self.steps, self.device = plan, 0, device or torch.device("cpu")
        self._rng = torch.Generator().manual_seed(plan.seed)
        self.generator = Unet256.from_weights(random_weights(plan.filters, plan.seed)).to(self.device)
        self.generator.requires_grad_(True)
        for layer in DROPOUT_LAYERS:
            self.generator.layers[layer].register_forward_hook(_dropout)
        self.mean = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.discriminator = PatchDiscriminator(plan.filters).to(self.device)
        self._adam_g = torch.optim.Adam(self.generator.parameters(), plan.learning_rate, BETAS)
        self._adam_d = torch.optim.Adam(self.discriminator.parameters(), plan.learning_rate, BETAS)
        self._rollouts = Rollouts(films, places=max(plan.places, plan.batch), depth=plan.depth, rng=self._rng)

    def step(self) -> dict[str, float]:
        """One update of both networks -> their losses."""
        self.generator.train()
        batch = self._rollouts.batch(self.plan.batch).on(self.device)
        with self._half():
            made = self.generator(batch.given)
        made = made.float()
        shown = self._shown(batch)
        judged = self._update_discriminator(batch, made.detach(), shown)
        with self._half():
            fooled = F.softplus(-self.discriminator(batch.given * shown, made)).mean()
        l1 = ((made - batch.following).abs().mean((1, 2, 3)) * batch.trust).sum() / batch.trust.sum().clamp(min=1e-3)
        share = batch.trust.mean()
        loss = fooled.float() + L1_WEIGHT * share * l1
        self._adam_g.zero_grad(set_to_none=True)
        loss.backward()
        self._adam_g.step()
        self._rollouts.advance(batch.places, made)
        self._update_mean()
        self.steps += 1
        return {"l1": l1.item(), "fooled": fooled.item(), "judged": judged}

    def _half(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16)

    def _shown(self, batch: Batch) -> Tensor:
        """[N, 1, 1, 1]: 1 where the discriminator may see what came before."""
        coin = (torch.rand(len(batch.trust), generator=self._rng) < 0.5).to(self.device)
        return (coin & (batch.trust > 0)).float()[:, None, None, None]

    def _update_discriminator(self, batch: Batch, made: Tensor, shown: Tensor) -> float:
        with self._half():
            real = self.discriminator(batch.before * shown, batch.following)
            fake = self.discriminator(batch.given * shown, made)
            loss = (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2
        self._adam_d.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam_d.step()
        return float(loss.item())

    def _update_mean(self) -> None:
        keeps = min(MEAN_KEEPS, self.steps / (self.steps + 10))
        with torch.no_grad():
            for mean, now in zip(self.mean.parameters(), self.generator.parameters(), strict=True):
                mean.lerp_(now, 1 - keeps)

    def weights(self) -> Weights:
        """The running mean's tensors under their `.pict` names."""
        return weights_of(self.mean)

    def begin_from(self, weights: Weights, where: str = "the weights") -> None:
        """Starts at a trained model in place of noise; the discriminator begins anew. where: what the message calls it.

        Raises ModelRejected when it has another number of filters than the plan.
        """
        if (filters := filters_of(weights)) != self.plan.filters:
            raise ModelRejected(f"{where}: has {filters} filters, the plan says {self.plan.filters}")
        state = Unet256.from_weights(weights).state_dict()
        self.generator.load_state_dict(state)
        self.mean.load_state_dict(state)

    def save(self, path: Path) -> None:
        """All that `load` needs to go on as if nothing had happened, but for the pool of dreams, which starts anew.

        Raises BadInput when weights have become NaN or infinite: the file stays as it was.
        """
        state = {name: part.state_dict() for name, part in self._parts().items()}
        if not is_finite(state):
            raise BadInput(f"{path}: weights broke at step {self.steps}; lower --learning-rate")
        torch.save({"plan": asdict(self.plan), "steps": self.steps} | state, path)

    def load(self, path: Path) -> None:
        """The learning rate stays the plan's. Raises ModelRejected when the file is broken or of another plan."""
        state = load_state(path) or {}
        if (filters := state.get("plan", {}).get("filters")) != self.plan.filters:
            raise ModelRejected(f"{path}: was begun with {filters} filters, not {self.plan.filters}")
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        for adam in (self._adam_g, self._adam_d):
            set_rate(adam, self.plan.learning_rate)
        self.steps = state["steps"]
        torch.manual_seed(self.plan.seed + self.steps)
        self._rng.manual_seed(self.plan.seed + self.steps)
        self._rollouts.reset()

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer]:
        return {
            "generator": self.generator,
            "mean": self.mean,
            "discriminator": self.discriminator,
            "adam_g": self._adam_g,
            "adam_d": self._adam_d,
        }


def _dropout(layer: nn.Module, _inputs: object, output: Tensor) -> Tensor:
    return F.dropout(output, 0.5, training=layer.training)


def dream(network: Unet256, frames: int, seed: int) -> Iterator[PixelsU8]:
    """What the network makes of black and then of its own pictures, with faint noise: uint8 [256, 256, 3]."""
    rng, device = torch.Generator().manual_seed(seed), next(network.parameters()).device
    picture = torch.zeros(1, 3, 256, 256, device=device)
    for _ in range(frames):
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16):
            picture = network((picture + 0.05 * grain(1, rng).to(device)).clamp(0, 1)).float()
        yield u8_from_unit(picture)
