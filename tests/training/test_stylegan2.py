"""Training of generators on small pictures that the test draws itself: coloured blocks on nothing."""

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from typer.testing import CliRunner

from stylizer.errors import BadInput
from stylizer.stylegan2.generator import load_generator, save_generator
from stylizer.stylegan2.layers import make_taps, upsample
from stylizer.training.cli import app
from stylizer.training.data.pictures import Pictures, over_grey, shown, sized
from stylizer.training.gan_runs import data_of, open_start
from stylizer.training.parallel import World
from stylizer.training.run import load_state, save_atomically
from stylizer.training.settings import write_settings
from stylizer.training.stylegan2 import GanSettings, GanTrainer, freeze
from tests.training.processes import environment, in_two_processes

TINY = GanSettings(
    widths=(16, 16, 12, 8),
    critic_widths=(8, 12, 16, 16),
    w_dim=12,
    z_dim=8,
    mapping_layers=2,
    steps=60,
    batch=4,
    lr=0.01,
    r1=0.1,
    r1_every=3,
    path_every=4,
    adaptive_pictures=40,
    ema_pictures=100,
    samples_every=1000,
    bf16=False,
)
GROWING = replace(TINY, grow=(3,))
NEWEST = "synthesis.blocks.32.to_rgb.weight"


