"""Sets of controls kept by name, and as files that people send each other."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from stylizer.controls import CONTROLS, Value, defaults
from stylizer.errors import BadInput, StylizerError
from stylizer.files import write_whole
from stylizer.vj.presets import Preset, parse_preset
from web.studio import resources
from web.studio.strings import said, t
from web.studio.widgets import key

MAX_BYTES = 64 * 1024


def as_preset(title: str, controls: Mapping[str, Value]) -> Preset:
    """What differs from the table. The file is named after the title, as far as it can be. Raises BadInput for none."""
    if not title.strip():
        raise BadInput(f"title: got {title!r:.60}, allowed is one with a letter or a digit")
    name = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:60]
    plain = re.fullmatch(r"[a-z0-9]+( [a-z0-9]+)*", title.lower()) and len(title) <= 60
    if not plain:  # two titles that differ in what a file name cannot hold must not be one file
        name = f"{name}-{hashlib.sha256(title.encode()).hexdigest()[:8]}".strip("-")
    table = defaults("person")
    return Preset(name, title, {n: v for n, v in controls.items() if n in table and v != table[n]})


def kept() -> dict[str, Preset]:
    """Those of this machine; one that cannot be read is left out and named on the page."""
    presets: dict[str, Preset] = {}
    try:
        paths = sorted(_folder().glob("*.toml"))
    except OSError as fault:
        st.caption(f":material/warning: {fault}")
        return presets
    for path in paths:
        try:
            presets[path.stem] = parse_preset(path.read_bytes(), path.stem, path.name, "person")
        except (BadInput, OSError) as fault:
            st.caption(f":material/warning: {fault}")
    return presets


def keep(preset: Preset) -> None:
    """On a full disk the old one stays."""
    _folder().mkdir(parents=True, exist_ok=True)
    write_whole(_folder() / f"{preset.name}.toml", preset.to_toml())


def panel(asked: dict[str, Value]) -> None:
    """To be drawn inside the panel of controls, before the controls themselves. asked: takes what a preset wants."""
    with st.expander(t("presets"), icon=":material/bookmarks:"):
        known = kept()
        if known:
            name = st.selectbox(t("kept_here"), known, format_func=lambda n: known[n].title, key="preset.name")
            play, save = st.columns(2)
            play.button(t("play"), width="stretch", on_click=_play, args=(known[name], asked), key="preset.play")
            text = known[name].to_toml()
            save.download_button(t("as_file"), text, f"{name}.toml", "application/toml", width="stretch")
        st.text_input(t("keep_as"), key="preset.title", placeholder=t("festival"))
        st.button(t("keep"), width="stretch", on_click=_keep_now, key="preset.keep")
        brought = st.file_uploader(t("from_file"), type=["toml"], key="preset.file")
        st.button(
            t("keep_and_play"),
            disabled=brought is None,
            on_click=_bring,
            args=(asked,),
            width="stretch",
            key="preset.bring",
        )
        below = st.empty()
        if said := st.session_state.pop("preset.said", None):
            below.info(said)


def _play(preset: Preset, asked: dict[str, Value]) -> None:
    styles = resources.pipeline().styles
    wanted = defaults("person") | dict(preset.controls)
    asked.update({name: value for name, value in wanted.items() if name != "style" or value in styles})


def _keep_now() -> None:
    controls = {name: st.session_state[key(name)] for name, row in CONTROLS.items() if row.page == "person"}
    try:
        preset = as_preset(st.session_state["preset.title"], controls)
        keep(preset)
    except (StylizerError, OSError) as fault:
        st.session_state["preset.said"] = said(fault)
        return
    st.session_state["preset.said"] = t("is_kept", title=preset.title)


def _bring(asked: dict[str, Value]) -> None:
    brought = st.session_state["preset.file"]
    try:
        content = brought.getvalue()
        if len(content) > MAX_BYTES:
            raise BadInput(f"{brought.name}: at most {MAX_BYTES} bytes are taken")
        preset = parse_preset(content, "file", brought.name, "person")
        preset = as_preset(
            preset.title if preset.title != "file" else brought.name.removesuffix(".toml"), preset.controls
        )
        keep(preset)
    except (StylizerError, OSError) as fault:
        st.session_state["preset.said"] = said(fault)
        return
    _play(preset, asked)
    st.session_state["preset.said"] = t("is_kept_and_plays", title=preset.title)


def _folder() -> Path:
    return resources.settings().cache / "presets"
