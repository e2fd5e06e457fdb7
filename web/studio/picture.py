"""A picture as part of the page, with words for those who do not see it; `st.image` has none.

It also gives an address, and a browser that asks for it a second later, when the page was drawn again, finds nothing.
"""

import base64
import html
from io import BytesIO

import streamlit as st
from PIL import Image
from streamlit.delta_generator import DeltaGenerator

from stylizer.frame import PixelsU8


def show(pixels: PixelsU8, alt: str, place: DeltaGenerator | None = None) -> None:
    """pixels [H, W, 3], drawn as wide as there is room; at `place`, or where the script stands."""
    data = BytesIO()
    Image.fromarray(pixels).save(data, "JPEG", quality=88)
    _put(data.getvalue(), "jpeg", alt, place)


def show_png(data: bytes, alt: str) -> None:
    _put(data, "png", alt, None)


def _put(data: bytes, kind: str, alt: str, place: DeltaGenerator | None) -> None:
    source = f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    text = f'<img src="{source}" alt="{html.escape(alt)}" style="width: 100%; border-radius: 14px">'
    (st if place is None else place).html(text)
