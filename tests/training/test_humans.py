"""Pairs from 3D people: reading and fitting on assets that the test writes, drawing on buffers with a known answer.

The tests of whole pairs want MakeHuman's assets, in the folder that STYLIZER_MAKEHUMAN names, and embreex.
"""

import json
import os
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from stylizer.cli import app
from stylizer.errors import BadInput
from stylizer.training.data.characters.sheet import LABELS
from stylizer.training.data.humans import dye
from stylizer.training.data.humans.assets import Assets
from stylizer.training.data.humans.buffer import Buffer, Surface, Window, blurred, vertex_normals
from stylizer.training.data.humans.drawing import borders, cleaned, inked, jumps, line, tones, without_specks
from stylizer.training.data.humans.glasses import make_glasses
from stylizer.training.data.humans.hand import HANDS, hand_named
from stylizer.training.data.humans.person import LANDMARKS, MIDDLE, Nature, invent, targets_of
from stylizer.training.data.humans.rig import Posture, from_quaternion, shaped, turn
from stylizer.training.data.store import PairStore, make_store
from stylizer.training.export import data_of
from stylizer.training.toonify import ToonifySettings

needs_embreex = pytest.mark.skipif(find_spec("embreex") is None, reason="embreex is not installed (extra `humans`)")
REAL = Path(os.environ.get("STYLIZER_MAKEHUMAN", "absent"))
needs_assets = pytest.mark.skipif(
    find_spec("embreex") is None or not (REAL / "public").is_dir(),
    reason="STYLIZER_MAKEHUMAN names no folder of MakeHuman's assets, or embreex is not installed",
)


