import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from stylizer.errors import BadInput
from stylizer.pipeline import Pipeline
from stylizer.training.data.folders import framed, make_pictures
from stylizer.training.data.pictures import Pictures
from stylizer.training.data.store import make_store
from stylizer.training.gan_runs import prepared
from stylizer.training.parallel import World
from stylizer.vj.outputs.recorder import FilmFile
from tests.conftest import Finder


def _drawing(width: int = 120, height: int = 200, ground: tuple[int, int, int] = (250, 250, 245)) -> np.ndarray:
    """A red figure on a plain ground, opaque."""
    pixels = np.full((height, width, 4), 255, np.uint8)
    pixels[..., :3] = ground
    pixels[40:160, 40:80, :3] = (200, 30, 30)
    return pixels


def test_a_drawing_is_cut_out_of_its_plain_ground_and_framed() -> None:
    got = framed(_drawing())
    assert got.shape == (256, 256, 4)
    rows, columns = np.flatnonzero((got[..., 3] > 127).any(1)), np.flatnonzero((got[..., 3] > 127).any(0))
    side = 120 * 1.16
    assert rows[0] == pytest.approx(0.08 * 120 / side * 256, abs=2)
    assert len(rows) == pytest.approx(120 / side * 256, abs=3)
    assert (columns[0] + columns[-1]) / 2 == pytest.approx(127.5, abs=2)
    assert (got[128, 128] == (200, 30, 30, 255)).all()


def test_its_own_transparency_counts_and_a_full_picture_stays_whole() -> None:
    own = _drawing()
    own[..., 3] = 0
    own[40:160, 50:70, 3] = 255
    assert np.flatnonzero((framed(own)[..., 3] > 127).any(0)).size < 256 / 5
    painting = np.random.default_rng(0).integers(0, 256, (200, 120, 4), np.uint8)
    painting[..., 3] = 255
    assert (framed(painting)[..., 3] == 255).all()


def test_a_bust_on_plain_paper_is_cut_out_though_it_covers_the_lower_corners() -> None:
    paper = np.full((80, 80, 4), 255, np.uint8)
    paper[30:, :, :3] = (200, 40, 40)
    paper[10:31, 30:50, :3] = (230, 190, 160)
    alpha = framed(paper)[..., 3]
    assert alpha[0].max() == 0 and 0.3 < (alpha > 127).mean() < 0.9


