from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from PIL import Image

from stylizer.errors import BadInput, Unavailable
from stylizer.training import parallel
from stylizer.training.loop import run
from stylizer.training.parallel import World, joined
from stylizer.training.run import RunLog
from stylizer.training.settings import read_settings, write_settings
from stylizer.training.stylegan2 import GanSettings
from stylizer.training.toonify import ToonifySettings
from stylizer.training.watch import ALIKE, WINDOW, first_not_finite, troubles, variety


class Counting:
    """A training whose numbers are known; `wrong_at` is the step that ends in no number."""

    def __init__(self, wrong_at: int = -1) -> None:
        self.done, self.wrong_at, self.shown = 0, wrong_at, 0

    def step(self) -> dict[str, float]:
        self.done += 1
        return {"loss": float("nan") if self.done == self.wrong_at else 1 / self.done}

    def state(self) -> dict[str, Any]:
        return {"step": self.done}

    def restore(self, state: dict[str, Any]) -> None:
        self.done = state["step"]

    def samples(self, path: Path) -> None:
        self.shown += 1
        path.write_bytes(b"x")


def test_the_loop_saves_shows_tells_and_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    trainer = Counting()
    run(tmp_path, trainer, 5, said.append, samples_every=2, checkpoint_s=0)
    assert trainer.shown == 3, "at 2, 4 and the end"
    assert "step 1/5" in said[0] and "left" in said[0] and "loss 1" in said[0]
    again = Counting()
    run(tmp_path, again, 7, said.append, samples_every=100, checkpoint_s=100)
    assert again.done == 7
    assert [line.split(",")[0] for line in (tmp_path / "log.jsonl").read_text().splitlines()][-1] == '{"step": 7'
    assert (tmp_path / "curves.png").is_file()


def test_curves_show_every_number_though_the_last_step_has_few(tmp_path: Path) -> None:
    def height_of(rows: list[dict[str, float]]) -> int:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        log = RunLog(folder, from_step=0)
        for step, row in enumerate(rows, 1):
            log.add(step, row)
        log.picture()
        log.close()
        with Image.open(folder / "curves.png") as curves:
            return curves.height

    made, photo = {"made_l1": 0.3, "lr": 0.1}, {"photo_l1": 0.4, "lr": 0.1}
    assert height_of([made, photo]) == height_of([photo, made]) == height_of([made | photo] * 2)


def test_a_number_that_is_none_ends_the_run_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="loss is nan at step 4"):
        run(tmp_path, Counting(wrong_at=4), 9, lambda line: None, samples_every=9, checkpoint_s=0)
    kept = Counting()
    kept.restore(torch.load(tmp_path / "checkpoint.pt", weights_only=True))
    assert kept.done == 3


def test_a_collapsing_training_is_warned_of_once(tmp_path: Path) -> None:
    class Stuck(Counting):
        def step(self) -> dict[str, float]:
            super().step()
            return {"critic": 1e-3, "variety": 0.01}

    said: list[str] = []
    run(tmp_path, Stuck(), WINDOW + 5, said.append, samples_every=1000, checkpoint_s=1000)
    warnings = [line for line in said if line.startswith("WARNING")]
    assert len(warnings) == 3
    assert len((tmp_path / "warnings.txt").read_text().splitlines()) == 3


def test_what_counts_as_trouble() -> None:
    lively = [{"critic": 1 + 0.1 * (i % 3), "generator": 0.8 + 0.1 * (i % 2), "variety": 0.9} for i in range(WINDOW)]
    assert troubles(lively) == {} == troubles([])
    still = [{"generator": 0.7} for _ in range(WINDOW)]
    assert list(troubles(still)) == ["stuck-generator"]
    assert list(troubles([{"variety": ALIKE / 2}])) == ["alike"]
    now_and_then = [{"photo_loss": 0.3} if i % 2 else {"made_loss": 0.2 + i % 5} for i in range(2 * WINDOW)]
    assert list(troubles(now_and_then)) == ["stuck-photo_loss"]
    assert first_not_finite({"a": 1.0, "b": float("inf")}) == "b"
    assert first_not_finite({"a": 1.0}) is None


def test_variety_sees_whether_pictures_differ() -> None:
    torch.manual_seed(0)
    noise, blocks = torch.rand(6, 3, 64, 64), torch.rand(6, 3, 1, 1).expand(-1, -1, 64, 64)
    assert variety(blocks[:1].expand(6, -1, -1, -1)) == 0
    assert variety(blocks) > 4 * variety(noise), "noise within a picture is no variety"


def test_settings_come_back_as_they_were_and_faults_are_named(tmp_path: Path) -> None:
    settings, path = GanSettings(widths=(8, 8), critic_widths=(4, 4), lr=0.5, adaptive=False), tmp_path / "s.toml"
    write_settings(settings, path)
    assert read_settings(GanSettings, path) == settings
    faults = {
        "stepz = 3": "stepz is no setting",
        'lr = "fast"': "lr must be of type float, got 'fast'",
        "widths = [1.5]": "widths must be a list of whole numbers",
        "widths = [8, 8]": "critic_widths must have as many",
        "batch = 0": "batch must be at least 1",
        "batch = ": "not TOML",
        "batch = true": "batch must be of type int",
        "z_dim = 0": "z_dim 0",
        "mapping_layers = 0": "mapping_layers 0",
        "widths = [8, 0, 8, 8, 8, 8, 8]": "widths must be at least 1, got 0",
        "critic_widths = [8, -1, 8, 8, 8, 8, 8]": "critic_widths must be at least 1, got -1",
        "widths = [8]\ncritic_widths = [8]": "size 4 is too small",
        "ema_pictures = 0": "ema_pictures must be at least 1",
        "adaptive_pictures = 0": "adaptive_pictures must be at least 1",
    }
    for text, words in faults.items():
        path.write_text(text)
        with pytest.raises(BadInput, match=words):
            read_settings(GanSettings, path)
    path.write_text("heads = true\nbatch_part = 0")
    with pytest.raises(BadInput, match="batch_part must be at least 1"):
        read_settings(ToonifySettings, path)
    path.write_text("lr = 1")
    assert read_settings(GanSettings, path).lr == 1.0


def test_alone_nothing_is_averaged() -> None:
    with joined() as world:
        assert (world.rank, world.size, world.first) == (0, 1, True)
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.full((2,), 3.0)
    World().average([parameter])
    assert parameter.grad.tolist() == [3, 3] and World().mean(0.5) == 0.5


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """-> the cards that were chosen."""
    chosen: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(parallel, "why_no_cuda", lambda: "")
    monkeypatch.setenv("WORLD_SIZE", "3")
    return chosen


def test_each_process_takes_its_own_card_and_tells_nccl_which(
    two_cards: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, object] = {}
    monkeypatch.setattr(dist, "init_process_group", lambda backend, **kwargs: told.update(kwargs, backend=backend))
    monkeypatch.setattr(dist, "destroy_process_group", lambda: None)
    monkeypatch.setenv("LOCAL_RANK", "1")
    with joined() as world:
        assert world.device == torch.device("cuda", 1) and two_cards == [world.device]
    assert told["backend"] == "nccl" and told["device_id"] == world.device


def test_more_processes_than_cards_are_refused_in_words(
    two_cards: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(BadInput, match="process 3 of this machine, which has 2 GPUs"), joined():
        pass
    assert not two_cards


def test_a_card_that_is_of_no_use_is_not_trained_on(
    two_cards: list[torch.device], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parallel, "why_no_cuda", lambda: "GTX 1070 is of compute capability 6.1")
    with pytest.raises(Unavailable, match="GTX 1070"), joined():
        pass
