"""A run of the next-frame training: goes on where it stopped, saves, shows samples, exports."""

import csv
import json
import platform
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from statistics import fmean

import torch
from safetensors.numpy import save as dump_safetensors

from kernels.pict import dump_pict
from stylizer.errors import BadInput
from stylizer.files import made_whole, write_whole
from stylizer.training.data.films import load_films
from stylizer.training.next_frame import NextFrameTrainer, Plan, dream
from stylizer.training.run import alone_in
from stylizer.training.watch import first_not_finite
from stylizer.vj.bank import Model
from stylizer.vj.outputs.recorder import FilmFile
from stylizer.weights.card import CARD, Card, Kind
from stylizer.weights.download import sha256_of

STATE, SPENT, LEARNED = "state.pt", "spent.json", "learned.json"
SAVE_EVERY_S, SAMPLE_EVERY_S = 60.0, 180.0
SAMPLE_RATE = Fraction(25)
NOTE_EVERY = 50  # steps between two rows of log.csv
MOST_DATA = 2000  # characters that a card takes for what a model learned from: a folder's films may be many


def run(
    clips: list[str],
    folder: Path,
    plan: Plan,
    *,
    minutes: float,
    title: str,
    say: Callable[[str], None],
    begin_from: Model | None = None,
    device: torch.device | None = None,
) -> None:
    """Trains until `minutes` are over in all runs together, or Ctrl-C; then exports into `folder`.

    begin_from: a trained model that the first run starts at. Raises ModelRejected when its filters are not the plan's,
    BadInput for clips, a name or a title that cannot be, when another training runs there, and when a number is not
    finite any more: the last state is kept.
    """
    _card(folder.name, title, ", ".join(clips))  # a name that cannot be is told now, not after the training
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder):
        trainer = NextFrameTrainer(load_films(clips), plan, device)
        if begin_from is not None:
            trainer.begin_from(begin_from.weights, begin_from.name)
        start = time.monotonic() - _resume(trainer, folder)
        card = _card(folder.name, title, _learned_from(folder, clips, begin_from.name if begin_from else ""))
        if trainer.steps:
            say(f"goes on at step {trainer.steps}")
        try:
            _train(trainer, folder, minutes * 60, start)
        except KeyboardInterrupt:
            say("stopped by hand: what was learned so far is exported")
        spent_s = time.monotonic() - start
        _save(trainer, folder, spent_s)
        _export(trainer, folder, card, spent_s / 3600)
    say(f"{folder}: {trainer.steps} steps in {spent_s / 60:.1f} minutes")


def _resume(trainer: NextFrameTrainer, folder: Path) -> float:
    """-> seconds that earlier runs took."""
    if not (folder / STATE).exists():
        return 0.0
    trainer.load(folder / STATE)
    _forget_after(folder / "log.csv", trainer.steps)
    return float(json.loads((folder / SPENT).read_text(encoding="utf-8"))["seconds"])


def _learned_from(folder: Path, clips: list[str], begin_from: str) -> str:
    """What the card says: the clips of all runs whose state goes on here, and where the first of them began."""
    path, known = folder / LEARNED, {"clips": list[str](), "begun": begin_from}
    if (folder / STATE).exists() and path.exists():
        known = json.loads(path.read_text(encoding="utf-8"))
    every, begun = list(dict.fromkeys([*known["clips"], *clips])), known["begun"]
    write_whole(path, json.dumps({"clips": every, "begun": begun}))
    return ", ".join(every) + (f"; begun from {begun}" if begun else "")


def _train(trainer: NextFrameTrainer, folder: Path, until_s: float, start: float) -> None:
    saved = sampled = time.monotonic()
    noted: list[dict[str, float]] = []
    while (spent := time.monotonic() - start) < until_s:
        row = trainer.step()
        if wrong := first_not_finite(row):
            raise BadInput(f"{folder}: {wrong} is {row[wrong]} at step {trainer.steps}; lower --learning-rate")
        noted.append(row)
        if trainer.steps % NOTE_EVERY == 0:
            means = {key: fmean(one[key] for one in noted) for key in row}
            _note(folder / "log.csv", {"step": trainer.steps, "seconds": round(spent)} | means)
            noted = []
        if time.monotonic() - saved > SAVE_EVERY_S:
            _save(trainer, folder, spent)
            saved = time.monotonic()
        if time.monotonic() - sampled > SAMPLE_EVERY_S:
            sample(trainer, folder / f"sample-{trainer.steps:06d}.mp4")
            sampled = time.monotonic()


def _save(trainer: NextFrameTrainer, folder: Path, spent_s: float) -> None:
    """Whole or not at all: a run that is killed while it writes, or finds the disk full, keeps its last state."""
    with made_whole(folder / STATE) as state:
        trainer.save(state)
        write_whole(folder / SPENT, json.dumps({"seconds": spent_s}))  # first: no state is without it


def sample(trainer: NextFrameTrainer, path: Path, frames: int = 100) -> None:
    """A film of the loop, from black."""
    with FilmFile(path, SAMPLE_RATE) as film:
        for picture in dream(trainer.mean, frames, seed=0):
            film.write(picture)


def _note(path: Path, row: dict[str, float]) -> None:
    new = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)


def _forget_after(path: Path, step: int) -> None:
    """Drops the rows of steps that a kill undid, and one that it cut off: the log tells of one training."""
    if not path.exists():
        return
    head, *rows = path.read_bytes().decode().splitlines(keepends=True) or [""]
    kept = [row for row in rows if row.endswith("\n") and int(row.partition(",")[0]) <= step]
    write_whole(path, "".join([head, *kept]))


def _card(name: str, title: str, data: str) -> Card:
    return Card.made(
        name=name,
        title=title,
        kind=Kind.PIX2PIX,
        data=data if len(data) <= MOST_DATA else f"{data[: MOST_DATA - 2]} …",
        licence="AGPL-3.0-or-later",
        weak_points=("not yet judged by a person",),
        weights="weights.pict",
    )


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()}, {torch.get_num_threads()} threads"


def _export(trainer: NextFrameTrainer, folder: Path, card: Card, hours: float) -> None:
    weights = trainer.weights()
    write_whole(folder / "weights.safetensors", dump_safetensors(weights))
    write_whole(folder / "weights.pict", dump_pict(weights))
    update = {
        "seed": trainer.plan.seed,
        "steps": trainer.steps,
        "hours": round(hours, 3),
        "machine": _machine(trainer.device),
        "sha256": sha256_of(folder / "weights.pict"),
        "network": {"filters": trainer.plan.filters},
    }
    write_whole(folder / CARD, card.model_copy(update=update).to_toml())
