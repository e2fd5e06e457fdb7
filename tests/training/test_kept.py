"""What a stop, a wrong call or a second training must not take away."""

import json
import multiprocessing
import os
import pickle
import resource
import struct
import subprocess
import sys
import time
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from stylizer.config import Settings
from stylizer.convert.toonify import ToonifyNet
from stylizer.errors import BadInput, ModelRejected, Unavailable
from stylizer.training import evaluate, export
from stylizer.training.batch import make_batch
from stylizer.training.data.films import load_films
from stylizer.training.data.folders import make_pictures
from stylizer.training.data.pictures import Pictures
from stylizer.training.data.store import PairStore, make_store
from stylizer.training.gan_runs import data_of, open_start, train_generator
from stylizer.training.loop import run
from stylizer.training.next_frame import NextFrameTrainer, Plan
from stylizer.training.next_frame_run import run as run_next_frame
from stylizer.training.parallel import World
from stylizer.training.run import RunLog, alone_in, load_state, save_atomically
from stylizer.training.settings import read_settings, write_settings
from stylizer.training.stylegan2 import GanSettings, GanTrainer
from stylizer.training.toonify import Critic, ToonifySettings, _weights_of
from stylizer.training.toonify import train as train_toonify
from tests.convert.test_toonify import TINY
from tests.training.processes import environment
from tests.training.test_loop import Counting
from tests.training.test_stylegan2 import write_blocks

SMALL = GanSettings(
    widths=(4, 4),
    critic_widths=(4, 4),
    w_dim=4,
    z_dim=4,
    mapping_layers=1,
    batch=2,
    steps=1,
    adaptive=False,
    bf16=False,
)


def silent(line: str) -> None:
    """Nobody listens."""


def photos() -> Pictures:
    return Pictures(np.random.default_rng(0).integers(0, 255, (4, 8, 8, 4), dtype=np.uint8))


def test_a_checkpoint_that_does_not_fit_is_told_and_keeps_its_settings(tmp_path: Path) -> None:
    def go_on(settings: GanSettings) -> None:
        trainer = GanTrainer(settings, photos())
        run(tmp_path, trainer, settings.steps, silent, samples_every=9, checkpoint_s=9, settings=settings)

    go_on(SMALL)
    with pytest.raises(BadInput, match=r"checkpoint\.pt: does not fit"):
        go_on(replace(SMALL, w_dim=8, steps=9))
    assert read_settings(GanSettings, tmp_path / "settings.toml") == SMALL
    go_on(replace(SMALL, lr=0.5))
    assert read_settings(GanSettings, tmp_path / "settings.toml").lr == 0.5


def test_a_new_learning_rate_holds_after_a_stop(tmp_path: Path) -> None:
    """The advice for a training that broke is to lower it."""
    before, after = GanTrainer(SMALL, photos()), GanTrainer(replace(SMALL, lr=SMALL.lr / 10), photos())
    after.restore(before.state())
    for old, new in ((before.optimizer, after.optimizer), (before.critic_optimizer, after.critic_optimizer)):
        assert new.param_groups[0]["lr"] == pytest.approx(old.param_groups[0]["lr"] / 10)
    critic = Critic(ToonifySettings(lr=0.2))
    critic.restore(Critic(ToonifySettings(lr=0.4)).state())
    assert critic.optimizer.param_groups[0]["lr"] == 0.1
    films = [torch.zeros(3, 3, 256, 256, dtype=torch.uint8)]
    NextFrameTrainer(films, Plan(filters=1, places=1, batch=1)).save(tmp_path / "state.pt")
    again = NextFrameTrainer(films, Plan(filters=1, places=1, batch=1, learning_rate=1e-5))
    again.load(tmp_path / "state.pt")
    assert again._adam_g.param_groups[0]["lr"] == again._adam_d.param_groups[0]["lr"] == 1e-5


def test_a_new_speed_of_augmentation_holds_after_a_stop() -> None:
    first = GanTrainer(SMALL, photos())
    first.controller.p = 0.5
    again = GanTrainer(replace(SMALL, adaptive_pictures=10), photos())
    again.restore(first.state())
    assert (again.controller.p, again.controller.pictures) == (0.5, 10)


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    class Second(Counting):
        def step(self) -> dict[str, float]:
            with pytest.raises(BadInput, match="another training runs in this folder"):
                run(tmp_path, Counting(), 1, silent, samples_every=9, checkpoint_s=9)
            return super().step()

    trainer = Second()
    run(tmp_path, trainer, 1, silent, samples_every=9, checkpoint_s=9)
    run(tmp_path, Counting(), 2, silent, samples_every=9, checkpoint_s=9)
    assert trainer.done == 1


