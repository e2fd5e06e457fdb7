"""Bench: results of the benchmarks as ladder, waterfall with floors and roofline; a fresh run; PNG and CSV."""

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import streamlit as st
from matplotlib.figure import Figure

from kernels.roofline import DATA_SHEETS
from stylizer.bench import figures
from stylizer.bench.results import Result, expected, parse_result, read_results, to_csv
from stylizer.errors import BadInput
from web.studio import picture
from web.studio.figure_words import say, told
from web.studio.strings import said, t, unit_for

RESULTS = Path(__file__).resolve().parents[2] / "benchmarks" / "results"
RUN_LIMIT_S = 1800
FRESH = "fresh run"
FILTERS = 64


def page() -> None:
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    with right.popover(t("add_result"), icon=":material/add_chart:", width="stretch"):
        _upload()
        _fresh_run()
    results, faults = read_results(RESULTS)
    results |= st.session_state.get("bench_own", {})
    for fault in faults:
        st.warning(f"{t('problem_unreadable')}\n\n{fault}")
    if results:
        whole_way_first = sorted(results, key=lambda each: not each.startswith("pipeline"))
        name = left.selectbox(t("result"), whole_way_first, key="bench_result")
        _show(name, results[name])
    else:
        left.info(t("no_results"))
    if not any(result.peaks for result in results.values()):
        _predicted()


def _show(name: str, result: Result) -> None:
    st.subheader(told(result.title))
    st.caption(f"{result.machine} · `{result.command}`")
    _figure(
        f"{name}-ladder",
        partial(figures.ladder, result.ladder, result.unit, say()),
        t("axis_ladder", unit=unit_for(result.unit)),
    )
    if result.waterfall:
        st.markdown(f"**{t('waterfall')}**")
        words = t("axis_waterfall", unit=unit_for(result.waterfall_unit))
        draw = partial(figures.waterfall, result.waterfall, result.waterfall_unit, say())
        _figure(f"{name}-waterfall", draw, words)
        if not any(bar.floor for bar in result.waterfall):
            st.caption(t("no_floor"))
    if result.peaks:
        peaks = result.peaks
        st.markdown(f"**{t('roofline')}**")
        title = f"{say()('peaks measured')}: {result.machine}"
        _figure(f"{name}-roofline", partial(figures.roofline, result.points, peaks, title, say()), t("axis_roofline"))
    st.download_button(
        "CSV", to_csv(result).encode(), f"{name}.csv", "text/csv", icon=":material/table:", key=f"{name}-csv"
    )


def _predicted() -> None:
    """Without a result of a card: what the data sheets promise."""
    st.subheader(t("predicted"))
    card = st.segmented_control(t("graphics_card"), list(DATA_SHEETS), default="H200", required=True, key="bench_card")
    st.caption(t("predicted_more"))
    floors, points = expected(FILTERS, DATA_SHEETS[card])
    title = f"{card}: {say()(f'every layer at its floor, {FILTERS} filters')}"
    draw = partial(figures.roofline, points, DATA_SHEETS[card], title, say())
    _figure(f"predicted-{card}-roofline", draw, t("axis_roofline"))
    unit = "least µs"
    words = t("axis_waterfall", unit=unit_for(unit))
    _figure(f"predicted-{card}-waterfall", partial(figures.waterfall, floors, unit, say()), words)


def _figure(name: str, draw: Callable[[], Figure], words: str) -> None:
    """words: what its axes are."""
    png = figures.to_png(draw())
    picture.show_png(png, name.replace("-", " "))
    st.caption(words)
    st.download_button("PNG", png, f"{name}.png", "image/png", icon=":material/image:", key=f"{name}-png")


def _upload() -> None:
    file = st.file_uploader(t("result_file"), type="json", key="bench_file")
    if file is not None and file.file_id != st.session_state.get("bench_file_id"):
        st.session_state["bench_file_id"] = file.file_id  # the file stays in its widget; it is taken once
        _keep(_own(), Path(file.name).stem, file.getvalue())


def _fresh_run() -> None:
    frames = st.number_input(t("frames"), 6, 600, 60, step=6, key="bench_frames")
    if not st.button(t("run_bench"), icon=":material/timer:", width="stretch", key="bench_run"):
        return
    if not _measuring().acquire(blocking=False):
        st.warning(t("measuring_another"))
        return
    try:
        with st.spinner(t("measuring")), tempfile.TemporaryDirectory() as folder:
            measured = _measure(int(frames), Path(folder) / "fresh.json", _own())
    finally:
        _measuring().release()
    if measured:
        st.rerun()


@st.cache_resource(show_spinner=False)
def _measuring() -> threading.Lock:
    """Held by the one who measures, of all who have the studio open: two at once would measure each other."""
    return threading.Lock()


def _own() -> dict[str, Result]:
    """This visitor's results. Asked for before a measurement: if the page is touched meanwhile, Streamlit ends the
    script at its next word with the session."""
    own: dict[str, Result] = st.session_state.setdefault("bench_own", {})
    return own


def _measure(frames: int, target: Path, own: dict[str, Result]) -> bool:
    """False when there is nothing to show but what went wrong."""
    command = [sys.executable, "-m", "stylizer", "bench", "pipeline", "--frames", str(frames), "--json", str(target)]
    try:
        run = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=RUN_LIMIT_S)
    except subprocess.TimeoutExpired:
        st.error(t("too_long", minutes=RUN_LIMIT_S // 60))
        return False
    if run.returncode:
        st.error(t("run_failed", error=run.stderr.strip()[-400:]))
        return False
    _keep(own, FRESH, target.read_bytes())
    return True


def _keep(own: dict[str, Result], name: str, data: bytes) -> None:
    """Reads and shows it. Runs before the choice of results is drawn, or that could not be set any more."""
    try:
        own[name] = parse_result(data, name)
        st.session_state["bench_result"] = name
    except BadInput as error:
        st.error(said(error))
