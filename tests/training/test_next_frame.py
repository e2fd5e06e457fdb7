"""Training on a tiny scale: it learns, goes on where it stopped, and exports what it is."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from kernels.weights import filters_of
from stylizer.convert.pix2pix import Unet256
from stylizer.errors import BadInput, ModelRejected, NotFound
from stylizer.picture import encode_picture
from stylizer.training.data.clips import FAMILIES, clip
from stylizer.training.data.films import load_films
from stylizer.training.next_frame import NextFrameTrainer, Plan, dream
from stylizer.training.next_frame_run import _card, _export, _resume, _save, _train, run
from stylizer.training.rollouts import Rollouts
from stylizer.vj.bank import Bank, Model
from stylizer.weights.card import Card

PLAN = Plan(filters=2, batch=2, places=4, depth=3, learning_rate=2e-3)


def film(frames: int = 6) -> torch.Tensor:
    """A bright bar that moves by 16 pixels a frame."""
    pictures = torch.zeros(frames, 3, 256, 256, dtype=torch.uint8)
    for t in range(frames):
        pictures[t, :, :, 16 * t : 16 * t + 64] = 200
    return pictures


@pytest.mark.parametrize("family", FAMILIES)
def test_clips_are_alive_and_the_same_for_the_same_seed(family: str) -> None:
    a, b, other = clip(family, 3, 1), clip(family, 3, 1), clip(family, 3, 2)
    assert a.shape == (3, 256, 256, 3) and a.dtype == np.uint8
    assert np.array_equal(a, b) and not np.array_equal(a, other)
    assert a.std() > 20
    assert np.abs(np.diff(a.astype(int), axis=0)).mean() > 0.5
    assert ((a < 3).all(3) | (a > 252).all(3)).mean() < 0.5  # not burnt out


def test_unknown_clips_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="spirals"):
        clip("nobody", 1, 0)
    with pytest.raises(BadInput, match="drawn:spirals"):
        load_films([str(tmp_path / "none.mp4")])
    with pytest.raises(BadInput, match="holds 0 pictures"):
        load_films([str(tmp_path)])


def test_dreams_follow_their_film_until_they_start_anew() -> None:
    rollouts = Rollouts([film(40)], places=3, depth=100, rng=torch.Generator().manual_seed(1))
    for _ in range(30):
        batch = rollouts.batch(3)
        # The film's bar moves by 16 pixels: what follows is what comes before, moved, whatever the dream became.
        columns = batch.following[:, 0, 0].argmax(1)
        assert (columns % 16 == 0).all()
        assert ((batch.trust >= 0) & (batch.trust <= 1)).all()
        assert batch.given.min() >= 0 and batch.given.max() <= 1
        rollouts.advance(batch.places, torch.full_like(batch.given, 0.25))


def test_a_large_batch_has_as_many_dreams() -> None:
    trainer = NextFrameTrainer([film()], Plan(filters=1, batch=6, places=4))
    assert len(trainer._rollouts.batch(6).given) == 6


def test_the_log_tells_means_after_a_stop_in_the_middle_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def step(trainer: NextFrameTrainer) -> dict[str, float]:
        trainer.steps += 1
        if trainer.steps > 100:
            raise KeyboardInterrupt
        return {"l1": 0.5}

    monkeypatch.setattr(NextFrameTrainer, "step", step)
    trainer = NextFrameTrainer([film()], PLAN)
    trainer.steps = 37
    with pytest.raises(KeyboardInterrupt):
        _train(trainer, tmp_path, 60.0, time.monotonic())
    rows = [line.split(",") for line in (tmp_path / "log.csv").read_text().splitlines()[1:]]
    assert [row[0] for row in rows] == ["50", "100"]
    assert [float(row[2]) for row in rows] == [0.5, 0.5]


def test_the_log_forgets_the_steps_that_a_kill_undid(tmp_path: Path) -> None:
    trainer = NextFrameTrainer([film()], PLAN)
    trainer.steps = 2
    _save(trainer, tmp_path, 1.0)
    (tmp_path / "log.csv").write_text("step,seconds,l1\n1,1,0.5\n2,2,0.5\n3,3,0.5\n4,4,0.")  # cut off, too
    assert _resume(NextFrameTrainer([film()], PLAN), tmp_path) == 1.0
    assert (tmp_path / "log.csv").read_text().splitlines() == ["step,seconds,l1", "1,1,0.5", "2,2,0.5"]


def test_training_that_goes_on_does_not_draw_the_first_dreams_again(tmp_path: Path) -> None:
    first = NextFrameTrainer([film()], PLAN)
    begun = first._rollouts.batch(2)
    first.step()
    first.save(tmp_path / "state.pt")
    batches = []
    for _ in range(2):
        again = NextFrameTrainer([film()], PLAN)
        again.load(tmp_path / "state.pt")
        batches.append((again._rollouts.batch(2), torch.rand(1)))
    assert not torch.equal(batches[0][0].given, begun.given)
    assert torch.equal(batches[0][0].given, batches[1][0].given) and batches[0][1] == batches[1][1]


def test_a_few_steps_bring_the_pictures_nearer_to_the_film() -> None:
    trainer = NextFrameTrainer([film()], PLAN)
    losses = [trainer.step()["l1"] for _ in range(40)]
    assert np.mean(losses[-8:]) < 0.7 * np.mean(losses[:4])
    assert all(np.isfinite(losses))


def test_training_goes_on_where_it_stopped(tmp_path: Path) -> None:
    first = NextFrameTrainer([film()], PLAN)
    for _ in range(3):
        first.step()
    first.save(tmp_path / "state.pt")
    again = NextFrameTrainer([film()], PLAN)
    again.load(tmp_path / "state.pt")
    assert again.steps == 3
    for a, b in zip(first.generator.parameters(), again.generator.parameters(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(ModelRejected, match="begun with 2 filters, not 3"):
        NextFrameTrainer([film()], Plan(filters=3)).load(tmp_path / "state.pt")


def test_training_begins_at_a_trained_model() -> None:
    taught = NextFrameTrainer([film()], PLAN)
    taught.step()
    again = NextFrameTrainer([film()], Plan(filters=2, batch=2, places=4, depth=3, seed=9))
    again.begin_from(taught.weights())
    for network in (again.generator, again.mean):
        for given, taken in zip(taught.mean.parameters(), network.parameters(), strict=True):
            torch.testing.assert_close(taken, given)
    assert again.steps == 0 and np.isfinite(again.step()["l1"])
    with pytest.raises(ModelRejected, match="mine: has 2 filters, the plan says 3"):
        NextFrameTrainer([film()], Plan(filters=3)).begin_from(taught.weights(), "mine")


def test_exported_weights_are_the_running_mean() -> None:
    trainer = NextFrameTrainer([film()], PLAN)
    trainer.step()
    weights = trainer.weights()
    assert filters_of(weights) == 2
    picture = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Unet256.from_weights(weights)(picture), trainer.mean(picture))
    assert len(list(dream(trainer.mean, 2, 0))) == 2


def test_a_run_exports_a_model_that_the_bank_plays(tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for t in range(3):
        (pictures / f"{t}.png").write_bytes(encode_picture(film()[t].permute(1, 2, 0).numpy()))
    said: list[str] = []
    run([str(pictures)], tmp_path / "models" / "bar", PLAN, minutes=0.01, title="Bar", say=said.append)
    model = Bank(tmp_path / "models").get("bar")
    assert model.filters == 2
    assert "steps in" in said[-1]
    run([str(pictures)], tmp_path / "models" / "bar", PLAN, minutes=0.01, title="Bar", say=said.append)
    assert any("goes on at step" in line for line in said)


def test_a_show_that_reads_a_model_while_it_is_exported_anew_reads_one_model(tmp_path: Path) -> None:
    """Written in place, it was half the one and half the other, and on a full disk neither."""
    trainer, card = NextFrameTrainer([film()], PLAN), _card(tmp_path.name, "Bar", "films")
    _export(trainer, tmp_path, card, 0.0)
    with (tmp_path / "weights.pict").open("rb") as pict, (tmp_path / "weights.safetensors").open("rb") as whole:
        before = pict.read(), whole.read()
        trainer.step()
        _export(trainer, tmp_path, card, 0.1)
        assert (pict.seek(0), pict.read(), whole.seek(0), whole.read()) == (0, before[0], 0, before[1])
    assert (tmp_path / "weights.pict").read_bytes() != before[0]


def test_the_card_names_the_clips_of_all_runs(tmp_path: Path) -> None:
    """Who went on with other clips had a card that knew of those alone."""
    folder, first, second = (tmp_path / name for name in ("model", "first", "second"))
    for clips in (first, second):
        clips.mkdir()
        for t in range(2):
            (clips / f"{t}.png").write_bytes(encode_picture(film()[t].permute(1, 2, 0).numpy()))

    def learned_from(clips: Path, begin_from: Model | None = None) -> str:
        run([str(clips)], folder, PLAN, minutes=0, title="A", say=lambda line: None, begin_from=begin_from)
        return Card.read(folder).data

    begun = Model("mine", 2, NextFrameTrainer([film()], PLAN).weights())
    assert learned_from(first, begun) == f"{first}; begun from mine"
    assert learned_from(second) == f"{first}, {second}; begun from mine"
    (folder / "state.pt").unlink()
    assert learned_from(second) == str(second)


def test_a_run_whose_disk_is_full_at_the_last_byte_goes_on_where_it_was(tmp_path: Path) -> None:
    """The few bytes that say how long it took are the last to be written: where they fail, the old ones stay."""
    folder = tmp_path / "bar"
    folder.mkdir()
    trainer = NextFrameTrainer([film()], PLAN)
    _save(trainer, folder, 1.0)
    before = (folder / "spent.json").read_bytes()
    code = """
import resource, sys
from pathlib import Path
from stylizer.training import next_frame_run
class Small:
    def save(self, path): path.write_bytes(b"")
resource.setrlimit(resource.RLIMIT_FSIZE, (4, 4))
next_frame_run._save(Small(), Path(sys.argv[1]), 2.0)
"""
    assert subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True).returncode == 1
    assert (folder / "spent.json").read_bytes() == before
    trainer.load(folder / "state.pt")
