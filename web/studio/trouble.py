"""What keeps the picture from coming, by the key of its words: what is wrong and the remedy, as the booth says it."""

BLOCKED_S = 8.0  # from the browser's offer; a path through a network is found in one or two
SILENT_S = 3.0
COMPONENT = {
    "media_api_not_available": "insecure",
    "device_ask_permission": "asking",
    "device_not_available": "absent",
    "device_access_denied": "denied",
    "turn_camera_on": "camera_on",
    "turn_camera_off": "camera_off",
    "select_camera": "choose_camera",
    "select_device": "choose_camera",
    "stop": "connect_anew",
    "start": "connect",
}  # the WebRTC component's names for its words, and ours


def trouble(now_s: float, begun_s: float | None, connected_s: float | None, newest_s: float | None) -> str | None:
    """The key of the sentence for the page, None while all is well.

    All in seconds of one clock: when the browser made its offer, when a path was found, when the newest picture came
    from the camera; None for what has not happened.
    """
    if connected_s is not None:
        return "silent" if now_s - max(connected_s, newest_s or 0.0) > SILENT_S else None
    return "blocked" if begun_s is not None and now_s - begun_s > BLOCKED_S else None
