"""What keeps the picture from coming, in words and with the remedy: as the booth says it."""

BLOCKED_S = 8.0  # from the browser's offer; a path through a network is found in one or two
SILENT_S = 3.0
SILENT = "The camera is on but sends nothing. Is its lens covered or switched off, or does another program use it?"
BLOCKED = (
    "No path was found for the picture: the network blocks video (UDP). Use the same network as the studio, or a relay "
    "(STYLIZER_TURN_URL)."
)
COMPONENT = {
    "media_api_not_available": "The browser hides the camera here: cameras work only on https:// addresses and on "
    "http://localhost. The drawn clip works everywhere.",
    "device_ask_permission": "Please allow the camera; the browser is asking for it, usually at the top of the window.",
    "device_not_available": "No camera was found, or another program holds it. Connect one or close that program, then "
    "press Stop and start again.",
    "device_access_denied": "The camera was not allowed. Click the camera symbol in the address bar, allow it, then "
    "press Stop and start again.",
    "turn_camera_on": "Camera on",
    "turn_camera_off": "Camera off",
    "select_camera": "Choose the camera",
    "select_device": "Choose the camera",
    "stop": "Connect anew",
    "start": "Connect",
}  # the WebRTC component's own words, by its names for them


def trouble(now_s: float, begun_s: float | None, connected_s: float | None, newest_s: float | None) -> str | None:
    """The sentence for the page, None while all is well.

    All in seconds of one clock: when the browser made its offer, when a path was found, when the newest picture came
    from the camera; None for what has not happened.
    """
    if connected_s is not None:
        return SILENT if now_s - max(connected_s, newest_s or 0.0) > SILENT_S else None
    return BLOCKED if begun_s is not None and now_s - begun_s > BLOCKED_S else None
