"""Results of every benchmark are read, drawn and exported; what is none of them is refused in words."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from kernels.bench import Timing
from kernels.roofline import DATA_SHEETS, Peaks, layer_floor_us, network_floor_us
from kernels.weights import unet_layers
from stylizer.bench import figures, toonify_gpu, vj_gpu
from stylizer.bench.results import expected, parse_result, read_results, to_csv
from stylizer.errors import BadInput, Unreadable
from tests.conftest import CHECKOUT

COMMITTED = CHECKOUT / "benchmarks" / "results"
PNG = b"\x89PNG\r\n"


def _kernel_file() -> dict[str, Any]:
    """As `python -m kernels.bench --json` writes it."""
    rows = [
        Timing("rung 5", 900.0, 950.0, 1200.0, 0.11, 120.0, 13.0),
        Timing("rung 6", 300.0, 330.0, 1500.0, 0.33, 360.0, 40.0),
        Timing("torch eager", 800.0, 850.0, 40.0, 0.12, 135.0, 15.0),
        Timing("VJ loop, rung 6, fader at rest", 380.0, 390.0),
        Timing("rung 5 encoder_1 conv_v5_c3", 20.0, 22.0, None, 0.2, 300.0, 2.0),
        Timing("rung 6 encoder_1 first", 11.0, 12.0, None, 0.2, 300.0, 2.0),
        Timing("rung 6 encoder_2 conv_v6", 14.0, 15.0, None, 0.4, 500.0, 9.0),
        Timing("rung 6 encoder_2 norm", 3.0, 3.5),
    ]
    peaks = Peaks(3.9e6, 7.0e8)
    return {
        "machine": {"name": "NVIDIA H200"},
        "filters": 64,
        "peaks": asdict(peaks),
        "rows": [asdict(row) for row in rows],
    }


def _show_file(step_ms: dict[str, float]) -> bytes:
    machine = {"gpu": "a card"}
    return json.dumps({"preset": "ngx", "fps": 60, "seed": 1, "machine": machine, "step_ms": step_ms}).encode()


def test_the_committed_results_are_read_and_drawn() -> None:
    results, faults = read_results(COMMITTED)
    assert faults == [] and "pipeline-cpu" in results
    result = results["pipeline-cpu"]
    assert result.ladder[0].name == "stylizer" and result.unit == "frames per second"
    assert result.ladder[0].value > 3 * result.ladder[1].value
    stages, live = results["stages-cpu"], results["live-4"]
    assert [bar.name.split(",")[0] for bar in stages.waterfall][:4] == ["detect", "matte", "apart", "convert"]
    assert all("1 thread" in bar.name for bar in stages.waterfall) and stages.waterfall[1].floor
    assert not any(bar.floor for bar in stages.ladder), "a ladder has one floor, stages have many"
    assert [bar.name for bar in live.ladder] == [f"visitor {i}" for i in (1, 2, 3, 4)]
    assert {bar.name for bar in result.waterfall} >= {"matte", "convert", "compose"}
    for figure in (figures.ladder(result.ladder, result.unit), figures.waterfall(result.waterfall, "ms")):
        assert figures.to_png(figure)[:6] == PNG


def test_kernels_stand_on_their_floors_and_under_their_roof() -> None:
    result = parse_result(json.dumps(_kernel_file()).encode(), "H200.json")
    layers, peaks = unet_layers(64), Peaks(3.9e6, 7.0e8)
    assert [bar.name for bar in result.ladder] == ["rung 5", "rung 6", "torch eager"]
    assert result.ladder[0].floor == pytest.approx(network_floor_us(layers, peaks))
    assert [(bar.name, bar.value) for bar in result.waterfall] == [
        ("encoder_1 first", 11.0),
        ("encoder_2 conv_v6", 14.0),
        ("encoder_2 norm", 3.0),
    ], "the best rung alone, in its order"
    assert result.waterfall[1].floor == pytest.approx(layer_floor_us(layers[1], peaks))
    assert result.waterfall[2].floor is None
    assert result.points[1].intensity == pytest.approx(40.0 * 1000 / 360.0)
    assert figures.to_png(figures.roofline(result.points, peaks, "here"))[:6] == PNG
    lines = to_csv(result).splitlines()
    assert lines[1] == "kind,name,value,floor"
    assert len(lines) == 2 + 3 + 3 + 3 and lines[2].startswith("µs per picture,rung 5,900,")


def test_results_of_the_other_benchmarks_are_read() -> None:
    unet = {"processor": "P", "threads": 2, "load": 0.1, "filters": 64, "rows": [{"precision": "bf16", "p50_ms": 40.0}]}
    assert parse_result(json.dumps(unet).encode(), "u.json").ladder[0].value == 40.0
    show = {"preset": "tide", "seed": 1, "fps": 60.0, "step_ms": {"p50": 16.0, "p99": 20.0}}
    show["machine"] = {"cpu": "P", "cores": 2, "gpu": "none"}
    result = parse_result(json.dumps(show).encode(), "s.json")
    assert (result.machine, [bar.name for bar in result.ladder]) == ("2 cores of P", ["p50", "p99"])


def test_what_gpu_sh_leaves_of_a_card_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both lie beside the others afterwards, and the studio said of each that it cannot be read."""
    times = {"network": 80.0, "loop": 90.0, "loop, fader moving": 110.0}
    measured = {"us": times, "psnr_db": 50.0, "times_eager": 2.5}
    answers = {
        vj_gpu: {"worst_db": 50.0, "graph_times_us": times, "session_ms": {"p50": 1.0}, "CupyWay": None},
        toonify_gpu: {"measure": measured, "load_style": SimpleNamespace(at_strength=lambda _: None)},
    }
    for module, named in answers.items():
        for name, answer in (named | {"has_gpu": True, "machine": {"name": "NVIDIA H200"}}).items():
            monkeypatch.setattr(module, name, lambda *_, answer=answer, **__: answer)
        monkeypatch.setattr(sys, "argv", ["", "--json", str(tmp_path / f"{module.__name__}.json")])
        assert module.main() == 0
    results, faults = read_results(tmp_path)
    assert faults == [] and {result.machine for result in results.values()} == {"NVIDIA H200"}
    assert [bar.name for bar in results["stylizer.bench.toonify_gpu"].ladder[:2]] == [
        "network, batch 1",
        "loop, batch 1",
    ]
    assert results["stylizer.bench.vj_gpu"].ladder[1].value == 90.0


