import hashlib
import json
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from stylizer.convert.toonify import ToonifyNet, load_style, save_style
from stylizer.errors import BadInput, ModelRejected
from stylizer.training import toonify
from stylizer.training.batch import Batch, heads_of, turned
from stylizer.training.data.store import PairStore, make_store
from stylizer.training.export import add_head
from stylizer.training.run import RunLog, StopAsked, follow, load_state, save_atomically
from stylizer.training.settings import read_settings, write_settings
from stylizer.training.toonify import ToonifySettings, Trainer, train
from stylizer.weights.card import Card, Kind
from tests.convert.test_toonify import TINY
from tests.training.processes import in_two_processes

QUICK = ToonifySettings(
    seed=3,
    photo_steps=2,
    steps_128=30,
    batch_128=4,
    steps_256=2,
    batch_256=2,
    lr=0.01,
    photo_share=0.2,
    samples_every=20,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("pairs")
    assert list(make_store(folder, 12, seed=5, processes=1)) == list(range(1, 13))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield folder
    torch.set_num_threads(threads)


def _weights(trainer: Trainer) -> torch.Tensor:
    return torch.cat([v.flatten() for v in trainer.ema.state_dict().values()])


@pytest.mark.slow
def test_training_lowers_its_loss(store: Path, tmp_path: Path) -> None:
    trainer = Trainer(QUICK, PairStore.open(store), TINY)
    losses = [trainer.step() for _ in range(30)]
    style = [values["style"] for values in losses if "style" in values]
    assert np.mean(style[-5:]) < 0.75 * np.mean(style[:3])
    trainer.samples(tmp_path / "samples.png", n=2)
    assert (tmp_path / "samples.png").stat().st_size > 1000


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_like_one_that_was_not(store: Path, tmp_path: Path) -> None:
    opened = PairStore.open(store)
    whole = Trainer(QUICK, opened, TINY)
    for _ in range(6):
        whole.step()
    first = Trainer(QUICK, opened, TINY)
    for _ in range(4):  # past the photo steps
        first.step()
    save_atomically(first.state(), tmp_path / "checkpoint.pt")
    second = Trainer(QUICK, opened, TINY)
    state = load_state(tmp_path / "checkpoint.pt")
    assert state is not None
    second.restore(state)
    for _ in range(2):
        second.step()
    torch.testing.assert_close(_weights(second), _weights(whole), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_run_leaves_its_settings_log_curves_and_samples(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    settings = ToonifySettings(photo_steps=1, steps_128=2, batch_128=2, steps_256=1, batch_256=1, samples_every=2)
    trainer = train(tmp_path, store, settings, said.append, config=TINY)
    assert trainer.done == 3
    assert read_settings(ToonifySettings, tmp_path / "settings.toml") == settings
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [1, 2, 3]
    assert {"curves.png", "samples_000002.png", "checkpoint.pt", "tensorboard"} <= {p.name for p in tmp_path.iterdir()}
    assert "step 1/3" in said[0] and "left" in said[0]
    assert train(tmp_path, store, settings, said.append, config=TINY).done == 3, "nothing is left to do"


@pytest.fixture(scope="module")
def heads(store: Path, tmp_path_factory: pytest.TempPathFactory) -> PairStore:
    """The middles of the pairs, for which a network for heads is made as for heads."""
    whole = PairStore.open(store)
    middle = slice(64, 192)
    rows = np.arange(len(whole))
    return PairStore(*(a[rows][:, middle, middle].copy() for a in (whole.photo, whole.drawing, whole.labels)))


@pytest.mark.slow
def test_a_network_for_heads_learns_from_pairs_of_128_px(heads: PairStore, tmp_path: Path) -> None:
    trainer = Trainer(replace(QUICK, heads=True, steps_128=0, steps_256=30, batch_part=4), heads, TINY)
    losses = [trainer.step() for _ in range(30)]
    style = [values["style"] for values in losses if "style" in values]
    assert np.mean(style[-5:]) < 0.75 * np.mean(style[:3])
    trainer.samples(tmp_path / "samples.png", n=2)


def _places(n: int, side: int) -> Batch:
    """Pictures that say of each pixel where it was: x, y and their sum, in sides."""
    y, x = torch.meshgrid(torch.arange(side) / side, torch.arange(side) / side, indexing="ij")
    place = torch.stack([x, y, x + y]).expand(n, 3, side, side)
    zeros = torch.zeros(n, 1, side, side)
    return Batch(place, zeros + x, place, zeros + x, (zeros + 9 * x).round(), torch.zeros(n, 3, 1, 1))


def test_a_turned_picture_shows_nothing_from_beyond_and_stays_a_pair() -> None:
    batch = _places(20, 128)
    after = turned(batch, np.random.default_rng(4))
    assert (after.photo - batch.photo).abs().amax((1, 2, 3)).min() > 0.01, "each is moved"
    torch.testing.assert_close(after.drawing, after.photo)
    torch.testing.assert_close(after.alpha, after.matte)
    assert (after.labels / 9 - after.matte).abs().max() < 0.08
    slopes = after.photo[:, :2].diff(dim=-1).flatten(2)  # even all over, unless the border was repeated
    assert (slopes.amax(-1) - slopes.amin(-1)).max() < 1e-4


def test_a_style_is_given_a_network_for_heads_and_its_card_says_so(heads: PairStore, tmp_path: Path) -> None:
    run, style = tmp_path / "run", tmp_path / "inked"
    style.mkdir()
    settings = ToonifySettings(heads=True, photo_steps=0, steps_128=0, steps_256=1, batch_part=1)
    for folder, chosen in ((run, settings), (tmp_path / "figures", ToonifySettings())):
        folder.mkdir()
        write_settings(chosen, folder / "settings.toml")
    trainer = Trainer(settings, heads)
    save_atomically(trainer.state(), run / "checkpoint.pt")
    body = ToonifyNet(TINY).eval()
    save_style(body, style / "weights.safetensors")
    card = Card(
        name="inked", title="Inked", kind=Kind.TOONIFY, data="drawn at home", licence="CC0-1.0", weak_points=("hands",)
    )
    (style / "card.toml").write_text(card.to_toml())
    for weak in ([], ["ears"]):  # a second time as well: the newer head takes the older one's place
        add_head(run, style, weak=weak)
        told, net = Card.read(style), load_style(style / "weights.safetensors")
        assert told.data.startswith("drawn at home; heads: ") and told.data.count("heads:") == 1
        assert told.weak_points == (tuple(weak) or ("hands",))
        assert told.sha256 == hashlib.sha256((style / "weights.safetensors").read_bytes()).hexdigest()
        assert net.head is not None
        wanted = trainer.ema.encoder.stem.weight
        torch.testing.assert_close(net.head.encoder.stem.weight, wanted, atol=2e-3, rtol=2e-3)
        torch.testing.assert_close(net.encoder.stem.weight, body.encoder.stem.weight, atol=2e-3, rtol=2e-3)
    with pytest.raises(BadInput, match="whole figures"):
        add_head(tmp_path / "figures", style, weak=[])


@pytest.mark.parametrize(("heads", "allowed"), [(False, "a style is trained on 256"), (True, "trained on 128 or 256")])
def test_pairs_of_another_size_are_refused_by_what_they_are_for(heads: bool, allowed: str, tmp_path: Path) -> None:
    for _ in make_store(tmp_path / "small", 1, seed=1, size=64, processes=1):
        pass
    with pytest.raises(BadInput, match=f"64 px, .*{allowed}"):
        train(tmp_path, tmp_path / "small", replace(QUICK, heads=heads), lambda _: None, config=TINY)


def test_a_network_for_heads_sees_them_far_and_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """From pairs of 256 px: whole at 128, in parts of 192 and 256, as the closeup takes them."""
    monkeypatch.setattr("stylizer.training.batch.turned", lambda batch, rng: batch)
    batch, seen = _places(2, 256), set()
    for seed in range(24):
        one = heads_of(batch, np.random.default_rng(seed))
        assert one.photo.shape == (2, 3, 128, 128)
        torch.testing.assert_close(one.drawing, one.photo)
        seen.add(16 * round(1 / 16 / float(one.photo[:, 0].diff(dim=-1).median())))
    assert seen == {128, 192, 256}


def test_the_style_starts_as_a_copy_of_the_photo_generator(store: Path) -> None:
    settings = ToonifySettings(photo_steps=1, steps_128=3, batch_128=1, photo_share=1.0)
    trainer = Trainer(settings, PairStore.open(store), TINY)
    trainer.step()
    photo = {k: v.clone() for k, v in trainer.net.photo.state_dict().items()}
    trainer.step()  # begins with the copy; a photo step leaves the style alone
    for name, value in trainer.net.style.state_dict().items():
        assert torch.equal(value, photo[name]), name


@pytest.mark.slow
def test_two_processes_learn_what_one_with_twice_the_batch_does(store: Path, tmp_path: Path) -> None:
    """torchrun with gloo. The discriminator compares the pictures of one batch: with it, both only stay alike."""
    alone = replace(QUICK, steps_128=6, steps_256=3, batch_128=4, batch_256=2, batch_part=2, adversarial=0, bf16=False)
    write_settings(replace(alone, batch_128=2, batch_256=1, batch_part=1), tmp_path / "paired.toml")
    judged = replace(alone, photo_steps=0, photo_share=0, steps_128=0, adversarial_from=0, adversarial=1.0, r1_every=2)
    write_settings(judged, tmp_path / "judged.toml")
    in_two_processes(TWO.format(out=tmp_path, store=store), tmp_path)
    one = Trainer(alone, PairStore.open(store), TINY)
    start = _weights(one).clone()
    for _ in range(alone.steps):
        one.step()
    paired, judged_by_both = ([torch.load(tmp_path / f"{kind}{i}.pt") for i in (0, 1)] for kind in ("paired", "judged"))
    assert torch.equal(paired[0]["weights"], paired[1]["weights"])
    assert paired[0]["style"] == paired[1]["style"]
    moved = (_weights(one) - start).abs().mean()
    assert (paired[0]["weights"] - _weights(one)).abs().mean() < 0.02 * moved, "rounding alone"
    for name in ("weights", "critic"):
        assert torch.equal(judged_by_both[0][name], judged_by_both[1][name]), name


TWO = """
from pathlib import Path
import torch
from stylizer.training import toonify
from stylizer.training.data.store import PairStore
from stylizer.training.parallel import joined
from stylizer.training.settings import read_settings
from stylizer.training.toonify import ToonifySettings, Trainer
from stylizer.weights.card import Card, Kind
from tests.convert.test_toonify import TINY

with joined(1) as world:
    for kind in ("paired", "judged"):
        settings = read_settings(ToonifySettings, Path("{out}") / f"{{kind}}.toml")
        trainer = Trainer(settings, PairStore.open(Path("{store}")), TINY, world)
        for _ in range(settings.steps):
            row = trainer.step()
        nets = dict(weights=trainer.ema, critic=trainer.critic.net if trainer.critic else trainer.ema)
        state = {{name: torch.cat([v.flatten() for v in net.state_dict().values()]) for name, net in nets.items()}}
        torch.save(dict(state, style=row.get("style")), Path("{out}") / f"{{kind}}{{world.rank}}.pt")
"""


@pytest.mark.slow
def test_a_run_that_draws_the_same_for_everybody_is_warned_of(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toonify, "LOOK", 2)
    blind = {name: torch.zeros_like(v) for name, v in ToonifyNet(TINY).state_dict().items() if "encoder" in name}
    save_file(blind, tmp_path / "blind.safetensors")
    settings = replace(QUICK, photo_steps=0, steps_128=2, steps_256=0, lr=0.0, batch_128=1)
    said: list[str] = []
    train(tmp_path / "run", store, settings, said.append, config=TINY, begin_from=tmp_path / "blind.safetensors")
    assert any(line.startswith("WARNING") and "nearly alike" in line for line in said), said
    assert "nearly alike" in (tmp_path / "run" / "warnings.txt").read_text()


def test_a_store_is_made_once_continued_and_never_mixed(store: Path, tmp_path: Path) -> None:
    assert len(PairStore.open(store)) == 12
    with pytest.raises(BadInput, match='"seed": 5'):
        next(make_store(store, 12, seed=6))
    with pytest.raises(BadInput, match="no finished store"):
        PairStore.open(tmp_path)


def test_stages_and_rate() -> None:
    s = ToonifySettings(steps_128=10, steps_256=20, batch_128=8, batch_256=4, lr=1.0, early_256=6)
    assert [s.stage(i) for i in (0, 5, 9, 10)] == [(128, 8), (256, 4), (128, 8), (256, 4)]
    assert s.rate(0) == pytest.approx(0.02)
    assert s.rate(29) < 0.2


def test_a_torn_checkpoint_is_refused_and_the_average_follows(tmp_path: Path) -> None:
    (tmp_path / "torn.pt").write_bytes(b"PK\x03\x04 half a file")
    with pytest.raises(ModelRejected, match=r"torn\.pt"):
        load_state(tmp_path / "torn.pt")
    assert load_state(tmp_path / "none.pt") is None
    slow, fast = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    before = slow.weight.detach().clone()
    follow(slow, fast, 0.75)
    torch.testing.assert_close(slow.weight, 0.75 * before + 0.25 * fast.weight)


def test_the_log_forgets_steps_that_a_kill_undid(tmp_path: Path) -> None:
    log = RunLog(tmp_path, from_step=0)
    for step in (1, 2, 3):
        log.add(step, {"style": 1 / step})
    log.close()
    again = RunLog(tmp_path, from_step=2)
    again.close()
    assert [row["step"] for row in again.rows] == [1, 2]


def test_a_polite_kill_ends_the_loop_and_gives_the_handlers_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopAsked() as stop:
        assert not stop.now
        signal.raise_signal(signal.SIGTERM)
        assert stop.now
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.slow
def test_the_critic_joins_at_its_step_learns_and_is_kept(store: Path) -> None:
    settings = ToonifySettings(
        photo_steps=0,
        steps_128=0,
        steps_256=4,
        batch_256=2,
        photo_share=0,
        adversarial=0.1,
        adversarial_from=2,
        r1_every=2,
    )
    trainer = Trainer(settings, PairStore.open(store), TINY)
    assert trainer.critic is not None
    before = [p.clone() for p in trainer.critic.net.parameters()]
    rows = [trainer.step() for _ in range(3)]
    assert ["critic" in row for row in rows] == [False, False, True]
    after = list(trainer.critic.net.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
    again = Trainer(settings, PairStore.open(store), TINY)
    again.restore(trainer.state())
    assert again.critic is not None
    for a, b in zip(after, again.critic.net.parameters(), strict=True):
        assert torch.equal(a, b)
