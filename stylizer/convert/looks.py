"""How far each visitor takes on another look, and whose: an invented one, or that of their reference's person."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from stylizer.convert import Controls, Look
from stylizer.convert.tones import toned_channels
from stylizer.convert.toonify import ToonifyNet, look_of

COARSEST_PX = 16  # of the layers that follow the encoder
KEPT = 100  # invented looks


class Looks:
    """Of one network. A reference stands before the seed, and seed 0 is nobody: the person's own look."""

    def __init__(self, net: ToonifyNet) -> None:
        self._net = net
        self._encoder = copy.deepcopy(net.encoder)  # an engine takes the net's own to the card, in halves
        self._invented: dict[int, Tensor] = {}
        config = net.config
        self._layer_px = torch.tensor(config.synthesis.sizes).repeat_interleave(2)  # as `mix` counts: two for each size
        channels = toned_channels(config.encoder)
        sizes = torch.tensor([COARSEST_PX << i for i in range(len(channels))])
        self._channel_px = sizes.repeat_interleave(torch.tensor(channels))

    def of_person(self, foreground: Tensor, alpha: Tensor) -> Look:
        """See convert.Converter.look_of."""
        with torch.inference_mode():
            return look_of(self._encoder, foreground, alpha)

    def share(self, controls: Controls, look: Look | None) -> float:
        """How much of all layers another look takes, 0..1."""
        drawn, mixed = self._layer_px >= COARSEST_PX, self._layer_px >= int(controls["mix_from"])
        return _amount(controls, look) * float(mixed.sum() / drawn.sum())

    def tensors(
        self, controls: Sequence[Controls], looks: Sequence[Look | None]
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """look_ws, look, tones and psi as `FixedToonify` takes them."""
        rows = [self._row(wishes, look) for wishes, look in zip(controls, looks, strict=True)]
        ws, share, tones, psi = (torch.cat(each) for each in zip(*rows, strict=True))
        return ws, share, tones, psi

    def _row(self, controls: Controls, look: Look | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        amount, coarsest = _amount(controls, look), int(controls["mix_from"])
        layers, channels = (amount * (px >= coarsest) for px in (self._layer_px, self._channel_px))
        tones = torch.zeros(1, 3, len(channels))
        if look is not None:
            tones[:, :2], tones[:, 2] = look.tones, channels
        ws = self._of_seed(int(controls["seed"])) if look is None else look.ws
        return ws, layers[None, :, None], tones, torch.full((1, 1, 1), float(controls["truncation_psi"]))

    def _of_seed(self, seed: int) -> Tensor:
        if seed not in self._invented:
            if len(self._invented) > KEPT:
                self._invented.clear()
            with torch.inference_mode():
                self._invented[seed] = self._net.look(seed)
        return self._invented[seed]


def _amount(controls: Controls, look: Look | None) -> float:
    return float(controls["look"]) if look is not None or int(controls["seed"]) else 0.0
