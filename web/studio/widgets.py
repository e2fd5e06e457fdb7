"""One widget for each kind of control in THE table."""

from collections.abc import Mapping, Sequence

import streamlit as st

from stylizer.controls import Control, Value
from web.studio.strings import help_for, t


def key(name: str) -> str:
    """The widget's name in `st.session_state`."""
    return f"control.{name}"


def widget(control: Control, styles: Sequence[str], titles: Mapping[str, str] | None = None) -> Value:
    """Draws the control and returns what it stands at; first the table's default. titles: of the styles, for people.

    The value is set anew in every run: a widget that the browser builds again (another page was shown, a run was cut
    short) would otherwise begin at Streamlit's own default, black or nothing, and send that as the visitor's choice.
    """
    value = standing_at(control, styles)
    st.session_state[key(control.name)] = value
    st.session_state[_kept(control.name)] = value
    _draw(control, styles, titles or {})
    return value


def _draw(control: Control, styles: Sequence[str], titles: Mapping[str, str]) -> None:
    name, tip = key(control.name), help_for(control.name, control.help)
    label = t(f"control_{control.name}")
    match control.kind:
        case "float":
            st.slider(label, float(control.lo), float(control.hi), step=0.01, key=name, help=tip)
        case "int":
            st.number_input(label, int(control.lo), int(control.hi), step=1, key=name, help=tip)
        case "bool":
            st.toggle(label, key=name, help=tip)
        case "colour":
            st.color_picker(label, key=name, help=tip)
        case "choice":
            st.segmented_control(label, control.choices, format_func=choice, required=True, key=name, help=tip)
        case "name":
            st.selectbox(label, list(styles), format_func=lambda style: titles.get(style, style), key=name, help=tip)


def choice(name: str) -> str:
    """What people call one of a control's choices."""
    return t(f"choice_{name}")


def standing_at(control: Control, styles: Sequence[str]) -> Value:
    """The visitor's newest choice; without one what it stood at when its page was last shown, or the default.

    Instead of a style that is gone the first: it is what the browser shows then.
    """
    first = styles[0] if control.kind == "name" and control.default not in styles else control.default
    kept: Value = st.session_state.get(_kept(control.name), first)
    chosen: Value | None = st.session_state.get(key(control.name))
    value = kept if chosen is None else chosen
    return first if control.kind == "name" and value not in styles else value


def _kept(name: str) -> str:
    """Streamlit forgets a widget's value while another page is shown; under this name it stays."""
    return f"kept.{name}"
