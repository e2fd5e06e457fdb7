"""Styles by name: one that loads holds up nobody who plays another."""

import shutil
import threading
from pathlib import Path

import pytest
import torch

from stylizer.config import Settings
from stylizer.engines.torch_eager import TorchEngine
from stylizer.library import Library
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
    assert library.titles("en") == {"anime": "Anime", "paper": "Cut paper"}
    playing = library.get("paper")
    shutil.rmtree(registry.pulled / "styles")
    library.refresh()
    assert library.names == ("anime",) and library.get("paper") is playing