@pytest.mark.parametrize("side", [200, 600, 1001, 1500])
def test_a_figure_ends_where_its_picture_does(side: int) -> None:
    bust = np.zeros((side, side, 4), np.uint8)
    bust[side * 3 // 10 :, side * 3 // 10 : side * 7 // 10] = (200, 40, 40, 255)
    assert framed(bust)[-12:, :, 3].max() == 0


@pytest.mark.parametrize("hidden", [(0, 0, 0), (255, 255, 255)])
def test_what_transparency_hides_does_not_colour_the_figures_border(hidden: tuple[int, int, int]) -> None:
    cut_out = np.zeros((600, 600, 4), np.uint8)
    cut_out[..., :3] = hidden
    cv2.circle(cut_out, (300, 300), 200, (120, 120, 120, 255), -1)
    got = framed(cut_out)
    border = (got[..., 3] > 25) & (got[..., 3] < 230)
    assert border.sum() > 100
    assert np.abs(got[border][:, :3].astype(int) - 120).max() < 12


def test_drawings_of_a_film_are_taken_as_far_apart_as_asked(tmp_path: Path) -> None:
    source = tmp_path / "drawings"
    source.mkdir()
    with FilmFile(source / "a.mp4", Fraction(10)) as film:
        for _ in range(20):
            film.write(np.ascontiguousarray(_drawing()[..., :3]))
    assert make_pictures(source, tmp_path / "set", "drawing", lambda line: None, every_s=0.5) == 4


def test_a_data_set_is_not_written_over_one_of_another_kind(tmp_path: Path) -> None:
    source, pairs, own = tmp_path / "drawings", tmp_path / "pairs", tmp_path / "own"
    source.mkdir()
    for i in range(2):
        Image.fromarray(_drawing()).save(source / f"{i}.png")
    assert list(make_store(pairs, 1, seed=1, size=64, processes=1)) == [1]
    make_pictures(source, own, "drawing", lambda line: None)
    before = [(folder / "drawing.npy").read_bytes() for folder in (pairs, own)]
    with pytest.raises(BadInput, match="pairs: holds drawn pairs"):
        make_pictures(source, pairs, "drawing", lambda line: None)
    with pytest.raises(BadInput, match="own: holds pictures"):
        next(make_store(own, 1, seed=1, size=64, processes=1))
    assert [(folder / "drawing.npy").read_bytes() for folder in (pairs, own)] == before


def test_two_commands_that_fill_one_folder_do_not_mix_their_pictures(tmp_path: Path) -> None:
    for name, count in (("ours", 3), ("theirs", 2)):
        (tmp_path / name).mkdir()
        for n in range(count):
            Image.fromarray(_drawing()).save(tmp_path / name / f"{n}.png")

    def meanwhile(line: str) -> None:
        with pytest.raises(BlockingIOError, match="somebody else is writing it at this moment"):
            make_pictures(tmp_path / "theirs", tmp_path / "set", "drawing", print)

    assert make_pictures(tmp_path / "ours", tmp_path / "set", "drawing", meanwhile) == 3
    assert len(Pictures.open(tmp_path / "set", "drawing")) == 3


def test_pictures_that_do_not_come_to_an_end_leave_nothing_on_the_disk(tmp_path: Path) -> None:
    """A film of an hour is a gigabyte; what was prepared of it stayed, on a disk that was full."""
    (tmp_path / "drawings").mkdir()
    Image.fromarray(_drawing()).save(tmp_path / "drawings" / "one.png")

    def full(line: str) -> None:
        raise OSError("No space left on device")

    for say in (print, full):
        with pytest.raises((BadInput, OSError)):
            make_pictures(tmp_path / "drawings", tmp_path / "set", "drawing", say)
        assert not list((tmp_path / "set").iterdir())


def test_other_pictures_than_those_that_a_run_has_prepared_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were ignored without a word."""
    mine, other, run = tmp_path / "mine", tmp_path / "other", tmp_path / "run"
    for folder in (mine, other):
        folder.mkdir()
        for i in range(2):
            Image.fromarray(_drawing()).save(folder / f"{i}.png")
    assert len(prepared(mine, run, "drawing", lambda line: None, World())) == 2
    monkeypatch.chdir(mine)
    assert len(prepared(Path("."), run, "drawing", lambda line: None, World())) == 2
    with pytest.raises(BadInput, match="run/pictures: was made of 'mine', asked for is .*other; name another --out"):
        prepared(other, run, "drawing", lambda line: None, World())


def test_a_folder_of_drawings_becomes_a_data_set_and_what_is_broken_is_named(tmp_path: Path) -> None:
    source, said = tmp_path / "drawings", list[str]()
    source.mkdir()
    for i in range(3):
        Image.fromarray(_drawing(ground=(255, 255 - i, 255))).save(source / f"{i}.png")
    (source / "3.png").write_bytes(b"no picture")
    Image.fromarray(np.zeros((9, 9, 4), np.uint8)).save(source / "4.png")
    (source / "5.HEIC").write_bytes(b"as a phone writes it")
    assert make_pictures(source, tmp_path / "set", "drawing", said.append) == 3
    assert sum("left out" in line for line in said) == 3
    assert any("5.HEIC: a picture of a kind that is not read" in line for line in said)
    assert any("4.png" in line and "transparent" in line for line in said)
    assert json.loads((tmp_path / "set" / "store.json").read_text())["count"] == 3
    assert Pictures.open(tmp_path / "set", "drawing").pixels.shape == (3, 256, 256, 4)
    with pytest.raises(BadInput, match="no finished data set with photos"):
        Pictures.open(tmp_path / "set", "photo")


def test_a_data_set_that_was_only_begun_is_not_taken_for_a_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "pairs").mkdir()
    (tmp_path / "pairs" / "plan.json").write_text("{}")  # as Ctrl-C leaves it
    with pytest.raises(BadInput, match="pairs: no finished data set with photos; make it with `stylizer train data`"):
        prepared(tmp_path / "pairs", tmp_path / "run", "photo", print, World())


@pytest.mark.parametrize("fault", ["no folder", "empty", "side", "one"])
def test_what_cannot_become_a_data_set_is_refused(fault: str, tmp_path: Path) -> None:
    words = {"no folder": "no such folder", "empty": "holds no pictures", "side": "photo, drawing", "one": "1 usable"}
    source = tmp_path / "s"
    if fault != "no folder":
        source.mkdir()
    if fault == "one":
        Image.fromarray(_drawing()).save(source / "a.png")
    with pytest.raises(BadInput, match=words[fault]):
        make_pictures(source, tmp_path / "t", "etching" if fault == "side" else "drawing", lambda line: None)


@pytest.mark.slow
def test_photos_and_films_become_matted_persons(tmp_path: Path, media: Finder, full_pipeline: Pipeline) -> None:
    source = tmp_path / "photos"
    source.mkdir()
    (source / "portrait.jpg").symlink_to(media("p3m/p_09ba26b4.jpg"))
    (source / "street.jpg").symlink_to(media("bus.jpg"))
    Image.fromarray(np.full((90, 90, 3), 120, np.uint8)).save(source / "nobody.png")
    count = make_pictures(source, tmp_path / "set", "photo", lambda line: None, pipeline=full_pipeline)
    pixels = Pictures.open(tmp_path / "set", "photo").pixels
    assert count == len(pixels) >= 2
    for picture in pixels[-2:]:
        covered = (picture[..., 3] > 127).mean()
        assert 0.1 < covered < 0.9, "a person, and air around"