@pytest.mark.parametrize("card", DATA_SHEETS)
def test_without_a_card_every_layer_stands_at_its_floor(card: str) -> None:
    floors, points = expected(64, DATA_SHEETS[card])
    peaks = DATA_SHEETS[card]
    assert sum(bar.value for bar in floors) == pytest.approx(network_floor_us(unet_layers(64), peaks))
    for point in points:
        roof = min(peaks.flop_per_us, point.intensity * peaks.bytes_per_us) / 1e6
        assert point.tflop_per_s == pytest.approx(roof)


@pytest.mark.parametrize(
    "data, error, words",
    [
        (b"no json", Unreadable, "it is not JSON"),
        (b'{"a": 1}', BadInput, "no result of a benchmark"),
        (b"[1, 2]", BadInput, "no result of a benchmark"),
        (b'{"ways": {}}', BadInput, "a figure is missing"),
        (b'{"ways": {}, "clip": {}}', BadInput, "a figure is missing"),
        (
            json.dumps({"visitors": [], "camera": {"size": [1, 1]}, "date": ""}).encode(),
            BadInput,
            "a figure is missing",
        ),
        (json.dumps({**_kernel_file(), "peaks": {"bytes_per_us": 0, "flop_per_us": 1}}).encode(), BadInput, "division"),
        (_show_file({"a": 1e300}), BadInput, "no number that can be drawn"),
        (_show_file({str(i): 1 for i in range(501)}), BadInput, "at most 500 can be drawn"),
        (b'{"ways": {"a": {"fps": "fast"}}, "clip": 3}', BadInput, "a figure is missing"),
        (json.dumps({**_kernel_file(), "filters": 10**9}).encode(), BadInput, "filters 1000000000"),
        (b"[" * 100_000, Unreadable, "it is not JSON"),
        (b" " * (9 << 20), BadInput, "at most 8388608"),
    ],
)
def test_what_is_no_result_is_refused_by_name(data: bytes, error: type[BadInput], words: str) -> None:
    with pytest.raises(error, match=words) as refused:
        parse_result(data, "mine.json")
    assert "mine.json" in str(refused.value)


def _page() -> None:
    from web.studio import bench_page

    bench_page.page()


@pytest.fixture
def page() -> Iterator[AppTest]:
    yield AppTest.from_function(_page, default_timeout=120)


def test_the_page_shows_a_result_and_exports_it(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert page.selectbox(key="bench_result").value == "pipeline-cpu"
    assert "The picture's way" in page.subheader[0].value and "prediction" in page.subheader[1].value
    labels = [getattr(button, "label", "") for button in page.get("download_button")]
    assert labels.count("CSV") == 1 and labels.count("PNG") == 4


def test_an_added_result_takes_the_predictions_place_and_a_bad_one_is_told(page: AppTest) -> None:
    page.run()
    page.file_uploader(key="bench_file").set_value(
        ("H200.json", json.dumps(_kernel_file()).encode(), "application/json")
    ).run()
    assert not page.exception
    assert page.selectbox(key="bench_result").value == "H200"
    assert [heading.value for heading in page.subheader] == ["U-Net-256 of 64 filters, one picture"]
    page.file_uploader(key="bench_file").set_value(("bad.json", b"{}", "application/json")).run()
    assert "bad.json" in page.error[0].value or "bad" in page.error[0].value


def test_a_folder_with_a_broken_file_still_shows_the_rest(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(json.dumps(_kernel_file()))
    (tmp_path / "bad.json").write_text("{")
    results, faults = read_results(tmp_path)
    assert list(results) == ["good"] and faults == ["bad.json: it is not JSON"]
