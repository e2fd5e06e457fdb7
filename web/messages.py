"""Messages of pages, over a data channel or a WebSocket: JSON objects with a `type`. How they are read, and refused."""

import json

from stylizer.errors import BadInput, StylizerError

MAX_MESSAGE_BYTES = 4096


def parsed(message: str | bytes) -> dict[str, object]:
    """Raises BadInput for what is too long, no JSON, or no object."""
    size = len(message.encode() if isinstance(message, str) else message)
    if size > MAX_MESSAGE_BYTES:
        raise BadInput(f"message: {size} bytes, at most {MAX_MESSAGE_BYTES} are allowed")
    try:
        data = json.loads(message)
    except (ValueError, RecursionError):
        raise BadInput("message: it is not JSON") from None
    if not isinstance(data, dict):
        raise BadInput("message: allowed is a JSON object with a type")
    return data


def changes_in(data: dict[str, object]) -> dict[str, object]:
    """Of a message of type `set`. Raises BadInput."""
    changes = data.get("changes")
    if not isinstance(changes, dict):
        raise BadInput(f"changes: got {changes!r:.60}, allowed is an object of control names and values")
    return changes


def refusal(error: StylizerError, **more: object) -> str:
    """The answer to a message that was not carried out."""
    return json.dumps({"type": "error", "code": error.code, "message": str(error), **more})