def test_a_second_training_that_is_refused_changes_nothing_of_the_first(tmp_path: Path) -> None:
    """Its settings and data would be those of the card, and of the next start."""
    gan, pairs = tmp_path / "gan", tmp_path / "pairs"
    data = write_blocks(tmp_path / "blocks", count=2, size=64)
    assert list(make_store(tmp_path / "store", 1, seed=1, size=128, processes=1)) == [1]
    for folder in (gan, pairs):
        folder.mkdir()
        for name in ("settings.toml", "data.txt", "data.json"):
            (folder / name).write_text("of the first")
    with alone_in(gan), pytest.raises(BadInput, match="another training"):
        train_generator(gan, data, "photo", SMALL, silent, World())
    with alone_in(pairs), pytest.raises(BadInput, match="another training"):
        train_toonify(pairs, tmp_path / "store", ToonifySettings(heads=True), silent, config=TINY)
    kept = [
        (folder / name).read_text() for folder in (gan, pairs) for name in ("settings.toml", "data.txt", "data.json")
    ]
    assert kept == ["of the first"] * 6


def test_a_run_that_goes_on_with_other_data_remembers_what_it_has_seen(tmp_path: Path) -> None:
    """Its card names the data; of a run that was begun anew it is the new one alone."""
    counts = {"first": 1, "second": 2}
    for name, count in counts.items():
        list(make_store(tmp_path / name, count, seed=count, size=128, processes=1))

    def seen(*names: str, steps: int) -> list[int]:
        settings = ToonifySettings(heads=True, steps_128=steps, steps_256=0, batch_part=1, adversarial=0)
        folders = [tmp_path / name for name in names]
        train_toonify(tmp_path / "run", folders, settings, silent, config=TINY)
        return [plan["count"] for plan in json.loads((tmp_path / "run" / "data.json").read_text())]

    assert seen("first", steps=1) == [1]
    assert seen("second", steps=2) == [1, 2]
    assert seen("second", "first", steps=3) == [1, 2]
    (tmp_path / "run" / "checkpoint.pt").unlink()
    assert seen("second", steps=1) == [2]


def test_weights_that_broke_are_not_saved_though_their_loss_was_good(tmp_path: Path) -> None:
    class Breaking(Counting):
        def state(self) -> dict[str, Any]:
            weights = torch.tensor([1.0, float("nan") if self.done == 3 else 2.0])
            return super().state() | {"nets": [{"weight": weights}]}

    with pytest.raises(BadInput, match="weights broke at step 3"):
        run(tmp_path, Breaking(), 5, silent, samples_every=9, checkpoint_s=0)
    kept = load_state(tmp_path / "checkpoint.pt")
    assert kept is not None and kept["step"] == 2
    trainer = NextFrameTrainer([torch.zeros(3, 3, 256, 256, dtype=torch.uint8)], Plan(filters=1, places=1, batch=1))
    next(trainer.mean.parameters()).fill_(float("inf"))
    with pytest.raises(BadInput, match="weights broke at step 0"):
        trainer.save(tmp_path / "state.pt")
    assert not (tmp_path / "state.pt").exists()


@pytest.mark.parametrize("content", [b"", b"hello world", pickle.dumps(print), b"PK\x05\x06" + bytes(18), bytes(99)])
def test_what_is_no_checkpoint_is_named_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(ModelRejected, match=r"checkpoint\.pt: not a checkpoint") as told:
        load_state(tmp_path / "checkpoint.pt")
    assert "\n" not in str(told.value)


def test_a_checkpoint_of_another_kind_is_refused(tmp_path: Path) -> None:
    state: dict[str, Any] = {"step": 1, "ema": {}, "critic": {}, "critic_config": "{}", "config": "{}"}
    save_atomically(state, tmp_path / "checkpoint.pt")
    write_settings(ToonifySettings(), tmp_path / "settings.toml")
    with pytest.raises(BadInput, match="not one of `train toonify`"):
        export.load_run(tmp_path, TINY)
    with pytest.raises(BadInput, match="broken"):
        open_start(tmp_path)


