"""Drawn pairs on disk: three arrays mapped into memory, made once by several processes, continued after a stop."""

import json
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from stylizer.errors import BadInput, Unavailable
from stylizer.files import write_whole
from stylizer.training.data.characters import draw_pair
from stylizer.training.data.characters.camera import NOISE_PX
from stylizer.training.data.characters.hand import hand_named
from stylizer.training.data.characters.pairs import PixelsU8


class Lots:
    """Several arrays whose rows are alike, as if they were one: what `PairStore` needs of an array, and no more."""

    def __init__(self, arrays: Sequence[PixelsU8]) -> None:
        self._arrays, self._ends = arrays, np.cumsum([len(a) for a in arrays])
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *arrays[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: NDArray[np.intp]) -> PixelsU8:
        """Those rows [n], copied."""
        lots = np.searchsorted(self._ends, rows, side="right")
        return np.stack([self._arrays[i][row - self._ends[i]] for i, row in zip(lots, rows, strict=True)])


_NAMES = (("photo", (4,)), ("drawing", (4,)), ("labels", ()))


@dataclass(frozen=True, slots=True, eq=False)
class PairStore:
    """photo and drawing [count, S, S, 4], labels [count, S, S]; uint8, see `characters.Pair`. Row i: seed + i."""

    photo: PixelsU8 | Lots
    drawing: PixelsU8 | Lots
    labels: PixelsU8 | Lots

    def __len__(self) -> int:
        return len(self.photo)

    @classmethod
    def open(cls, folder: Path) -> "PairStore":
        """Raises BadInput when the store is not there, not complete or torn."""
        about = folder / "store.json"
        if not about.is_file():
            raise BadInput(f"{folder}: no finished store of pairs; make it with `stylizer train data characters`")
        return cls(*(mapped(folder / f"{name}.npy") for name, _ in _NAMES))

    @classmethod
    def joined(cls, folders: Sequence[Path]) -> "PairStore":
        """Several stores behind each other. Raises BadInput when one is not complete or its pairs have another size."""
        stores = [cls.open(folder) for folder in folders]
        for folder, store in zip(folders, stores, strict=True):
            if store.photo.shape != (len(store), *stores[0].photo.shape[1:]):
                raise BadInput(
                    f"{folder}: pairs of {store.photo.shape[1]} px, {folders[0]}: of {stores[0].photo.shape[1]} px"
                )
        return cls(*(Lots([getattr(store, name) for store in stores]) for name, _ in _NAMES))


def mapped(path: Path) -> PixelsU8:
    """The array in a .npy file, mapped into memory. Raises BadInput when it is not there, torn or none."""
    try:
        array: PixelsU8 = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); make the data set again") from None
    return array


def plan_of(file: Path) -> dict[str, Any]:
    """What a data set's `plan.json` or `store.json` says. Raises BadInput when it is torn."""
    try:
        plan: dict[str, Any] = json.loads(file.read_bytes())
    except ValueError:
        raise BadInput(f"{file}: is torn; make the data set again, in another folder") from None
    return plan


def make_store(
    folder: Path,
    count: int,
    *,
    seed: int,
    size: int = 256,
    hand: str = "anime",
    processes: int = 2,
    assets: Path | None = None,
    heads: bool = False,
) -> Iterator[int]:
    """Draws what is missing and yields how many pairs there are, after each. The same seed gives the same bytes.

    hand: whose drawings, see characters.hand. assets: MakeHuman's, then the pairs are `humans`, or with `heads` their
    heads alone. Raises BadInput when the folder holds a store of another kind, Unavailable when a process is killed.
    """
    hand_named(hand)
    if seed < 0 or not 64 <= size <= NOISE_PX:
        raise BadInput(f"seed must be 0 or more, size 64 to {NOISE_PX} px; got {seed} and {size}")
    folder.mkdir(parents=True, exist_ok=True)
    what = {"hand": hand} | ({} if assets is None else {"data": "heads" if heads else "humans"})
    plan, about = {"count": count, "seed": seed, "size": size, **what}, folder / "plan.json"
    if about.is_file() and (held := plan_of(about)) != plan:
        raise BadInput(f"{folder}: holds {json.dumps(held)}, wanted is {json.dumps(plan)}")
    if not about.is_file():
        if (folder / "store.json").is_file():
            raise BadInput(f"{folder}: holds pictures of your own, which pairs would overwrite; name another folder")
        for name, tail in _NAMES:
            open_memmap(folder / f"{name}.npy", "w+", np.uint8, (count, size, size, *tail)).flush()
        write_whole(about, json.dumps(plan))
    progress = folder / "done.txt"
    done = int(progress.read_text(encoding="utf-8")) if progress.is_file() else 0
    jobs = ((str(folder), i, seed + i, size, hand, assets, heads) for i in range(done, count))
    with ProcessPoolExecutor(processes, get_context("spawn"), _end_with_parent) as pool:
        try:
            for i in pool.map(_draw_into, jobs, chunksize=16):
                if i % 100 == 99:
                    write_whole(progress, str(i + 1))
                yield i + 1
        except BrokenProcessPool:  # a Pool of multiprocessing would wait for it for ever
            raise Unavailable(
                f"{folder}: a process that draws was killed, for want of memory or disk; the same command goes on"
            ) from None
    write_whole(folder / "store.json", json.dumps(plan))


def _end_with_parent() -> None:
    """Else a process that draws would wait for ever for the next pair of a command that was killed."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="watch the parent", daemon=True).start()


def _draw_into(job: tuple[str, int, int, int, str, Path | None, bool]) -> int:
    folder, index, seed, size, hand, assets, heads = job
    if assets is None:
        pair = draw_pair(seed, size, hand)
    else:
        from stylizer.training.data.humans.pairs import draw_pair as draw_human  # embreex is an extra

        pair = draw_human(assets, seed, size, heads, hand)
    for name, _ in _NAMES:
        array = np.load(f"{folder}/{name}.npy", mmap_mode="r+")
        array[index] = getattr(pair, name)
        del array
    return index
