"""Styles by name: one that loads holds up nobody who plays another."""

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from stylizer.config import Settings
from stylizer.engines.torch_eager import TorchEngine
from stylizer.errors import ModelRejected
from stylizer.library import Library
from stylizer.weights.card import CARD
from stylizer.weights.registry import EMBEDDED, Registry
from tests.web.doubles import wait_for

WAIT_S = 60.0


def test_a_style_that_loads_holds_up_nobody_who_plays_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(Registry(Settings.load(models=(), cache=tmp_path)), TorchEngine(torch.device("cpu"), 1, tmp_path))
    first, second = library.names[:2]
    playing = library.get(first)
    loading, go_on = threading.Event(), threading.Event()
    open_style = library._open

    def slow(style: object) -> object:
        loading.set()
        assert go_on.wait(WAIT_S)
        return open_style(style)  # type: ignore[arg-type]

    monkeypatch.setattr(library, "_open", slow)
    threads = [threading.Thread(target=library.get, args=(name,)) for name in (second, first)]
    threads[0].start()
    assert loading.wait(WAIT_S)
    threads[1].start()
    wait_for(lambda: not threads[1].is_alive(), WAIT_S)
    assert threads[0].is_alive() and library.get(first) is playing
    go_on.set()
    threads[0].join(WAIT_S)
    assert library.get(second) is not playing


def test_a_style_brought_in_is_found_and_one_taken_away_plays_on(tmp_path: Path) -> None:
    embedded = tmp_path / "embedded"
    registry = Registry(Settings.load(models=(), cache=tmp_path / "cache"), embedded=embedded)
    shutil.copytree(EMBEDDED / "anime", embedded / "anime")
    library = Library(registry, TorchEngine(torch.device("cpu"), 1, tmp_path))
    assert library.titles("ja") == {"anime": "アニメ"}
    shutil.copytree(EMBEDDED / "paper", registry.pulled / "styles" / "paper")
    library.refresh()
    assert library.titles("en") == {"anime": "Anime", "paper": "Watercolour"}
    playing = library.get("paper")
    shutil.rmtree(registry.pulled / "styles")
    library.refresh()
    assert library.names == ("anime",) and library.get("paper") is playing


def test_a_style_trained_anew_plays_when_it_is_chosen_again_and_in_no_frame_before(tmp_path: Path) -> None:
    mine = tmp_path / "embedded" / "mine"
    mine.mkdir(parents=True)

    def put(name: str) -> None:
        shutil.copy(EMBEDDED / name / "weights.safetensors", mine)
        card = (EMBEDDED / name / CARD).read_text(encoding="utf-8")
        (mine / CARD).write_text(card.replace(f'name = "{name}"', 'name = "mine"'), encoding="utf-8")
        library.refresh()

    registry = Registry(Settings.load(models=(), cache=tmp_path / "cache"), embedded=tmp_path / "embedded")
    library = Library(registry, TorchEngine(torch.device("cpu"), 1, tmp_path))
    put("paper")
    old = library.load("mine")
    put("comic")
    assert library.get("mine") is old
    new = library.load("mine")
    assert new is not old
    assert library.get("mine") is library.load("mine") is new
    put("paper")
    (mine / "weights.safetensors").write_bytes(b"on their way")
    with pytest.raises(ModelRejected, match="content"):
        library.load("mine")
    assert library.get("mine") is new


def test_a_stranger_is_checked_before_anything_of_its_size_is_built(tmp_path: Path) -> None:
    registry = Registry(Settings.load(models=(), cache=tmp_path / "cache"))
    library = Library(registry, TorchEngine(torch.device("cpu"), 1, tmp_path))
    style = registry.style(library.names[0])
    shutil.copytree(style.folder, tmp_path / "stranger")
    with safe_open(style.weights, "pt") as file:
        header, weights = dict(file.metadata()), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    header["config"] = json.dumps({**json.loads(header["config"]), "z_dim": 10**12})
    save_file(weights, tmp_path / "stranger" / "weights.safetensors", metadata=header)
    with pytest.raises(ModelRejected, match="wanted is .*1000000000000"):
        library.try_out(replace(style, folder=tmp_path / "stranger"))
