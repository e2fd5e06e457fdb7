"""The loop in torch, on a CPU or a GPU; on a CPU a resting fader and the noise run compiled by OpenVINO."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from stylizer.errors import Unavailable, first_line
from stylizer.vj import feedback
from stylizer.vj.bank import Model
from stylizer.vj.colour import coloured
from stylizer.vj.dreamer import Dreamer
from stylizer.vj.geometry import Motion, Mover, focused
from stylizer.vj.inject import injected
from stylizer.vj.moment import Moment
from stylizer.vj.noise import SIZE, ahead_s


class TorchWay:
    """seed: of the noise. dtype, cache, wait, compiles: see Dreamer. Never unavailable on a CPU."""

    def __init__(
        self,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
        *,
        seed: int = 0,
        cache: Path | None = None,
        wait: bool = False,
        compiles: bool = True,
    ) -> None:
        self._dreamer = Dreamer(device, dtype, cache=cache, wait=wait, compiles=compiles)
        self._device = self._dreamer.device
        self._noise, self._ahead_s = feedback.noise_of(self._device, seed, torch.get_num_threads()), ahead_s(seed)
        self._mover = Mover()
        self._held = torch.zeros(1, 3, SIZE, SIZE)
        self._kept = feedback.kept(self._held)

    @property
    def name(self) -> str:
        return "torch and OpenVINO on the CPU" if self._device.type == "cpu" else f"torch on {self._device}"

    def ready(self, models: tuple[Model, Model]) -> bool:
        del models
        return True

    def prepare(self, models: tuple[Model, Model]) -> None:
        with self._failing():
            self._dreamer.prepare(*models)

    def start(self, picture: Tensor) -> None:
        with self._failing():
            self._kept = feedback.kept(picture.to(self._device))
            self._held = picture.float()

    def dream(self, moment: Moment) -> Tensor:
        with self._failing():
            self._dreamer.mix(*moment.models, moment.number("crossfade"))
            self._kept = feedback.kept(self._dreamer(self._seen(moment)))
            self._held = self._kept.float().cpu()
        return self._held

    def coloured(self, moment: Moment) -> Tensor:
        with self._failing():
            shown = coloured(
                self._kept.float(),
                hue=moment.number("hue"),
                invert=moment.number("invert"),
                false_colour=moment.number("false_colour"),
                time_s=moment.time_s,
            )
            return shown.cpu()

    @property
    def picture(self) -> Tensor:
        return self._held

    def _seen(self, moment: Moment) -> Tensor:
        """What the network is shown: moved, disturbed, with the guest let in, saturated."""
        number = moment.number
        motion = Motion(
            zoom=number("zoom"),
            rotate_deg=number("rotate"),
            shift_x=number("shift_x"),
            shift_y=number("shift_y"),
            fold=str(moment.controls["fold"]),
            segments=int(number("segments")),
        )
        before = self._kept
        if not motion.still or number("focus"):
            before = focused(self._mover(before.float(), motion), number("focus"))
        noise_s = self._ahead_s + moment.noise_s
        seen = feedback.disturbed(before, number("rate"), moment.amplitudes, noise_s, self._noise)
        if moment.guest is not None:
            blend = str(moment.controls["inject_blend"])
            seen = injected(feedback.saturated(seen), moment.guest, number("inject_gain"), blend)
        return feedback.saturated(seen)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """A card may fail in the middle of a show; a fault on the CPU is our own."""
        try:
            yield
        except RuntimeError as error:  # CUDA's errors in torch, out of memory among them
            if self._device.type == "cpu":
                raise
            raise Unavailable(f"{self.name} failed: {first_line(error)}") from error