def test_a_line_cut_off_costs_the_log_that_line_alone(tmp_path: Path) -> None:
    log = RunLog(tmp_path, from_step=0)
    for step in (1, 2):
        log.add(step, {"loss": 0.5})
    log.close()
    with log.path.open("a") as file:
        file.write('{"step": 3, "time": 1')
    assert export.hours(tmp_path) >= 0
    again = RunLog(tmp_path, from_step=9)
    again.close()
    assert [row["step"] for row in again.rows] == [1, 2]


def test_a_log_for_which_there_is_no_room_is_named(tmp_path: Path) -> None:
    log, most = RunLog(tmp_path, from_step=0), resource.getrlimit(resource.RLIMIT_FSIZE)
    log.close()
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, most[1]))
    try:
        with pytest.raises(OSError, match=r"log\.jsonl"):
            log.add(1, {"loss": 0.5})
        with pytest.raises(OSError, match=r"warnings\.txt"):
            log.note(1, "alike")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)


def test_a_data_set_that_has_moved_is_told_with_where_its_place_is_written(tmp_path: Path) -> None:
    data, run = tmp_path / "data set", tmp_path / "run"
    list(make_store(data, 2, seed=1, size=64, processes=1))
    run.mkdir()
    (run / "data.txt").write_text("/elsewhere/data set\n")
    with pytest.raises(
        BadInput, match=f"/elsewhere/data set: no finished .* if it has moved, write into {run}/data.txt"
    ):
        data_of(run, "photo")
    (run / "data.txt").write_text(f"{data}\n", encoding="utf-8")  # as an editor leaves it
    assert len(data_of(run, "photo")) == 2


def test_settings_without_end_come_back_and_senseless_ones_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    never = ToonifySettings(checkpoint_s=float("inf"))
    write_settings(never, path)
    assert read_settings(ToonifySettings, path) == never
    for text in ("samples_every = 0", "early_256 = 0", "seed = -1", "lr = nan", "batch_128 = 0"):
        path.write_text(text)
        with pytest.raises(BadInput, match=f"{text.split()[0]} must be at least"):
            read_settings(ToonifySettings, path)


def test_a_drawing_process_that_is_killed_hangs_nothing_and_the_store_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="was killed"):
        for _ in make_store(tmp_path, 40, seed=5, size=64, processes=1):
            for process in multiprocessing.active_children():
                process.kill()
    assert not (tmp_path / "store.json").exists()
    assert list(make_store(tmp_path, 40, seed=5, size=64, processes=1))[-1] == 40
    assert len(make_batch(PairStore.open(tmp_path), 44, np.random.default_rng(0)).photo) == 44  # more than there are
    for seed, size in ((-1, 64), (1, 513)):  # there is noise for 512 px
        with pytest.raises(BadInput, match="seed must be 0 or more, size 64 to 512"):
            next(make_store(tmp_path / "other", 1, seed=seed, size=size))
    os.truncate(tmp_path / "drawing.npy", 1000)
    for torn in (lambda: PairStore.open(tmp_path), lambda: Pictures.open(tmp_path, "drawing")):
        with pytest.raises(BadInput, match=r"drawing\.npy: cannot be read"):
            torn()
    (tmp_path / "plan.json").write_text('{"cou')
    with pytest.raises(BadInput, match=r"plan\.json: is torn"):
        next(make_store(tmp_path, 40, seed=5, size=64))
    (tmp_path / "style.safetensors").write_bytes(b"notes")
    with pytest.raises(ModelRejected, match=r"style\.safetensors"):
        _weights_of(tmp_path / "style.safetensors")


