"""Drawn pairs on disk: three arrays mapped into memory, made once by several processes, continued after a stop."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from stylizer.errors import BadInput
from stylizer.training.data.characters import draw_pair
from stylizer.training.data.characters.hand import hand_named

PixelsU8 = NDArray[np.uint8]
_NAMES = (("photo", (4,)), ("drawing", (4,)), ("labels", ()))


@dataclass(frozen=True, slots=True, eq=False)
class PairStore:
    """photo and drawing [count, S, S, 4], labels [count, S, S]; uint8, see `characters.Pair`. Row i: seed + i."""

    photo: PixelsU8
    drawing: PixelsU8
    labels: PixelsU8

    def __len__(self) -> int:
        return len(self.photo)

    @classmethod
    def open(cls, folder: Path) -> "PairStore":
        """Raises BadInput when the store is not there or not complete."""
        about = folder / "store.json"
        if not about.is_file():
            raise BadInput(f"{folder}: no finished store of pairs; make it with `stylizer train data characters`")
        return cls(*(np.load(folder / f"{name}.npy", mmap_mode="r") for name, _ in _NAMES))


def make_store(
    folder: Path, count: int, *, seed: int, size: int = 256, hand: str = "anime", processes: int = 2
) -> Iterator[int]:
    """Draws what is missing and yields how many pairs there are, after each. The same seed gives the same bytes.

    hand: whose drawings, see characters.hand. Raises BadInput when the folder holds a store of another kind.
    """
    hand_named(hand)
    folder.mkdir(parents=True, exist_ok=True)
    plan, about = {"count": count, "seed": seed, "size": size, "hand": hand}, folder / "plan.json"
    if about.is_file() and json.loads(about.read_text()) != plan:
        raise BadInput(f"{folder}: holds {about.read_text()}, wanted is {json.dumps(plan)}")
    if not about.is_file():
        for name, tail in _NAMES:
            open_memmap(folder / f"{name}.npy", "w+", np.uint8, (count, size, size, *tail)).flush()
        about.write_text(json.dumps(plan))
    progress = folder / "done.txt"
    done = int(progress.read_text()) if progress.is_file() else 0
    with get_context("spawn").Pool(processes) as pool:
        jobs = ((str(folder), i, seed + i, size, hand) for i in range(done, count))
        for i in pool.imap(_draw_into, jobs, chunksize=16):
            if i % 100 == 99:
                progress.write_text(str(i + 1))
            yield i + 1
    (folder / "store.json").write_text(json.dumps(plan))


def _draw_into(job: tuple[str, int, int, int, str]) -> int:
    folder, index, seed, size, hand = job
    pair = draw_pair(seed, size, hand)
    for name, _ in _NAMES:
        array = np.load(f"{folder}/{name}.npy", mmap_mode="r+")
        array[index] = getattr(pair, name)
        del array
    return index
