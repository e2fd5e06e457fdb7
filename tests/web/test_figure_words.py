"""The bench's figures in Japanese: every word of the results, in letters that this machine can draw."""

import warnings

import pytest
from streamlit.testing.v1 import AppTest

from kernels.roofline import DATA_SHEETS
from stylizer.bench import figures
from stylizer.bench.results import Result, expected, read_results
from web.studio.bench_page import RESULTS
from web.studio.figure_words import in_japanese

NAMES = {"stylizer", "fp32", "bf16", "int8"}  # the same in every language
IN_JAPANESE = [
    ("matte, openvino bf16, 2 threads", "切り抜き・openvino bf16・2スレッド"),
    ("visitor 3", "来場者3"),
    ("µs per launch, rung 6", "1回の起動あたりのマイクロ秒・6段目"),
    ("encoder_1 conv4x4_s2_v1", "エンコーダ1 conv4x4_s2_v1"),
    ("The picture's way, 1280×720, 2026-11-21", "映像から絵まで・1280×720・2026-11-21"),
    ("U-Net-256 of 64 filters on a CPU, 2 threads", "U-Net-256（フィルタ64枚）・2スレッド"),
]


@pytest.mark.parametrize("english, japanese", IN_JAPANESE)
def test_names_are_put_into_japanese_part_by_part(english: str, japanese: str) -> None:
    assert in_japanese(english) == japanese


def _words(result: Result) -> set[str]:
    bars = {bar.name for bar in (*result.ladder, *result.waterfall)}
    return bars | {result.title, result.unit, result.waterfall_unit} - {""}


def test_every_word_of_the_results_at_hand_has_its_japanese() -> None:
    results, _ = read_results(RESULTS)
    words = {word for result in results.values() for word in _words(result)} - NAMES
    assert [word for word in words if in_japanese(word).isascii()] == []


def test_japanese_figures_have_every_letter() -> None:
    """matplotlib warns of each letter that no font has."""
    if figures.japanese_font() is None:
        pytest.skip(f"none of these fonts is installed: {', '.join(figures.JAPANESE_FONTS)}")
    results, _ = read_results(RESULTS)
    layers, points = expected(64, DATA_SHEETS["H200"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for result in results.values():
            figures.to_png(figures.ladder(result.ladder, result.unit, in_japanese))
            figures.to_png(figures.waterfall(result.waterfall, result.waterfall_unit, in_japanese))
        drawn = figures.waterfall(layers, "least µs", in_japanese)
        assert drawn.axes[0].get_xlabel().startswith("最短のマイクロ秒 · 合計")
        figures.to_png(drawn)
        figures.to_png(figures.roofline(points, DATA_SHEETS["H200"], "H200", in_japanese))


def _page() -> None:
    import streamlit as st

    from web.studio.figure_words import say, told

    st.session_state["language"] = "ja"
    st.text(f"{say()('floor')} {told('floor')}")


@pytest.mark.parametrize("installed, floor", [("Noto Sans CJK JP", "下限"), (None, "floor")])
def test_without_a_font_that_has_the_letters_figures_stay_english_and_the_page_does_not(
    installed: str | None, floor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.studio.figure_words.japanese_font", lambda: installed)
    app = AppTest.from_function(_page, default_timeout=60).run()
    assert not app.exception and app.text[0].value == f"{floor} 下限"
