"""A local window, full screen if wanted, that also hands over its keys."""

import cv2

from stylizer.errors import Unavailable, first_line
from stylizer.frame import PixelsU8
from stylizer.machine import DISPLAYS, has_screen

NAME = "stylizer"


class Window:
    """Raises Unavailable when this machine has no display or OpenCV was built without windows."""

    def __init__(self, *, full_screen: bool = False) -> None:
        if not has_screen():
            # Told here, because OpenCV's Qt would end the whole process.
            raise Unavailable(f"no window: none of {', '.join(DISPLAYS)} is set; --web plays in a browser")
        try:
            cv2.namedWindow(NAME, cv2.WINDOW_NORMAL)
            if full_screen:
                cv2.setWindowProperty(NAME, cv2.WND_PROP_FULLSCREEN, cv2.WINDOW_FULLSCREEN)
        except cv2.error as error:
            raise Unavailable(f"no window can be opened ({first_line(error)})") from None

    def show(self, pixels: PixelsU8) -> str:
        """Shows a picture -> the key pressed since the last one, or ""; "q" when the window was closed."""
        cv2.imshow(NAME, pixels[..., ::-1])
        code = cv2.waitKeyEx(1)
        if cv2.getWindowProperty(NAME, cv2.WND_PROP_VISIBLE) < 1:
            return "q"
        return key_of(code)

    def close(self) -> None:
        cv2.destroyWindow(NAME)


def key_of(code: int) -> str:
    """OpenCV's code, below 0 for none -> the character that was typed, or "". Arrows and the like have codes of two
    bytes, whose lower ones are letters: the left arrow's is Q. Above them stand Shift and Num Lock."""
    character = code & 0xFFFF
    return chr(character) if code >= 0 and character < 0x80 else ""
