"""The encoder's training on a small generator, and the style that comes of it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stylizer.convert.toonify import load_style
from stylizer.errors import BadInput
from stylizer.stylegan2.discriminator import Discriminator, DiscriminatorConfig
from stylizer.stylegan2.generator import Generator, GeneratorConfig
from stylizer.stylegan2.mapping import seeded_z
from stylizer.stylegan2.synthesis import SynthesisConfig
from stylizer.training.compose import assemble, export_inverted, measure_unpaired
from stylizer.training.data.pictures import Pictures, shown
from stylizer.training.gan_runs import Start
from stylizer.training.inversion import EncoderSettings, EncoderTrainer, upper_part
from stylizer.training.run import load_state, save_atomically
from stylizer.training.settings import write_settings
from stylizer.weights.card import Card
from tests.training.test_stylegan2 import write_blocks

SMALL = GeneratorConfig(SynthesisConfig(widths=(8, 8, 8, 6, 5), first=4, w_dim=6), z_dim=5)  # 64 px
FULL = GeneratorConfig(SynthesisConfig(widths=(6, 6, 6, 5, 4, 4, 4), first=4, w_dim=6), z_dim=5)  # 256 px
QUICK = EncoderSettings(widths=(8, 8, 12), blocks=1, steps=40, batch=4, lr=0.02, bf16=False)
CRITIC = (4, 6, 6, 8, 8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pictures]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield Pictures.open(write_blocks(tmp_path_factory.mktemp("blocks"), size=64), "photo")
    torch.set_num_threads(threads)


def _generator(config: GeneratorConfig, seed: int = 1) -> Generator:
    torch.manual_seed(seed)
    return Generator(config).eval().requires_grad_(False)


def _trainer(photos: Pictures, settings: EncoderSettings = QUICK) -> EncoderTrainer:
    generator = _generator(SMALL)
    torch.manual_seed(9)
    return EncoderTrainer(settings, photos, generator, critic_of(generator))


def critic_of(generator: Generator) -> Discriminator:
    return Discriminator(DiscriminatorConfig(generator.config.size, CRITIC, 4))


def test_the_upper_part_draws_what_the_whole_generator_draws() -> None:
    net = _generator(SMALL)
    ws = net.style_vectors(torch.cat([seeded_z(i, 5) for i in range(3)]))
    feat = net.synthesis.features(ws, noise="none")
    part = upper_part(net)
    torch.testing.assert_close(part(feat, ws[:, 4:], noise="none"), net.synthesis(None, ws, noise="none"))


def test_a_generator_without_alpha_becomes_opaque() -> None:
    net = _generator(replace(SMALL, synthesis=replace(SMALL.synthesis, channels=3)))
    ws = net.style_vectors(seeded_z(1, 5))
    drawn = upper_part(net)(net.synthesis.features(ws, noise="none"), ws[:, 4:], noise="none")
    torch.testing.assert_close(drawn[:, :3], net.synthesis(None, ws, noise="none"))
    torch.testing.assert_close(drawn[:, 3:], torch.ones_like(drawn[:, 3:]))


def test_a_generator_too_small_for_features_at_16_is_refused() -> None:
    with pytest.raises(BadInput, match="draws 32 px"):
        upper_part(_generator(GeneratorConfig(SynthesisConfig(widths=(4, 4, 4, 4), first=4))))


def test_the_encoder_learns_to_give_the_pictures_back(photos: Pictures, tmp_path: Path) -> None:
    trainer = _trainer(photos, replace(QUICK, made=1.0))
    rows = [trainer.step() for _ in range(40)]
    early, late = (np.mean([row["made_l1"] for row in part]) for part in (rows[:5], rows[-5:]))
    assert late < 0.7 * early
    assert rows[-1]["made_latent"] < rows[0]["made_latent"]
    trainer.samples(tmp_path / "s.png", n=2)
    assert (tmp_path / "s.png").stat().st_size > 100


def test_every_photo_is_seen_as_often_as_any_other(photos: Pictures, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a step takes photos must not depend on what then chooses them."""

    class Enough(Exception):
        pass

    def chosen(trainer: EncoderTrainer, numbers: np.random.Generator) -> None:
        seen[numbers.choice(40, 4, replace=False)] += 1
        raise Enough

    def none(trainer: EncoderTrainer, numbers: np.random.Generator) -> None:
        raise Enough

    seen = np.zeros(40)
    monkeypatch.setattr(EncoderTrainer, "_photos", chosen)
    monkeypatch.setattr(EncoderTrainer, "_made", none)
    trainer = _trainer(photos, replace(QUICK, steps=4000))
    for step in range(4000):
        trainer.done = step
        with pytest.raises(Enough):
            trainer.step()
    assert 0.9 < seen[:20].sum() / seen[20:].sum() < 1.1


