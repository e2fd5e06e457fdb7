"""Where a next-frame network's training pictures come from: films, and the network's own dreams about them.

A network that only ever sees true frames drifts when its output is fed back. So each place of the pool holds a dream:
it starts at a true frame, and each step replaces it by what the network made of it, while the film runs on beside it.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

SIZE = 256


@dataclass(frozen=True, slots=True)
class Batch:
    """given: what the network sees, following: the film's next frame, both [N, 3, 256, 256] in 0..1.

    before: the film's frame that `following` follows, disturbed like `given`. trust [N]: 1 for a true frame, falling as
    the dream departs from the film, 0 for one that began in noise.
    """

    given: Tensor
    before: Tensor
    following: Tensor
    trust: Tensor
    places: Tensor

    def on(self, device: torch.device) -> "Batch":
        """The same there; the places stay here, where the pool is."""
        given, before, following, trust = (t.to(device) for t in (self.given, self.before, self.following, self.trust))
        return Batch(given, before, following, trust, self.places)


class Rollouts:
    """films: uint8 [T, 3, H, W], H and W at least 256; larger ones are cropped at random, once for each dream."""

    def __init__(self, films: list[Tensor], *, places: int, depth: int, rng: torch.Generator) -> None:
        self._films, self._depth, self._rng = [f for f in films if len(f) > 1], depth, rng
        self._pictures = torch.zeros(places, 3, SIZE, SIZE)
        self._film, self._time, self._age = (torch.zeros(places, dtype=torch.int64) for _ in range(3))
        self._corner = torch.zeros(places, 2, dtype=torch.int64)
        self._from_noise = torch.zeros(places, dtype=torch.bool)
        self.reset()

    def reset(self) -> None:
        """All dreams start anew."""
        for place in range(len(self._pictures)):
            self._restart(place)

    def batch(self, count: int) -> Batch:
        """`count` places at random, as they stand, disturbed."""
        places = torch.randperm(len(self._pictures), generator=self._rng)[:count]
        before = torch.stack([self._frame(int(p), 0) for p in places])
        following = torch.stack([self._frame(int(p), 1) for p in places])
        trust = 0.75 ** self._age[places] * ~self._from_noise[places]
        return Batch(
            disturbed(self._pictures[places], self._rng), disturbed(before, self._rng), following, trust, places
        )

    def advance(self, places: Tensor, dreamt: Tensor) -> None:
        """Puts what the network made, [N, 3, 256, 256], into its places and moves the films on."""
        self._pictures[places] = dreamt.detach().float().cpu()
        self._time[places] += 1
        self._age[places] += 1
        for place in places.tolist():
            over = self._time[place] + 1 >= len(self._films[int(self._film[place])])
            if over or self._age[place] > self._depth or self._draw() < 0.08:
                self._restart(place)

    def _restart(self, place: int) -> None:
        film = int(torch.randint(len(self._films), (), generator=self._rng))
        length, _, height, width = self._films[film].shape
        self._film[place], self._age[place] = film, 0
        self._time[place] = torch.randint(length - 1, (), generator=self._rng)
        for axis, room in enumerate((height - SIZE, width - SIZE)):
            self._corner[place, axis] = torch.randint(room + 1, (), generator=self._rng)
        self._from_noise[place] = self._draw() < 0.15
        if self._from_noise[place]:
            level, spread = torch.rand(2, generator=self._rng).mul(torch.tensor([1.0, 0.3]))
            self._pictures[place] = (level**2 + spread * grain(1, self._rng)[0]).clamp(0, 1)
        else:
            self._pictures[place] = self._frame(place, 0)

    def _frame(self, place: int, ahead: int) -> Tensor:
        y, x = self._corner[place].tolist()
        film = self._films[int(self._film[place])]
        return film[int(self._time[place]) + ahead, :, y : y + SIZE, x : x + SIZE].float() / 255

    def _draw(self) -> float:
        return float(torch.rand((), generator=self._rng))


def grain(count: int, rng: torch.Generator) -> Tensor:
    """[count, 3, 256, 256], mean 0: grey noise of 1, 4, 8 or 64 pixels a grain, as the loop's own noise is."""
    scale = (1, 4, 8, 64)[int(torch.randint(4, (), generator=rng))]
    small = torch.randn(count, 1, SIZE // scale, SIZE // scale, generator=rng)
    return F.interpolate(small, size=(SIZE, SIZE), mode="bicubic", align_corners=False).expand(-1, 3, -1, -1)


def disturbed(pictures: Tensor, rng: torch.Generator) -> Tensor:
    """Pictures as the loop may hand them over: dimmed or overdriven and clamped, with noise. The film stays clean.

    So the network learns the way back: from too bright, too dark, grey and noisy to what the film looks like.
    """
    count = len(pictures)
    a, b, c = torch.rand(3, count, 1, 1, 1, generator=rng)
    gain = torch.where(a < 0.5, 1.0, 0.6 + 0.9 * b)
    noise = 0.16 * c**2 * grain(count, rng)
    given: Tensor = (pictures * gain + noise).clamp(0, 1)
    return given
