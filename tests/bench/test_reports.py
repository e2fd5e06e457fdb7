"""What took long to measure is not lost at the end."""

import importlib
import sys

import pytest

LONG = [
    ("benchmarks.soak", "soak", "--json=report.json"),
    ("benchmarks.soak", "soak", "--plot=report.png"),
    ("benchmarks.unet_cpu", "measure", "--json=report.json"),
    ("benchmarks.vj_cpu", "measured", "--json=report.json"),
    ("benchmarks.vj_hour", "played", "--json=report.json"),
    ("benchmarks.vj_start", "started", "--json=report.json"),
    ("stylizer.bench.toonify_gpu", "has_gpu", "--json=report.json"),
    ("stylizer.bench.vj_gpu", "has_gpu", "--json=report.json"),
]


@pytest.mark.parametrize("name, work, option", LONG)
def test_a_report_that_cannot_be_written_is_told_before_the_work(
    name: str, work: str, option: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def begun(*_: object, **__: object) -> None:
        raise AssertionError("it was measured")

    module = importlib.import_module(name)
    monkeypatch.setattr(module, work, begun)
    monkeypatch.setattr(sys, "argv", [name, "--json=a.json", option.replace("=", "=/nowhere/")])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 2 and "/nowhere/report" in capsys.readouterr().err