def test_a_command_that_is_killed_leaves_no_process_that_draws(tmp_path: Path) -> None:
    script = """
import multiprocessing, os, pathlib, sys
from stylizer.training.data.store import make_store
if __name__ == "__main__":
    for _ in make_store(pathlib.Path(sys.argv[1]) / "pairs", 999, seed=5, size=64, processes=1):
        print(*(process.pid for process in multiprocessing.active_children()), flush=True)
        os.kill(os.getpid(), 9)
"""
    (tmp_path / "script.py").write_text(script)
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path)]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as killed:
        assert killed.stdout is not None
        drawing = int(killed.stdout.readline())
        killed.wait()
    deadline = time.monotonic() + 20
    while _runs(drawing):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _runs(pid: int) -> bool:
    """A zombie that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_picture_too_large_is_passed_over(tmp_path: Path) -> None:
    source, said = tmp_path / "drawings", list[str]()
    source.mkdir()
    for i in range(2):
        Image.new("RGB", (20, 40), (200, i, 30)).save(source / f"{i}.png")
    head = b"IHDR" + struct.pack(">IIBBBBB", 9400, 9400, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))
    (source / "vast.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT")
    assert make_pictures(source, tmp_path / "set", "drawing", said.append) == 2
    assert any("vast.png: 9400x9400 pixels" in line for line in said)


def test_an_older_style_stays_until_the_new_one_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_folder, style = tmp_path / "run", tmp_path / "inked"
    run_folder.mkdir()
    style.mkdir()
    (style / "weights.safetensors").write_bytes(b"older")
    write_settings(ToonifySettings(), run_folder / "settings.toml")
    net = ToonifyNet(TINY)

    def killed(*_: object) -> dict[str, float]:
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "load_run", lambda run: (net, 3))
    monkeypatch.setattr(export, "measure", killed)
    with pytest.raises(KeyboardInterrupt):
        export.export_style(run_folder, style, title="Inked", machine="", weak=["hands"], pairs=2)
    assert (style / "weights.safetensors").read_bytes() == b"older"
    with pytest.raises(BadInput, match="name: "):  # before measuring, not after
        export.export_style(run_folder, tmp_path / "My Style", title="x", machine="", weak=["hands"], pairs=2)


def test_the_card_names_the_hand_that_drew_the_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_folder, measured = tmp_path / "run", list[str]()
    run_folder.mkdir()
    net = ToonifyNet(TINY)
    save_atomically({"step": 1, "ema": net.state_dict()}, run_folder / "checkpoint.pt")
    write_settings(ToonifySettings(), run_folder / "settings.toml")
    (run_folder / "data.json").write_text('[{"count": 5, "hand": "comic"}]')
    monkeypatch.setattr(export, "load_run", lambda run: (net, 1))

    def measure(net: ToonifyNet, pairs: int, hand: str) -> dict[str, float]:
        measured.append(hand)
        return {}

    monkeypatch.setattr(export, "measure", measure)
    card = export.export_style(run_folder, tmp_path / "mine", title="Mine", machine="", weak=["hands"], pairs=2)
    assert (card.hand, measured) == ("comic", ["comic"])
    assert "hand comic" in card.data


def test_footage_that_is_not_there_is_told_before_pairs_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "measure", lambda *_: pytest.fail("drew for minutes"))
    with pytest.raises(BadInput, match="nowhere"):
        evaluate.report(Settings.load(), "anime", tmp_path / "nowhere", frames=2, pairs=2)


def test_clips_of_one_picture_or_of_several_shapes_are_named(tmp_path: Path) -> None:
    for name, width in (("a.png", 8), ("b.png", 16)):
        Image.new("RGB", (width, 8)).save(tmp_path / name)
    with pytest.raises(BadInput, match="2 pictures of several shapes"):
        load_films([str(tmp_path)])
    with pytest.raises(BadInput, match=r"a\.png: holds 1 pictures"):
        load_films([str(tmp_path / "a.png")])


def test_a_dream_whose_numbers_break_or_whose_name_cannot_be_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(filters=1, places=1, batch=1)
    clip = tmp_path / "clip"
    clip.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("RGB", (8, 8)).save(clip / name)
    monkeypatch.setattr(NextFrameTrainer, "step", lambda self: {"l1": float("nan")})
    with pytest.raises(BadInput, match="l1 is nan at step 0"):
        run_next_frame([str(clip)], tmp_path / "silk", plan, minutes=1, title="Silk", say=silent)
    assert not (tmp_path / "silk" / "state.pt").exists()
    with pytest.raises(BadInput, match="name: "):
        run_next_frame([str(clip)], tmp_path / "Foo Bar", plan, minutes=0, title="Foo", say=silent)
    (tmp_path / "silk" / "state.pt").write_bytes(b"half")
    with pytest.raises(ModelRejected, match=r"state\.pt"):
        run_next_frame([str(clip)], tmp_path / "silk", plan, minutes=0, title="Silk", say=silent)