def test_a_run_that_was_stopped_ends_like_one_that_was_not(photos: Pictures, tmp_path: Path) -> None:
    whole, first, second = (_trainer(photos) for _ in range(3))
    for _ in range(5):
        whole.step()
    for _ in range(3):
        first.step()
    save_atomically(first.state(), tmp_path / "checkpoint.pt")
    state = load_state(tmp_path / "checkpoint.pt")
    assert state is not None
    second.restore(state)
    for _ in range(2):
        second.step()
    torch.testing.assert_close(second.ws_mean, whole.ws_mean)
    for name, value in whole.ema.state_dict().items():
        torch.testing.assert_close(second.ema.state_dict()[name], value, rtol=1e-5, atol=1e-6)


def test_encoder_and_two_generators_become_a_style(photos: Pictures, tmp_path: Path) -> None:
    photo, drawing = _generator(FULL, 1), _generator(FULL, 2)
    trainer = EncoderTrainer(replace(QUICK, details=True), photos, photo)
    save_atomically(trainer.state(), tmp_path / "checkpoint.pt")
    write_settings(trainer.settings, tmp_path / "settings.toml")
    (tmp_path / "log.jsonl").write_text('{"step": 1, "time": 1.0}\n')
    words = {"title": "Mine", "machine": "a test", "weak": ["untrained"], "data": "blocks", "licence": "CC0-1.0"}
    starts = Start(photo, hours=0.25), Start(drawing, hours=0.5)
    card = export_inverted(
        tmp_path, *starts, tmp_path / "mine", photos=_whole(tmp_path), drawings=None, **words  # type: ignore[arg-type]
    )  # fmt: skip
    assert Card.read(tmp_path / "mine") == card
    assert card.hours == 0.75, "of all three runs"
    assert {"photos", "photos_silhouette_iou", "photos_hue_agreement", "swd_to_photos"} == set(card.measures)
    net = load_style(tmp_path / "mine" / card.weights)
    ws = photo.style_vectors(seeded_z(7, 5))
    torch.testing.assert_close(net.look(7), ws[:, 4:], rtol=1e-2, atol=1e-2)  # kept in half precision
    feat = drawing.synthesis.features(ws, noise="none")
    want = shown(drawing.synthesis(None, ws, noise="none"))
    torch.testing.assert_close(shown(net.style(feat, ws[:, 4:], noise="none")), want, rtol=2e-2, atol=2e-2)


def test_few_drawings_or_pictures_of_another_size_are_measured_too(photos: Pictures, tmp_path: Path) -> None:
    net = assemble(EncoderTrainer(QUICK, photos, _generator(FULL)).net, torch.zeros(10, 6), *[_generator(FULL)] * 2)
    drawings = Pictures.open(write_blocks(tmp_path / "few", count=3, size=128), "drawing")
    measures = measure_unpaired(net.eval(), photos, drawings, 5)
    assert measures["photos"] == 5 and np.isfinite(measures["swd_to_drawings"])


def _whole(folder: Path) -> Pictures:
    return Pictures.open(write_blocks(folder / "data", count=2, size=256), "photo")


def test_generators_that_do_not_fit_are_refused(photos: Pictures) -> None:
    encoder = _trainer(photos).net
    with pytest.raises(BadInput, match="fine-tuned from the photo generator"):
        assemble(encoder, torch.zeros(6, 6), _generator(SMALL), _generator(FULL))
    with pytest.raises(BadInput, match="256 px, these generators 64"):
        assemble(encoder, torch.zeros(6, 6), _generator(SMALL), _generator(SMALL))
