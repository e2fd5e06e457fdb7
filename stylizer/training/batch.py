"""Batches of drawn pairs for a Toonify style: whole pictures, parts at full size, heads turned a little."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylizer.stages.closeup import FACE_PX, NEAR_PX, SIDE_PX
from stylizer.training.data.store import PairStore
from stylizer.training.parallel import World

FACE = 7  # label of the face
PART = 128  # px: side of the parts that `cut_parts` takes
TILT, ZOOM = 12.0, 1.25  # degrees and times that a head's picture is turned and enlarged, at most


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

    def of(self, world: World) -> "Batch":
        """This process's share, on its device."""
        return Batch(*(world.own(t).to(world.device) for t in (*self.pictures(), self.backdrop)))


def make_batch(store: PairStore, n: int, rng: np.random.Generator) -> Batch:
    """n random pairs, half of them mirrored."""
    rows = np.sort(rng.choice(len(store), n, replace=n > len(store)))
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


def heads_of(batch: Batch, rng: np.random.Generator) -> Batch:
    """Heads as the closeup gives them, turned a little: whole ones of PART px and, of pairs that have more, as often
    parts of near ones, at each of the sides that the closeup has."""
    batch = turned(batch, rng)
    side = int(rng.choice([px for px in (SIDE_PX, NEAR_PX, FACE_PX) if px <= batch.photo.shape[-1]]))
    photo, matte, drawing, alpha = (
        F.interpolate(t, size=(side, side), mode="bilinear", antialias=True) for t in batch.pictures()[:4]
    )
    labels = F.interpolate(batch.labels, size=(side, side), mode="nearest")
    batch = Batch(photo, matte, drawing, alpha, labels, batch.backdrop)
    return cut_parts(batch, rng) if side > PART else batch


def turned(batch: Batch, rng: np.random.Generator) -> Batch:
    """Each picture turned and enlarged a little about its middle; what would show beyond the border is not taken."""
    n, side = len(batch.photo), batch.photo.shape[-1]
    angle = np.radians(rng.uniform(-TILT, TILT, n))
    zoom = rng.uniform(1.0, ZOOM, n) * (np.abs(np.cos(angle)) + np.abs(np.sin(angle)))
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    rows = np.stack([np.stack([cos, -sin, 0 * cos], 1), np.stack([sin, cos, 0 * cos], 1)], 1).astype(np.float32)
    grid = F.affine_grid(torch.from_numpy(rows), [n, 1, side, side], align_corners=False)
    pictures = torch.cat(batch.pictures()[:4], 1)
    moved = F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    labels = F.grid_sample(batch.labels, grid, mode="nearest", padding_mode="border", align_corners=False)
    return Batch(moved[:, :3], moved[:, 3:4], moved[:, 4:7], moved[:, 7:8], labels, batch.backdrop)
