"""The show as an NDI source in the network, where cyndilib is installed."""

from fractions import Fraction

import cv2
import numpy as np

from stylizer.errors import Unavailable
from stylizer.frame import PixelsU8
from stylizer.vj.outputs.outlet import Outlet


def ndi_source(side: int) -> Outlet:
    """side x side, px, whatever the show's size. Raises Unavailable without cyndilib or where NDI does not run."""
    try:
        from cyndilib.sender import Sender
        from cyndilib.video_frame import VideoSendFrame
        from cyndilib.wrapper.ndi_structs import FourCC
    except ImportError as error:
        raise Unavailable(f"NDI needs cyndilib: install stylizer[venue] ({error})") from None
    frame = VideoSendFrame()
    frame.set_resolution(side, side)
    frame.set_frame_rate(Fraction(60))
    frame.set_fourcc(FourCC.RGBX)
    sender = Sender("stylizer", clock_video=False, clock_audio=False)
    sender.set_video_frame(frame)
    if not sender.open():
        raise Unavailable("NDI does not open a source on this machine")

    def write(pixels: PixelsU8) -> None:
        sender.write_video_async(np.ascontiguousarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA)).reshape(-1))

    return Outlet("NDI", side, write, sender.close)
