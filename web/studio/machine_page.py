"""What runs, and how well: the ladder, the machine, the worker's health."""

import streamlit as st

from stylizer import machine
from web.studio import resources
from web.studio.strings import fact_for, t

LOOK_S = 2.0


def page() -> None:
    _health()
    st.subheader(t("what_runs"))
    ladder = [
        {
            t("part"): t(f"part_{rung.part}"),
            t("stands_on"): rung.standing,
            t("because"): t(f"why_{rung.part}") if rung.why else t("first_choice"),
        }
        for rung in resources.pipeline().ladder
    ]
    st.table(ladder, hide_index=True, border="horizontal")
    for rung in resources.pipeline().ladder:
        if rung.why:
            st.caption(f"{t(f'part_{rung.part}')}: {rung.why}")
    st.subheader(t("machine"))
    facts = [{t("property"): fact_for(name), t("value"): str(value)} for name, value in machine.describe().items()]
    st.table(facts, hide_index=True, border="horizontal")


@st.fragment(run_every=LOOK_S)
def _health() -> None:
    st.subheader(t("health"))
    worker = resources.worker()
    if not worker.alive:
        st.error(t("thread_ended"))
    sessions = worker.sessions
    stats = [session.stats() for session in sessions]
    columns = st.columns(4)
    columns[0].metric(t("memory"), f"{machine.peak_memory_mb():.0f} MB")
    columns[1].metric(t("drawn"), sum(each.frames_out for each in stats))
    columns[2].metric(t("failed_count"), sum(each.failed for each in stats))
    columns[3].metric(t("latency_worst"), _worst([each.latency_ms.get("p95", 0.0) for each in stats]))
    st.caption(t("places", taken=len(sessions), all=worker.capacity))


def _worst(values: list[float]) -> str:
    return f"{max(values):.0f} ms" if any(values) else "–"


def warnings() -> None:
    """One line on every page while a part stands below its first rung."""
    parts = [t(f"part_{rung.part}") for rung in resources.pipeline().ladder if rung.why]
    if parts:
        st.caption(f":material/stairs: {t('below_best', parts=t('between').join(parts))}")
