"""What runs, and how well: the ladder, the machine, the worker's health."""

import streamlit as st

from stylizer import machine
from web.studio import resources

LOOK_S = 2.0


def page() -> None:
    _health()
    st.subheader("What runs")
    ladder = [
        {"Part": rung.part, "Runs on": rung.standing, "Because": rung.why or "first choice"}
        for rung in resources.pipeline().ladder
    ]
    st.dataframe(ladder, hide_index=True, width="stretch")
    st.subheader("Machine")
    st.dataframe([{"": k, "value": str(v)} for k, v in machine.describe().items()], hide_index=True, width="stretch")


@st.fragment(run_every=LOOK_S)
def _health() -> None:
    st.subheader("Health")
    worker = resources.worker()
    if not worker.alive:
        st.error("The pipeline's thread has ended: nobody is drawn any more. Start the studio again.")
    sessions = worker.sessions
    stats = [session.stats() for session in sessions]
    columns = st.columns(4)
    columns[0].metric("Memory, at most", f"{machine.peak_memory_mb():.0f} MB")
    columns[1].metric("Pictures drawn", sum(each.frames_out for each in stats))
    columns[2].metric("Failed", sum(each.failed for each in stats))
    columns[3].metric("Latency p95, worst", _worst([each.latency_ms.get("p95", 0.0) for each in stats]))
    st.caption(f"{len(sessions)} of {worker.capacity} places taken.")


def _worst(values: list[float]) -> str:
    return f"{max(values):.0f} ms" if any(values) else "–"


def warnings() -> None:
    """One line on every page for each part that stands below its first rung."""
    for rung in resources.pipeline().ladder:
        if rung.why:
            st.caption(f":material/stairs: **{rung.part}** runs on {rung.standing}: {rung.why}")
