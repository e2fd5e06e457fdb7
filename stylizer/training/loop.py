"""The loop that every training runs in: go on where it stopped, save, show, warn, tell the time left."""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stylizer.errors import BadInput, first_line
from stylizer.files import write_whole
from stylizer.training.parallel import World
from stylizer.training.run import RunLog, StopAsked, alone_in, is_finite, load_state, save_atomically
from stylizer.training.settings import Dataclass, write_settings
from stylizer.training.watch import first_not_finite, troubles

TELL_S = 20.0  # seconds between two lines of progress
Say = Callable[[str], None]


class Trainer(Protocol):
    """What the loop needs. `step` is wholly decided by the seed and `done`: a run that stopped ends like one that did
    not.
    """

    done: int

    def step(self) -> dict[str, float]: ...
    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...
    def samples(self, path: Path) -> None: ...


def run(
    folder: Path,
    trainer: Trainer,
    steps: int,
    say: Say,
    *,
    samples_every: int,
    checkpoint_s: float,
    world: World | None = None,
    work: Callable[[int], float] = float,
    settings: Dataclass | None = None,
    about: Mapping[str, str] | None = None,
) -> None:
    """Runs, or goes on with, the training in `folder` until `steps` are done.

    work: how much is done after so many steps, where some cost more than others. settings: what `settings.toml` says
    from now on, about: further files of the run, by name; those of a checkpoint that does not fit them stay.
    SIGINT and SIGTERM end it after the step; a harder kill loses at most `checkpoint_s` seconds. Raises BadInput when
    the checkpoint does not fit, when another training runs there, and when a number is not finite any more: the last
    checkpoint is kept.
    """
    world = world or World()
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder) if world.first else nullcontext():
        _restore(folder / "checkpoint.pt", trainer)
        if world.first and settings is not None:
            write_settings(settings, folder / "settings.toml")
        for name, text in (about or {}).items() if world.first else ():
            write_whole(folder / name, text)
        keeper = _Keeper(folder, trainer, steps, say, samples_every, checkpoint_s, work) if world.first else None
        _until(steps, folder, trainer, world, keeper)


def _restore(checkpoint: Path, trainer: Trainer) -> None:
    state = load_state(checkpoint)
    if state is None:
        return
    try:
        trainer.restore(state)
    except (RuntimeError, ValueError, LookupError) as error:
        why = "was it begun with other settings, or by another command?"
        raise BadInput(f"{checkpoint}: does not fit; {why} ({first_line(error)})") from None


def _until(steps: int, folder: Path, trainer: Trainer, world: World, keeper: "_Keeper | None") -> None:
    with StopAsked() as stop:
        while trainer.done < steps and not world.mean(stop.now):
            row = trainer.step()
            if wrong := first_not_finite(row):
                raise BadInput(f"{folder}: {wrong} is {row[wrong]} at step {trainer.done}; lower the learning rate")
            if keeper:
                keeper.after(row)
    if keeper:
        keeper.close()


class _Keeper:
    """What the first process writes and says."""

    def __init__(
        self,
        folder: Path,
        trainer: Trainer,
        steps: int,
        say: Say,
        samples_every: int,
        checkpoint_s: float,
        work: Callable[[int], float],
    ) -> None:
        self.folder, self.trainer, self.steps, self.say, self.work = folder, trainer, steps, say, work
        self.samples_every, self.checkpoint_s = samples_every, checkpoint_s
        self.log = RunLog(folder, from_step=trainer.done)
        self.saved = time.monotonic()
        self.begun, self.told = (self.saved, trainer.done), 0.0
        self.warned: set[str] = set()

    def after(self, row: dict[str, float]) -> None:
        step, now = self.trainer.done, time.monotonic()
        self.log.add(step, row)
        for kind, words in troubles(self.log.rows).items():
            if kind not in self.warned:
                self.warned.add(kind)
                self.log.note(step, words)
                self.say(f"WARNING at step {step}: {words}")
        if now - self.told > TELL_S:
            self.told = now
            self.say(self._line(now))
        if step % self.samples_every == 0:
            self._show()
        if now - self.saved > self.checkpoint_s:
            self._save()
            self.saved = now

    def close(self) -> None:
        self._save()
        if self.log.rows:
            self._show()
        self.log.close()

    def _save(self) -> None:
        state = self.trainer.state()
        if not is_finite(state):
            raise BadInput(f"{self.folder}: weights broke at step {self.trainer.done}; lower the learning rate")
        save_atomically(state, self.folder / "checkpoint.pt")

    def _show(self) -> None:
        self.trainer.samples(self.folder / f"samples_{self.trainer.done:06d}.png")
        self.log.picture()

    def _line(self, now: float) -> str:
        done = self.trainer.done
        per_work = (now - self.begun[0]) / max(1e-9, self.work(done) - self.work(self.begun[1]))
        left_s = per_work * (self.work(self.steps) - self.work(done))
        bar = "█" * (20 * done // self.steps)
        recent = {k: np.mean([r[k] for r in self.log.rows[-40:] if k in r]) for k in self.log.rows[-1]}
        numbers = "  ".join(f"{k} {v:.4g}" for k, v in recent.items() if k not in ("step", "time", "lr"))
        return f"step {done}/{self.steps} |{bar:20}|  {numbers}  {_duration(left_s)} left"


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
