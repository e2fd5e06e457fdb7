"""Training runs: curves, sample grids, settings, while they run and afterwards."""

import time

import streamlit as st

from web.studio import picture, resources
from web.studio.runs import Run, curves, runs
from web.studio.strings import said, t

LOOK_S = 20.0
STILL_RUNNING_S = 120.0


def page() -> None:
    st.subheader(t("training_runs"))
    root = resources.settings().runs
    try:
        found = runs(root)
    except OSError as error:
        st.warning(said(error))
        return
    if not found:
        command = f"stylizer train toonify --out {root / 'first'}"
        st.info(t("no_run", folder=root.absolute(), command=command))
        return
    name = st.selectbox(t("run"), [run.name for run in found], key="training.run")
    _show(next(run for run in found if run.name == name))


@st.fragment(run_every=LOOK_S)
def _show(run: Run) -> None:
    try:
        rows, settings = run.rows(), run.settings()
    except OSError as error:
        st.warning(said(error))
        return
    if not rows:
        st.caption(t("empty_log"))
        return
    last = rows[-1]
    quiet_s = time.time() - last.get("time", 0.0)
    state = t("running") if quiet_s < STILL_RUNNING_S else t("resting", minutes=f"{quiet_s / 60:.0f}")
    st.caption(t("run_state", step=f"{last['step']:.0f}", state=state, lines=len(rows)))
    columns = st.columns(2, gap="large")
    for index, (name, points) in enumerate(curves(rows).items()):
        with columns[index % 2]:
            st.markdown(f"**{name}** {points[-1][1]:.4g}")
            st.vega_lite_chart(_curve(name, points), height=170)
    _samples(run)
    with st.expander(t("settings")):
        table = [{t("setting"): name, t("value"): str(value)} for name, value in settings.items()]
        st.table(table, hide_index=True, border="horizontal")


def _curve(name: str, points: list[tuple[float, float]]) -> dict[str, object]:
    """As Vega-Lite. Its marks would be pictures without words to a screen reader; the name and value above say it."""
    return {
        "data": {"values": [{"step": step, "value": value} for step, value in points]},
        "mark": {"type": "line", "color": "#f2b36b", "tooltip": True, "aria": False},
        "encoding": {
            "x": {"field": "step", "type": "quantitative", "title": t("step")},
            "y": {"field": "value", "type": "quantitative", "title": name},
        },
    }


def _samples(run: Run) -> None:
    grids = run.samples()
    if not grids:
        st.caption(t("no_samples"))
        return
    names = [path.stem.removeprefix("samples_").lstrip("0") or "0" for path in grids]
    st.markdown(t("samples"))
    chosen = names[-1]
    if len(names) > 1:
        chosen = st.select_slider(t("at_step"), names, value=names[-1], key=f"training.sample.{run.name}")
    picture.show_png(grids[names.index(chosen)].read_bytes(), t("samples_of", run=run.name, step=chosen))
