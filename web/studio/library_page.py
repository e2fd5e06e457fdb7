"""The styles with their cards and a picture of each; weights pulled; a style of one's own brought in."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from stylizer.errors import ModelMissing, ModelRejected, StylizerError
from stylizer.frame import PixelsU8
from stylizer.media import Reader
from stylizer.styles import CLIP
from stylizer.weights.card import MAX_TITLE
from stylizer.weights.importing import import_style
from stylizer.weights.manifest import Part
from stylizer.weights.registry import Style
from web.studio import picture, resources
from web.studio.strings import language, said, t

MOMENT_S = 2.0  # of the sample clip, for the previews


def page() -> None:
    st.subheader(t("styles"))
    for refusal in resources.library().refused:
        st.warning(t("refused", refusal=said(refusal)))
    columns = st.columns(2, gap="large")
    places: list[tuple[DeltaGenerator, Style]] = []
    for index, style in enumerate(resources.library().styles):
        with columns[index % 2].container(border=True):
            places.append((_card(style), style))
    left, right = st.columns(2, gap="large")
    with left:
        _parts()
    with right:
        _import()
    for place, style in places:  # last: a style that is drawn for the first time is compiled, which takes seconds
        with place, st.spinner(t("drawing_preview")):
            _show_preview(style)


def _card(style: Style) -> DeltaGenerator:
    """Returns the place of its preview."""
    card = style.card.told_in(language())
    drawn, words = st.columns([1, 1.3])
    words.markdown(f"**{card.title}** · `{card.name}`")
    origin = t(f"origin_{style.origin.replace(' ', '_')}")
    words.caption(f"{card.kind.value} · {origin} · {card.licence}")
    if card.steps is not None:
        words.caption(t("trained", steps=card.steps, hours=f"{card.hours or 0:g}", seed=card.seed))
    with words.popover(t("whole_card")):
        st.markdown(t("trained_with" if card.machine else "trained_on", data=card.data, machine=card.machine))
        st.markdown(t("weak_points") + "\n" + "\n".join(f"- {each}" for each in card.weak_points))
        if card.measures:
            rows = [{t("measure"): name, t("value"): str(value)} for name, value in card.measures.items()]
            st.table(rows, hide_index=True, border="horizontal")
    return drawn


def _show_preview(style: Style) -> None:
    try:
        picture.show(
            preview(style.card.name, style.card.sha256), t("preview_of", title=style.card.told_in(language()).title)
        )
    except StylizerError as error:
        st.warning(said(error))


@st.cache_data(show_spinner=False, max_entries=64)
def preview(name: str, sha256: str | None) -> PixelsU8:
    """One moment of the sample clip in this style. sha256: other weights under the same name are drawn anew."""
    return resources.worker().stylize(_moment(), {"style": name})


@st.cache_data(show_spinner=False)
def _moment() -> PixelsU8:
    with Reader(CLIP) as film:
        return next(frame.pixels for frame in film if frame.time_s >= MOMENT_S)


def _parts() -> None:
    st.subheader(t("foreign_weights"))
    for part in resources.registry().parts.values():
        _part(part)


def _part(part: Part) -> None:
    registry = resources.registry()
    try:
        found = registry.find(part.name)
    except (ModelMissing, ModelRejected) as fault:
        words, button = st.columns([2.4, 1], vertical_alignment="center")
        words.markdown(f":material/cancel: {t('instead', title=_title(part))}")
        words.caption(f"{part.without}. {fault}")
        if part.pullable and button.button(t("pull"), key=f"pull.{part.name}", icon=":material/download:"):
            _pull(part)
        return
    st.markdown(f":material/check_circle: **{_title(part)}** · {found.file.name} · {found.file.licence}")


def _title(part: Part) -> str:
    return t(f"weights_{part.name}")


def _pull(part: Part) -> None:
    bar = st.progress(0.0, t("pull_connecting", title=_title(part)))

    def tell(done: int, total: int) -> None:
        sizes = {"done": f"{done / 1e6:.1f}", "total": f"{total / 1e6:.1f}"}
        bar.progress(min(1.0, done / total), t("pulled_so_far", title=_title(part), **sizes))

    try:
        resources.registry().pull(part.name, progress=tell)
    except StylizerError as error:
        bar.empty()
        st.error(said(error))
        return
    st.success(t("pulled", title=_title(part)))


def _import() -> None:
    st.subheader(t("bring_in"))
    st.caption(t("bring_in_more"))
    with st.form(key="import", border=True):
        card = st.file_uploader(t("card"), type=["toml"], key="import.card")
        weights = st.file_uploader(t("weights"), type=["safetensors", "onnx"], key="import.weights")
        title = st.text_input(t("style_title"), max_chars=MAX_TITLE, key="import.title", help=t("style_title_help"))
        title_ja = st.text_input(t("style_title_ja"), max_chars=MAX_TITLE, key="import.title_ja")
        asked = st.form_submit_button(t("check"), icon=":material/upload:")
    if not asked:
        return
    if card is None or weights is None:
        st.warning(t("both_needed"))
        return
    try:
        with st.spinner(t("checking")):
            style = import_style(
                resources.registry(),
                card.getvalue(),
                weights.getvalue(),
                resources.library().try_out,
                title=title.strip(),
                title_ja=title_ja.strip(),
            )
    except StylizerError as error:
        st.error(t("not_taken", error=said(error)))
        return
    resources.library().refresh()
    st.success(t("brought_in", title=style.card.told_in(language()).title))