def _write(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A square of four vertices, a second material that is a helper, an upper and a lower joint, a patch worn on it."""
    base = {
        "vertices": [0, 0, 0, 2, 0, 0, 2, 2, 0, 0, 2, 0],
        "uvs": [[0, 0, 1, 0, 1, 1, 0, 1]],
        "faces": [11, 0, 1, 2, 3, 0, 0, 1, 2, 3, 10, 0, 1, 2, 7, 0, 1, 2],
        "bones": [{"name": n} for n in ("root____head", "root", "arm____head", "arm")],
        "influencesPerVertex": 2,
        "skinIndices": [1, 0, 3, 1, 3, 1, 1, 0],
        "skinWeights": [1, 0, 1, 0, 0.5, 0.5, 2, 0],
        "metadata": {"joint_pos_idxs": {"root____head": [0, 3], "arm____head": [0, 1]}},
    }
    _write(tmp_path / "public/data/models/human_full_size.json", base)
    _write(tmp_path / "src/json/rigs/default.json", {"bones": {"root": {"parent": None}, "arm": {"parent": "root"}}})
    _write(tmp_path / "src/json/poses/poses.json", {"wave": {"arm": [0, 0, 0, 1]}})
    targets: dict[str, list[str]] = {"data/targets/b/Second.target": [], "data/targets/a/first.target": []}
    _write(tmp_path / "src/json/targets/target-list.json", {"targets": targets})
    bank = np.zeros((2, 4, 3), np.int16)
    bank[0, 2], bank[1, :, 2] = (1000, 0, 0), 500
    (tmp_path / "public/data/targets").mkdir()
    bank.tofile(tmp_path / "public/data/targets/targets.bin")
    patch = {
        **base,
        "vertices": [0] * 12,
        "materials": [{"mapDiffuse": "textures/patch.png"}],
        "metadata": {
            "ref_vIdxs": [[0, 1, 2]] * 4,
            "weights": [[1, 0, 0], [0, 1, 0], [0, 0.5, 0.5], [0.2, 0.3, 0.5]],
            "offsets": [[0, 0, 0.5], [0, 0, 0], [0, 0, 0], [0, 0.25, 0]],
            "deleteVerts": [1, 0, 0, 0],
        },
    }
    folder = tmp_path / "public/data/proxies/clothes/patch"
    _write(folder / "patch.json", patch)
    (folder / "textures").mkdir()
    cv2.imwrite(str(folder / "textures/patch.png"), np.full((4, 4, 3), (0, 128, 255), np.uint8))
    return tmp_path


def test_a_model_is_read_without_its_helpers_and_its_quads_are_two_triangles(tiny: Path) -> None:
    assets = Assets(tiny)
    assert assets.body.triangles.tolist() == [[0, 1, 3], [1, 2, 3]]
    assert assets.body.uvs[1].tolist() == [[1, 0], [1, 1], [0, 1]]
    assert assets.body.joints.tolist() == [[0, 0], [1, 0], [1, 0], [0, 0]]
    assert assets.body.shares[3].tolist() == [1, 0], "shares add up to 1"
    assert assets.rig.parents == (-1, 0)


def test_targets_lie_in_the_bank_in_the_order_of_their_lower_case_names(tiny: Path) -> None:
    shape = shaped(Assets(tiny), {"a/first": 0.5, "b/second": 1.0})
    assert shape[2] == pytest.approx((2.5, 2, 0.5))
    assert shape[0] == pytest.approx((0, 0, 0.5))


def test_what_is_worn_follows_the_body(tiny: Path) -> None:
    assets = Assets(tiny)
    patch = assets.garment("clothes", "patch")
    fitted = patch.fitted(shaped(assets, {"a/first": 1.0}))
    assert fitted[0] == pytest.approx((0, 0, 0.5)), "its first vertex lies half a decimetre before the body's"
    assert fitted[2] == pytest.approx((2.5, 1, 0)), "between two that moved apart"
    assert fitted[3] == pytest.approx((0.3 * 2 + 0.5 * 3, 0.5 * 2 + 0.25, 0))
    assert patch.hides.tolist() == [True, False, False, False]
    assert patch.colours[0, 0] == pytest.approx((1, 128 / 255, 0, 1)) and patch.relief is None


def test_a_turned_joint_carries_its_vertices_by_their_shares(tiny: Path) -> None:
    assets = Assets(tiny)
    body = assets.body.vertices
    posed = Posture(assets.rig, body, {"arm": turn((0, 0, 1), 90)}).carried(assets.body, body)
    assert posed[0] == pytest.approx((0, 0, 0)), "hangs on the root, which rests"
    assert posed[1] == pytest.approx((1, 1, 0), abs=1e-6), "a quarter about (1, 0, 0)"
    assert posed[2] == pytest.approx(((2 - 1) / 2, (2 + 1) / 2, 0), abs=1e-6), "half of it"


def test_a_quaternion_is_the_turn_it_stands_for() -> None:
    half = np.radians(70) / 2
    assert from_quaternion(0, np.sin(half), 0, np.cos(half)) == pytest.approx(turn((0, 1, 0), 70))
    assert from_quaternion(0, 0, 0, 1) == pytest.approx(np.eye(3))


@pytest.mark.parametrize("what", ["public/data/models/human_full_size.json", "src/json/poses/poses.json"])
def test_a_folder_that_lacks_something_is_refused_by_its_name(tiny: Path, what: str) -> None:
    (tiny / what).unlink()
    with pytest.raises(BadInput, match=Path(what).name):
        Assets(tiny)


def test_a_bank_of_another_size_an_unknown_target_and_a_lost_texture_are_refused(tiny: Path) -> None:
    with pytest.raises(BadInput, match="'nose'"):
        Assets(tiny).target("nose")
    (tiny / "public/data/proxies/clothes/patch/textures/patch.png").write_bytes(b"none")
    with pytest.raises(BadInput, match=r"patch\.png"):
        Assets(tiny).garment("clothes", "patch")
    (tiny / "public/data/targets/targets.bin").write_bytes(bytes(10))
    with pytest.raises(BadInput, match="must have 48 bytes"):
        Assets(tiny)


def test_the_shares_of_a_body_add_up_to_one_and_nobody_is_a_child() -> None:
    for seed in range(20):
        nature = invent(np.random.default_rng(seed))
        amounts = targets_of(nature)
        faces = [v for k, v in amounts.items() if k.count("/") == 1 and "universal" not in k]
        assert sum(faces) == pytest.approx(1, abs=0.07), "what is under a hundredth is left out"
        assert not any(word in name for name in amounts for word in ("child", "baby"))


def test_the_heaviest_is_all_of_one_target() -> None:
    amounts = targets_of(Nature(True, 0.0, (0.0, 0.0, 1.0), 0.0, 1.0, 0.0, 0.0))
    assert amounts == {
        "macrodetails/caucasian-female-young": 1.0,
        "macrodetails/universal-female-young-averagemuscle-maxweight": 1.0,
    }


def _buffer(z: NDArray[np.float32], surface: NDArray[np.int16]) -> Buffer:
    flat = np.zeros((*z.shape, 3), np.float32)
    flat[..., 2] = -1
    position = np.zeros_like(flat)
    position[..., 2] = z
    return Buffer(surface, np.zeros(z.shape, np.uint8), np.zeros((*z.shape, 2), np.int32), flat, flat, position)


def test_lines_are_where_depth_breaks_off_on_the_nearer_side_and_nowhere_on_a_slope() -> None:
    z = np.full((20, 20), 12, np.float32) + np.arange(20, dtype=np.float32) * 0.1
    z[:, 10:] += 3
    found = jumps(_buffer(z, np.zeros((20, 20), np.int16)))
    assert found[3:-3, 9].all(), "the last column of the nearer half"
    assert not found[3:-3, 3:8].any() and not found[3:-3, 11:17].any()


def test_borders_are_between_groups_and_not_at_the_silhouette() -> None:
    group = np.full((6, 9), -1, np.int16)
    group[:, 2:5], group[:, 5:8] = 0, 1
    assert borders(group).nonzero()[1].tolist() == [4] * 6


def test_tones_are_flat_and_each_group_is_shaded_by_itself() -> None:
    light = np.zeros((40, 40), np.float32)
    light[:, :20] = 1
    group = np.where(np.arange(40)[None] < 20, 0, 1).astype(np.int16) * np.ones((40, 1), np.int16)
    shade = tones(light, group, 0.4, 5)
    assert (shade[:, :20] == 0).all() and (shade[:, 20:] == 1).all(), "light does not leak into the next group"


def test_a_line_has_its_width_and_ink_is_dark_with_the_colour_in_it() -> None:
    mask = np.zeros((31, 31), np.bool_)
    mask[15] = True
    assert not line(mask, 0.0).any()
    for width in (2.0, 5.0):
        assert line(mask, width)[:, 15].sum() == pytest.approx(width, abs=1.2)
    red = np.full((31, 31, 3), (0.9, 0.2, 0.2), np.float32)
    ink = inked(red, line(mask, 4.0))[15, 15]
    assert ink.max() < 0.35 and ink[0] > 1.5 * ink[2]


def test_hands_paint_stronger_and_paler_than_anime() -> None:
    colours = np.array([[0.8, 0.3, 0.2], [0.1, 0.1, 0.12]], np.float32)
    comic, paper = HANDS["comic"].paint(colours), HANDS["paper"].paint(colours)
    assert np.ptp(comic[0]) > 1.2 * np.ptp(colours[0]) > 1.4 * np.ptp(paper[0])
    assert paper.min() > 0.15, "no black on pale paper"
    with pytest.raises(BadInput, match="'oil': there are anime, comic, paper"):
        hand_named("oil")


def test_specks_go_and_ragged_edges_are_cut() -> None:
    mask = np.zeros((60, 60), np.bool_)
    mask[20:50, 10:50], mask[5, 5] = True, True
    mask[18:20, 10:50:4] = True
    assert not without_specks(mask, 50)[5, 5] and without_specks(mask, 50)[30, 30]
    cut = cleaned(mask, 3.0)
    assert cut[30, 30] == 1 and cut[18, 10:50].max() < 0.5 and cut[5, 5] == 0


def test_smoothing_takes_nothing_from_outside() -> None:
    values = np.zeros((20, 20), np.float32)
    values[:, :10] = 3
    inside = np.zeros((20, 20), np.bool_)
    inside[:, :10] = True
    assert blurred(values, inside, 4)[inside] == pytest.approx(3, abs=1e-4)


def test_cloth_is_dyed_by_areas_and_keeps_its_weave() -> None:
    texture = np.ones((64, 64, 4), np.float32)
    texture[:, :32, :3], texture[:, 32:, :3] = (0.7, 0.2, 0.2), (0.2, 0.2, 0.7)
    texture[::2, :, :3] *= 0.85
    palette = dye.palette_of(texture)
    assert len(palette.colours) == 2 and (palette.of[:, :28] != palette.of[:, 36:].max()).all()
    new = np.zeros((2, 3), np.float32)
    new[palette.of[0, 0]], new[palette.of[0, 60]] = (0.1, 0.6, 0.1), (0.5, 0.5, 0.5)
    worn = dye.dyed(texture, palette, new)
    assert worn[:, :28, 1].mean() > 3 * worn[:, :28, 0].mean(), "green"
    assert np.ptp(worn[:, 60].mean(1)) > 0.03, "the weave is there"


@needs_embreex
def test_rays_go_through_holes_and_stop_shadows_only_at_what_is_solid() -> None:
    from stylizer.training.data.humans.cast import Scene

    def square(z: float, colours: NDArray[np.float32]) -> Surface:
        vertices = np.array([[-1, -1, z], [1, -1, z], [1, 1, z], [-1, 1, z]], np.float32)
        triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
        uvs = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)[triangles]
        normals = vertex_normals(vertices, triangles)
        return Surface(vertices, triangles, uvs, normals, colours, None, np.array([3, 3], np.uint8))

    pane = np.ones((8, 8, 4), np.float32)
    pane[:, :4, 3] = 0  # its left half is a hole
    scene = Scene([square(2, pane), square(4, np.ones((8, 8, 4), np.float32))])
    seen = scene.see(Window(-0.3, -0.3, 0.6), 16)
    assert (seen.surface[4:12, 9:] == 0).all() and (seen.surface[4:12, 4:7] == 1).all()
    assert (seen.surface[:, 0] == -1).all(), "beyond both"
    assert seen.position[8, 12, 2] == pytest.approx(2) and seen.normal[8, 12] == pytest.approx((0, 0, -1))
    assert seen.label[8, 12] == 3
    points = np.array([[-0.5, 0, 3.9], [0.5, 0, 3.9]], np.float32)
    towards = np.tile(np.array([0, 0, -1], np.float32), (2, 1))
    assert scene.shadowed(points, towards).tolist() == [False, True]
    assert not Scene(scene.surfaces, frozenset({0})).shadowed(points, towards).any()


@needs_embreex
def test_skin_has_creases_and_pores_that_cloth_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from stylizer.training.data.humans import photo

    surface = np.repeat(np.array([0, 1], np.int32), 64)[None].repeat(128, 0)
    even = np.full((128, 128, 3), 0.4, np.float32)
    monkeypatch.setattr(photo, "light_on", lambda *_: (np.ones_like(even), np.zeros_like(even)))
    buffer = cast(Buffer, SimpleNamespace(surface=surface))
    rough = []
    for seed in range(12):
        light, rng = cast(Any, None), np.random.default_rng(seed)
        picture = photo.develop_scene(cast(Any, None), buffer, ["body", "cloth"], even, light, rng)
        rough.append([np.abs(np.diff(picture[:, part], axis=0)).mean() for part in (slice(0, 60), slice(68, 128))])
    assert photo.wrinkles(1024, rng).shape == (1024, 1024), "the samples of 512 px"
    skin, cloth = np.array(rough).T
    assert skin.mean() > 3 * cloth.mean()
    assert 0.002 < skin.mean() < 0.03, "of 1: seen, and still skin"


def test_stores_behind_each_other_are_one(tmp_path: Path) -> None:
    for name, count in (("a", 2), ("b", 3)):
        list(make_store(tmp_path / name, count, seed=len(name), size=64, processes=1))
    a, b = PairStore.open(tmp_path / "a"), PairStore.open(tmp_path / "b")
    both = PairStore.joined([tmp_path / "a", tmp_path / "b", tmp_path / "a"])
    assert len(both) == 7 and both.photo.shape == (7, 64, 64, 4)
    rows = both.drawing[np.array([1, 2, 4, 5])]
    for row, (store, i) in zip(rows, ((a, 1), (b, 0), (b, 2), (a, 0)), strict=True):
        assert np.array_equal(row, store.drawing[np.array([i])][0])
    list(make_store(tmp_path / "c", 1, seed=1, size=72, processes=1))
    with pytest.raises(BadInput, match="72 px"):
        PairStore.joined([tmp_path / "a", tmp_path / "c"])


@needs_embreex
def test_the_command_says_what_a_wrong_folder_lacks(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["train", "data", "humans", str(tmp_path / "out"), "--assets", str(tmp_path)])
    assert result.exit_code != 0
    assert "human_full_size.json" in str(result.exception) + result.output
    assert not (tmp_path / "out").exists(), "nothing is begun"


@needs_assets
def test_a_seed_gives_the_same_pair_and_both_sides_show_one_silhouette() -> None:
    from stylizer.training.data.humans.pairs import draw_pair

    for seed in (3, 8):
        pair, again = draw_pair(REAL, seed), draw_pair(REAL, seed)
        for name in ("photo", "drawing", "labels"):
            assert np.array_equal(getattr(pair, name), getattr(again, name))
        matte, drawn = pair.photo[..., 3] > 127, pair.drawing[..., 3] > 127
        assert drawn.mean() > 0.02
        assert (matte & drawn).sum() / (matte | drawn).sum() > 0.85
        assert set(np.unique(pair.labels)) <= set(range(len(LABELS)))


@needs_assets
def test_hands_draw_the_same_photo_and_heads_fill_their_picture() -> None:
    from stylizer.training.data.humans.pairs import draw_pair

    drawn = {hand: draw_pair(REAL, 5, 128, True, hand) for hand in HANDS}
    anime = drawn["anime"]
    for hand, pair in drawn.items():
        assert np.array_equal(pair.photo, anime.photo)
        assert hand == "anime" or np.abs(pair.drawing[..., :3].astype(int) - anime.drawing[..., :3]).mean() > 2
    figures = [draw_pair(REAL, seed, 128) for seed in range(5, 9)]
    heads = [draw_pair(REAL, seed, 128, True) for seed in range(5, 9)]
    faces = [np.mean([(p.labels == LABELS.index("face")).mean() for p in pairs]) for pairs in (figures, heads)]
    assert faces[1] > 1.3 * faces[0]


@needs_assets
def test_faces_near_by_have_large_eyes_white_beside_the_iris() -> None:
    from stylizer.training.data.humans.pairs import draw_pair
    from stylizer.training.data.humans.view import kind_of

    near = [seed for seed in range(60) if kind_of(np.random.default_rng(seed)) == "near"][:8]
    pairs = [draw_pair(REAL, seed) for seed in near]
    face = [cv2.erode((p.labels == LABELS.index("face")).astype(np.uint8), np.ones((5, 5))) > 0 for p in pairs]
    white = [int((p.drawing[..., :3].min(2)[f] > 200).sum()) for p, f in zip(pairs, face, strict=True)]
    black = [int((p.drawing[..., :3].max(2)[f] < 60).sum()) for p, f in zip(pairs, face, strict=True)]
    assert sum(w > 8 and b > 8 for w, b in zip(white, black, strict=True)) >= 4, (white, black)


def test_glasses_stand_before_both_eyes_and_dark_lenses_come_last() -> None:
    face = {name: np.array(at, np.float32) for name, at in MIDDLE.items()}
    for name, (x, y, z) in LANDMARKS.items():
        face[f"{name}_l"], face[f"{name}_r"] = np.array([x, y, z], np.float32), np.array([-x, y, z], np.float32)
    dark = 0
    for seed in range(12):
        vertices, triangles, lens = make_glasses(face, np.eye(3, dtype=np.float32), np.random.default_rng(seed))
        assert triangles.max() == len(vertices) - 1 and np.isfinite(vertices).all()
        for side in (1, -1):
            before = vertices[(np.abs(vertices[:, 0] - side * 0.305) < 0.2) & (vertices[:, 2] > 1.2)]
            assert len(before) > 20 and before[:, 2].min() > face["nose_root"][2] - 0.1
        dark += lens < len(triangles)
        assert np.ptp(vertices[triangles[lens:]][..., 2]) < 0.2 if lens < len(triangles) else True
    assert 0 < dark < 12


def test_the_card_names_every_data_set_once(tmp_path: Path) -> None:
    settings = ToonifySettings(pairs=70)
    assert data_of(tmp_path, settings, "comic").startswith("characters, hand comic: 70 pairs")
    plans = [{"count": 5, "hand": "anime"}, {"count": 30, "data": "humans"}, {"count": 10, "data": "humans"}]
    (tmp_path / "data.json").write_text(json.dumps(plans))
    said = data_of(tmp_path, settings, "anime")
    assert "hand anime: 5 pairs" in said and "humans: 40 pairs" in said and "AGPL3" in said
