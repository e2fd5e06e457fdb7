"""Two styles, or two settings of one, side by side on the same clip."""

import tempfile
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from stylizer.controls import CONTROLS
from stylizer.errors import StylizerError
from stylizer.styles import CLIP
from web.studio import resources
from web.studio.comparison import side_by_side
from web.studio.strings import said, t
from web.studio.widgets import choice

MAX_SECONDS = 10.0
SUFFIXES = ["mp4", "mov", "mkv"]


def page() -> None:
    st.subheader(t("compare"))
    left, right = st.columns(2, gap="large")
    ways = [_way(left, t("left"), 0), _way(right, t("right"), 1)]
    where, how_long, go = st.columns([2, 2, 1], vertical_alignment="bottom", gap="large")
    upload = where.file_uploader(t("own_film"), type=SUFFIXES, key="compare.film")
    seconds = how_long.slider(t("seconds"), 1.0, MAX_SECONDS, 3.0, step=0.5, key="compare.seconds")
    if go.button(t("draw_both"), type="primary", icon=":material/compare:", width="stretch"):
        _draw(upload, ways, seconds)
    if shown := st.session_state.get("compare.made"):
        made, words = shown
        st.video(made, loop=True, autoplay=True, muted=True)
        for column, side in zip(st.columns(2), words, strict=True):
            column.caption(side)
        st.download_button(t("save_film"), made, "comparison.mp4", "video/mp4", icon=":material/download:")


def _way(column: DeltaGenerator, title: str, index: int) -> dict[str, object]:
    """The controls of one side."""
    styles = resources.pipeline().styles
    first = 1.0 if len(styles) > 1 else 1.0 - 0.5 * index  # with a single style its own strengths are compared
    with column.container(border=True):
        st.markdown(f"**{title}**")
        name = st.selectbox(
            t("control_style"),
            styles,
            index=min(index, len(styles) - 1),
            format_func=resources.titles().__getitem__,
            key=f"compare.style.{index}",
        )
        strength = st.slider(t("control_style_strength"), 0.0, 1.0, first, step=0.05, key=f"compare.strength.{index}")
        medium = st.selectbox(
            t("control_medium"), CONTROLS["medium"].choices, format_func=choice, key=f"compare.medium.{index}"
        )
        seed = st.number_input(t("control_seed"), 0, 2**31 - 1, 0, key=f"compare.seed.{index}")
    return {"style": name, "style_strength": strength, "medium": medium, "seed": int(seed)}


def _words(way: dict[str, object]) -> str:
    strength, medium = f"{way['style_strength']:.2f}", choice(str(way["medium"]))
    style = resources.titles()[str(way["style"])]
    return t("way_seed" if way["seed"] else "way", style=style, strength=strength, medium=medium, seed=way["seed"])


def _draw(upload: UploadedFile | None, ways: list[dict[str, object]], seconds: float) -> None:
    bar = st.progress(0.0, t("drawing_both"))
    try:
        with tempfile.TemporaryDirectory() as folder:
            film = CLIP
            if upload is not None:
                film = Path(folder) / f"film{Path(upload.name).suffix.lower()}"
                film.write_bytes(upload.getvalue())
            made = side_by_side(resources.worker(), film, ways, seconds, lambda share: bar.progress(share))
        st.session_state["compare.made"] = made, [_words(way) for way in ways]
    except (StylizerError, OSError) as error:  # a film that is larger than the place for it, say
        st.error(said(error))
    finally:
        bar.empty()
