"""Training runs: curves, sample grids, settings, while they run and afterwards."""

import time

import streamlit as st

from web.studio import picture, resources
from web.studio.runs import Run, curves, runs

LOOK_S = 20.0
STILL_RUNNING_S = 120.0


def page() -> None:
    st.subheader("Training runs")
    root = resources.settings().runs
    found = runs(root)
    if not found:
        st.info(
            f"No run is in `{root.absolute()}` (STYLIZER_RUNS). A run begins with "
            f"`stylizer train toonify --out {root / 'first'}`."
        )
        return
    name = st.selectbox("Run", [run.name for run in found], key="training.run")
    _show(next(run for run in found if run.name == name))


@st.fragment(run_every=LOOK_S)
def _show(run: Run) -> None:
    rows = run.rows()
    if not rows:
        st.caption("Its log is empty so far.")
        return
    last = rows[-1]
    quiet_s = time.time() - last.get("time", 0.0)
    state = "running" if quiet_s < STILL_RUNNING_S else f"resting for {quiet_s / 60:.0f} min"
    st.caption(f"Step {last['step']:.0f} · {state} · {len(rows)} lines in its log")
    columns = st.columns(2, gap="large")
    for index, (name, points) in enumerate(curves(rows).items()):
        with columns[index % 2]:
            st.markdown(f"**{name}** {points[-1][1]:.4g}")
            table = {"step": [step for step, _ in points], name: [value for _, value in points]}
            st.line_chart(table, x="step", y=name, height=170, color="#f2b36b")
    _samples(run)
    with st.expander("Settings"):
        st.dataframe([{"setting": k, "value": str(v)} for k, v in run.settings().items()], hide_index=True)


def _samples(run: Run) -> None:
    grids = run.samples()
    if not grids:
        st.caption("No sample grid yet.")
        return
    names = [path.stem.removeprefix("samples_").lstrip("0") or "0" for path in grids]
    st.markdown("**Samples** · photo, drawing wanted, drawing made, photo made")
    chosen = names[-1]
    if len(names) > 1:
        chosen = st.select_slider("At step", names, value=names[-1], key=f"training.sample.{run.name}")
    picture.show_png(grids[names.index(chosen)].read_bytes(), f"Samples of {run.name} at step {chosen}")
