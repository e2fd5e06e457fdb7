"""A training run on disk: settings, checkpoints that survive a kill at any moment, a log, curves as a picture."""

import json
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Self

import cv2
import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from stylizer.errors import BadInput, ModelRejected, first_line
from stylizer.files import made_whole, write_whole


def save_atomically(state: Mapping[str, Any], path: Path) -> None:
    """The file is the old one or the new one, never a part."""
    with made_whole(path) as part, part.open("wb") as file:
        torch.save(dict(state), file)
        file.flush()
        os.fsync(file.fileno())


def is_finite(state: object) -> bool:
    """Whether every tensor in it, however deep, holds numbers. A step may break the weights and have a good loss."""
    if isinstance(state, Mapping):
        return all(is_finite(value) for value in state.values())
    if isinstance(state, list | tuple):
        return all(is_finite(value) for value in state)
    return not isinstance(state, Tensor) or bool(state.isfinite().all())


def load_state(path: Path) -> dict[str, Any] | None:
    """What `save_atomically` wrote; None before the first time. Admits tensors and plain containers only."""
    if not path.is_file():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of a torn or foreign file torch's reader says so in a dozen kinds
        raise ModelRejected(f"{path}: not a checkpoint of this project ({first_line(error)})") from None
    if not isinstance(state, dict):
        raise ModelRejected(f"{path}: not a checkpoint of this project")
    return state


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """One training at a time in a folder: two would write over each other's checkpoints. Raises BadInput.

    The system frees the lock of a process that died.
    """
    try:
        with FileLock(folder / "lock", timeout=0):
            yield
    except Timeout:
        raise BadInput(f"{folder}: another training runs in this folder") from None


@torch.no_grad()
def follow(ema: nn.Module, net: nn.Module, decay: float) -> None:
    """ema <- decay * ema + (1 - decay) * net, weights and buffers alike."""
    for slow, fast in zip(ema.state_dict().values(), net.state_dict().values(), strict=True):
        if slow.dtype.is_floating_point:
            slow.lerp_(fast, 1 - decay)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The learning rate from now on. A checkpoint brings its own, which no longer heeds the settings."""
    for group in optimizer.param_groups:
        group["lr"] = rate


class StopAsked:
    """Within `with`, SIGINT and SIGTERM only set `now`: the loop ends after its step and saves. Main thread only."""

    def __init__(self) -> None:
        self.now = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._ask)
        return self

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.now = True

    def __exit__(self, *fault: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def read_log(path: Path) -> list[dict[str, float]]:
    """The rows of a `log.jsonl`; a line that a kill or a full disk cut off is left out."""
    rows = []
    for line in path.read_bytes().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return [row for row in rows if isinstance(row, dict) and "step" in row and "time" in row]


class RunLog:
    """Numbers by step: `log.jsonl` for programs, TensorBoard for people, `curves.png` for a quick look."""

    def __init__(self, folder: Path, *, from_step: int) -> None:
        """Lines of steps that a kill undid are dropped, so that the log tells of one training."""
        self.path = folder / "log.jsonl"
        self.rows: list[dict[str, float]] = []
        if self.path.is_file():
            self.rows = [row for row in read_log(self.path) if row["step"] <= from_step]
        write_whole(self.path, "".join(json.dumps(row) + "\n" for row in self.rows))
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=from_step)
        self._folder = folder

    def add(self, step: int, values: Mapping[str, float]) -> None:
        row = {"step": step, "time": round(time.time(), 1), **{k: round(v, 6) for k, v in values.items()}}
        self.rows.append(row)
        _append(self.path, json.dumps(row))
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def note(self, step: int, words: str) -> None:
        """A sentence that a person should read: into `warnings.txt` and TensorBoard."""
        _append(self._folder / "warnings.txt", f"step {step}: {words}")
        self._board.add_text("warning", words, step)

    def picture(self) -> None:
        """Writes `curves.png`, one band per number; not every step has all of them."""
        names = [k for k in dict.fromkeys(k for row in self.rows for k in row) if k not in ("step", "time")]
        bands = [_curve(name, [(r["step"], r[name]) for r in self.rows if name in r]) for name in names]
        if bands:
            cv2.imwrite(str(self._folder / "curves.png"), np.vstack(bands))

    def close(self) -> None:
        self._board.close()


def _append(path: Path, line: str) -> None:
    """Raises OSError, of a full disk too, naming the file."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _curve(name: str, points: list[tuple[float, float]]) -> np.ndarray[Any, Any]:
    width, height = 900, 150  # px
    band = np.full((height, width, 3), 255, np.uint8)
    xy = np.array(points, float)
    low, high = np.percentile(xy[:, 1], [0, 99])
    x = (xy[:, 0] - xy[0, 0]) / max(1.0, float(np.ptp(xy[:, 0]))) * (width - 20) + 10
    y = height - 10 - np.clip((xy[:, 1] - low) / max(1e-9, high - low), 0, 1) * (height - 40)
    cv2.polylines(band, [np.stack([x, y], 1).astype(np.int32)], False, (160, 60, 30), 1, cv2.LINE_AA)
    text = f"{name}: {xy[-1, 1]:.4f} at step {xy[-1, 0]:.0f} (lowest {low:.4f})"
    cv2.putText(band, text, (10, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    return band


def picture_grid(rows: list[Tensor], path: Path) -> None:
    """Each row [N, 3, H, W] unit beside the others: one PNG."""
    stacked = torch.stack([row.detach().float().clamp(0, 1).cpu() for row in rows])  # [rows, N, 3, H, W]
    r, n, c, h, w = stacked.shape
    sheet = stacked.permute(0, 3, 1, 4, 2).reshape(r * h, n * w, c)
    cv2.imwrite(str(path), (sheet.numpy() * 255 + 0.5).astype(np.uint8)[..., ::-1])