def write_blocks(folder: Path, count: int = 24, size: int = 32) -> Path:
    """A data set: each picture a block of warm colour (photo), or of cold colour (drawing), on nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for side, tint in (("photo", (220, 120, 40)), ("drawing", (40, 120, 220))):
        pixels = np.zeros((count, size, size, 4), np.uint8)
        for picture in pixels:
            top, left = rng.integers(2, size // 3, 2)
            colour = np.clip(np.array(tint) + rng.integers(-30, 30, 3), 0, 255)
            picture[top : top + size // 2, left : left + size // 2] = (*colour, 255)
        np.save(folder / f"{side}.npy", pixels)
    (folder / "store.json").write_text(json.dumps({"count": count, "size": size}))
    return folder


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield write_blocks(tmp_path_factory.mktemp("blocks"))
    torch.set_num_threads(threads)


@pytest.fixture
def photos(blocks: Path) -> Pictures:
    return Pictures.open(blocks, "photo")


def _weights(trainer: GanTrainer) -> Tensor:
    nets = (trainer.net, trainer.ema, trainer.critic)
    return torch.cat([v.flatten() for net in nets for v in net.state_dict().values()])


def _mean_colour(trainer: GanTrainer) -> Tensor:
    z = torch.randn(24, TINY.z_dim, generator=torch.Generator().manual_seed(5))
    return shown(trainer.ema(z))[:, :3].mean((0, 2, 3))


def test_training_brings_the_pictures_nearer_to_the_real_ones(photos: Pictures, tmp_path: Path) -> None:
    trainer = GanTrainer(TINY, photos)
    real = over_grey(photos.batch(24, np.random.default_rng(0)))[:, :3].mean((0, 2, 3))
    before = (_mean_colour(trainer) - real).abs().mean()
    rows = [trainer.step() for _ in range(60)]
    assert (_mean_colour(trainer) - real).abs().mean() < 0.6 * before
    assert {"critic", "generator", "sign", "p"} <= rows[1].keys()
    assert "path" in rows[4] and "path" not in rows[5]
    trainer.samples(tmp_path / "samples.png", rows=1, columns=2)
    assert (tmp_path / "samples.png").stat().st_size > 100


def test_a_run_that_was_stopped_ends_like_one_that_was_not(photos: Pictures, tmp_path: Path) -> None:
    whole, first = GanTrainer(TINY, photos), GanTrainer(TINY, photos)
    for _ in range(8):
        whole.step()
    for _ in range(5):
        first.step()
    save_atomically(first.state(), tmp_path / "checkpoint.pt")
    second = GanTrainer(TINY, photos)
    state = load_state(tmp_path / "checkpoint.pt")
    assert state is not None
    second.restore(state)
    for _ in range(3):
        second.step()
    assert second.controller == whole.controller and second.path_mean == whole.path_mean
    torch.testing.assert_close(_weights(second), _weights(whole), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_run_killed_at_any_moment_ends_like_one_that_was_not(blocks: Path, photos: Pictures, tmp_path: Path) -> None:
    """It saves after each step, so that the kill may well fall into the writing of a checkpoint."""
    settings, out = replace(TINY, steps=40, checkpoint_s=0), tmp_path / "run"
    write_settings(settings, tmp_path / "s.toml")
    command = [sys.executable, "-m", "stylizer", "train", "stylegan2", str(blocks), "--out", str(out)]
    command += ["--settings", str(tmp_path / "s.toml"), "--threads", "1"]
    log, deadline = out / "log.jsonl", time.monotonic() + 120
    with subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL) as process:
        while not log.is_file() or log.read_text().count("\n") < 7:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
    killed = load_state(out / "checkpoint.pt")
    assert killed is not None and 5 <= killed["step"] < 40
    subprocess.run(command, env=environment(), check=True, capture_output=True, timeout=240)
    whole = GanTrainer(settings, photos)
    for _ in range(settings.steps):
        whole.step()
    again = GanTrainer(settings, photos)
    ended = load_state(out / "checkpoint.pt")
    assert ended is not None
    again.restore(ended)
    assert again.controller == whole.controller
    torch.testing.assert_close(_weights(again), _weights(whole), rtol=1e-5, atol=1e-6)
    steps = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    assert steps == list(range(1, 41)), "the log tells of one training"


class Watched(World):
    """Notes every gradient that a step hands to an optimiser."""

    seen: ClassVar[list[Tensor]] = []

    def average(self, parameters: Iterable[nn.Parameter]) -> None:
        self.seen.append(torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]))


def test_a_step_is_what_the_papers_write(photos: Pictures) -> None:
    """Both losses as one formula each: a penalty each k steps counts k times; the mean of the weights begins short."""
    Watched.seen.clear()
    settings = replace(TINY, adaptive=False)
    trainer, same = GanTrainer(settings, photos, Watched()), GanTrainer(settings, photos)
    trainer.step()
    numbers = np.random.default_rng((settings.seed, 0, 0))
    torch.manual_seed(int(numbers.integers(2**62)))
    real = over_grey(photos.batch(4, numbers)).requires_grad_()
    with torch.no_grad():
        fake, _ = same.generate(4)
    logits = same.critic(real)
    (slope,) = torch.autograd.grad(logits.sum(), real, create_graph=True)
    r1 = settings.r1 / 2 * slope.square().sum((1, 2, 3)).mean()
    loss = F.softplus(-logits).mean() + F.softplus(same.critic(fake)).mean() + 3 * r1
    wanted = [torch.autograd.grad(loss, list(same.critic.parameters()))]
    said = trainer.critic(same.generate(4)[0])
    picture, ws = same.generate(2)
    seen_along = (picture * torch.randn_like(picture)).sum() / 32
    lengths = torch.autograd.grad(seen_along, ws, create_graph=True)[0].square().sum(2).mean(1).sqrt()
    path = settings.path * (lengths - 0.01 * lengths.detach().mean()).square().mean()
    wanted.append(torch.autograd.grad(F.softplus(-said).mean() + 4 * path, list(same.net.parameters())))
    for got, parts in zip(Watched.seen, wanted, strict=True):
        torch.testing.assert_close(got, torch.cat([part.flatten() for part in parts]), rtol=1e-3, atol=1e-5)
    keeps = 0.5 ** (4 / (0.05 * 4 + 1))
    for slow, before, now in zip(*(net.parameters() for net in (trainer.ema, same.net, trainer.net)), strict=True):
        torch.testing.assert_close(slow, keeps * before + (1 - keeps) * now)


def test_made_and_real_pictures_are_augmented_alike(photos: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[float, bool]] = []

    def noted(pictures: Tensor, p: float) -> Tensor:
        seen.append((p, pictures.requires_grad))
        return pictures

    monkeypatch.setattr("stylizer.training.stylegan2.augment", noted)
    trainer = GanTrainer(TINY, photos)
    trainer.controller.p = 0.5
    trainer.step()
    assert seen == [(0.5, False), (0.5, False), (0.5, True)], (
        "real ones, made ones, and those that the generator learns by"
    )


def test_pictures_grow_and_what_a_new_size_adds_comes_in_gently(photos: Pictures, tmp_path: Path) -> None:
    trainer = GanTrainer(GROWING, photos)
    assert trainer.generate(2)[0].shape[-1] == 16
    for _ in range(3):
        trainer.step()
    z = torch.randn(4, TINY.z_dim)
    ws = trainer.net.style_vectors(z)
    small, large = (trainer.net.synthesis(None, ws, stop=size) for size in (16, 32))
    torch.testing.assert_close(upsample(small, make_taps()), large, msg="the new block adds nothing yet")
    assert trainer.generate(2)[0].shape[-1] == 32
    real = over_grey(photos.batch(4, np.random.default_rng(0)))
    old, new = trainer.critic(F.avg_pool2d(real, 2)), trainer.critic(real, GROWING.fade_at(3))
    assert (old - new).abs().max() < 0.1 * (old - trainer.critic(real)).abs().max()
    before = dict(trainer.net.named_parameters())[NEWEST].clone()
    for _ in range(3):
        trainer.step()
    assert not torch.equal(before, dict(trainer.net.named_parameters())[NEWEST])
    trainer.samples(tmp_path / "samples.png", rows=1, columns=2)


def test_a_growing_run_that_was_stopped_ends_like_one_that_was_not(photos: Pictures, tmp_path: Path) -> None:
    whole, first, second = (GanTrainer(GROWING, photos) for _ in range(3))
    for _ in range(6):
        whole.step()
    for _ in range(2):
        first.step()
    save_atomically(first.state(), tmp_path / "checkpoint.pt")
    state = load_state(tmp_path / "checkpoint.pt")
    assert state is not None
    second.restore(state)
    for _ in range(4):
        second.step()
    torch.testing.assert_close(_weights(second), _weights(whole), rtol=1e-5, atol=1e-6)


def test_growth_is_told_what_it_may_be(photos: Pictures) -> None:
    assert [GROWING.size_at(step) for step in (0, 2, 3, 60)] == [16, 16, 32, 32]
    assert [GROWING.r1_at(step) for step in (0, 3)] == [GROWING.r1 / 4, GROWING.r1]
    for wrong in ((5, 5), (9, 3), (3, 6)):
        with pytest.raises(ValueError, match="grow must be steps that rise, 1 of them at most"):
            replace(TINY, grow=wrong)
    start = GanTrainer(TINY, photos)
    with pytest.raises(BadInput, match="knows 0 smaller sizes"):
        GanTrainer(GROWING, photos, start=start.ema, critic=start.critic)


def test_small_pictures_weigh_less_in_the_penalty_of_a_step(photos: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    def slopes(r1: float) -> Tensor:
        Watched.seen.clear()
        GanTrainer(replace(GROWING, r1=r1), photos, Watched()).step()
        return Watched.seen[0]

    half_a_side, none = slopes(4.0), slopes(0.0)
    monkeypatch.setattr(GanSettings, "r1_at", lambda settings, step: settings.r1)
    torch.testing.assert_close(half_a_side, slopes(1.0))
    assert not torch.allclose(half_a_side, none)


def test_a_training_without_noise_leaves_its_inputs_alone(photos: Pictures) -> None:
    played, silent = GanTrainer(TINY, photos), GanTrainer(replace(TINY, noise=False), photos)
    for trainer in (played, silent):
        for _ in range(2):
            trainer.step()
        strengths = [p for name, p in trainer.net.named_parameters() if "noise" in name]
        assert strengths and all(bool(p.any()) == trainer.settings.noise for p in strengths)


def test_pictures_are_made_smaller_by_areas_and_larger_without_blocks() -> None:
    stripes = torch.tensor([0.0, 1.0]).repeat(8).expand(1, 1, 16, 16)
    torch.testing.assert_close(sized(stripes, 8), torch.full((1, 1, 8, 8), 0.5))
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    steps = sized(ramp, 32).diff(dim=-1)
    assert steps.max() < 0.3 and sized(ramp, 8) is ramp, "blocks would step by 1: a discriminator sees nothing else"


def test_adaptive_augmentation_follows_the_discriminator(photos: Pictures) -> None:
    trainer = GanTrainer(replace(TINY, adaptive_pictures=4), photos)
    rows = [trainer.step() for _ in range(8)]
    assert {row["p"] for row in rows} != {0.0}, "a discriminator of 24 pictures overfits at once"
    plain = GanTrainer(replace(TINY, adaptive=False), photos)
    assert {plain.step()["p"] for _ in range(5)} == {0.0}


def test_fine_tuning_starts_from_the_photo_generator_and_keeps_what_is_frozen(blocks: Path, photos: Pictures) -> None:
    start = GanTrainer(TINY, photos)
    start.step()
    drawings = Pictures.open(blocks, "drawing")
    tuned = GanTrainer(replace(TINY, freeze=8), drawings, start=start.ema, critic=start.critic)
    assert torch.equal(_weights(tuned)[:50], torch.cat([v.flatten() for v in start.ema.state_dict().values()])[:50])
    for _ in range(3):
        tuned.step()
    own, theirs = tuned.net.state_dict(), start.ema.state_dict()
    same = {name for name in own if torch.equal(own[name], theirs[name])}
    assert {"synthesis.const", "synthesis.blocks.8.conv1.weight", "mapping.layers.0.weight"} <= same
    assert not {"synthesis.blocks.16.conv0.weight", "synthesis.blocks.16.to_rgb.weight"} & same


def test_freeze_names_every_layer_below(photos: Pictures) -> None:
    net = GanTrainer(TINY, photos).net
    freeze(net, 4)
    frozen = {name for name, p in net.named_parameters() if not p.requires_grad}
    assert all(name.startswith(("mapping", "synthesis.const", "synthesis.blocks.4.conv1")) for name in frozen)


@pytest.mark.slow
def test_the_commands_leave_runs_that_the_next_one_goes_on_from(blocks: Path, tmp_path: Path) -> None:
    runner, settings = CliRunner(), tmp_path / "s.toml"
    write_settings(replace(TINY, steps=3, samples_every=2), settings)
    photo, drawing = tmp_path / "photo", tmp_path / "drawing"
    arguments = ["--settings", str(settings), "--threads", "1"]
    result = runner.invoke(app, ["stylegan2", str(blocks), "--out", str(photo), *arguments])
    assert result.exit_code == 0, result.output
    made = {path.name for path in photo.iterdir()}
    expected = {"settings.toml", "checkpoint.pt", "log.jsonl", "curves.png", "samples_000002.png", "tensorboard"}
    assert expected <= made
    result = runner.invoke(app, ["fine-tune", str(blocks), "--from", str(photo), "--out", str(drawing), *arguments])
    assert result.exit_code == 0, result.output
    assert "draws 32 px, a style 256: `train compose` will refuse it" in result.output, "not after hours of training"
    assert open_start(drawing).generator.config == open_start(photo).generator.config
    assert len(data_of(drawing, "drawing")) == 24
    save_generator(open_start(photo).generator, tmp_path / "g.safetensors")
    assert open_start(tmp_path / "g.safetensors").critic is None
    z = torch.zeros(1, TINY.z_dim) + 1
    assert torch.equal(load_generator(tmp_path / "g.safetensors")(z), open_start(photo).generator(z))
    with pytest.raises(BadInput, match="neither a run"):
        open_start(tmp_path)


@pytest.mark.slow
def test_two_processes_hold_the_same_weights_and_see_different_pictures(blocks: Path, tmp_path: Path) -> None:
    """torchrun with gloo, as on two GPUs with nccl: the checkpoint is written once, by the first."""
    settings = tmp_path / "s.toml"
    write_settings(replace(TINY, steps=4), settings)
    in_two_processes(TWO.format(settings=str(settings), blocks=str(blocks), out=str(tmp_path)), tmp_path)
    one, two = (torch.load(tmp_path / f"rank{i}.pt", weights_only=True) for i in (0, 1))
    assert one["seen"] != two["seen"]
    assert one["p"] == two["p"]
    assert min(one["patience_s"], two["patience_s"]) > 24 * 3600, "the first may draw or cut out for hours"
    for name, value in one["net"].items():
        torch.testing.assert_close(value, two["net"][name], rtol=0, atol=0)
    assert (tmp_path / "run" / "checkpoint.pt").is_file()


TWO = """
from pathlib import Path
import torch
import torch.distributed as dist
from stylizer.training.data.pictures import Pictures
from stylizer.training.gan_runs import train_generator
from stylizer.training.parallel import joined
from stylizer.training.settings import read_settings
from stylizer.training.stylegan2 import GanSettings

with joined(1) as world:
    settings = read_settings(GanSettings, Path("{settings}"))
    trainer = train_generator(Path("{out}") / "run", Path("{blocks}"), "photo", settings, lambda line: None, world)
    seen = torch.randn(()).item()  # torch's numbers differ from rank to rank, as z and the batch do
    patience_s = dist.group.WORLD._get_backend(world.device).options._timeout.total_seconds()
    state = dict(net=trainer.net.state_dict(), p=trainer.controller.p, seen=seen, patience_s=patience_s)
    torch.save(state, Path("{out}") / f"rank{{world.rank}}.pt")
"""
