"""What a control page and the stage say to each other over the WebSocket: JSON objects with a `type`.

page  -> stage  {"type": "hello", "key": "..."}                              first, within five seconds
                {"type": "set", "changes": {name: value}}                    controls, all or none
                {"type": "preset", "name": "...", "beats": n}                played at once (0) or over n beats
                {"type": "key", "key": "f"}                                  a key of the window's map
                {"type": "tempo", "bpm": n}
                {"type": "learn", "control": name | null}                    the next knob touched turns it
                {"type": "forget", "control": name}                          no knob turns it any more
                {"type": "follow", "control": name, "source": name | null, "gain": n | null}
                {"type": "camera", "stream": id | null}                      this stream's camera alone is in the show
stage -> page   welcome (table, keys), shelf (models, presets), controls, wiring, each when it changes;
                meters ten times a second; {"type": "error", "code": "...", "message": "..."}
"""

import hmac

from stylizer.errors import BadInput
from stylizer.vj.bank import SLOTS
from web.errors import WrongToken
from web.messages import changes_in
from web.vj.stage import Stage
from web.vj.viewers import Audience


def check_hello(data: dict[str, object], key: str) -> None:
    """Raises WrongToken unless this is a hello with the show's key."""
    if data.get("type") != "hello":
        raise WrongToken("the first message must be a hello with the show's key")
    check_key(str(data.get("key", "")), key)


def check_key(given: str, key: str) -> None:
    if not hmac.compare_digest(given.encode(errors="replace"), key.encode()):  # JSON may hold half a character
        raise WrongToken("the key is not this show's; open the address that the terminal printed")


def chooses_model(data: dict[str, object]) -> bool:
    """Whether it may take seconds until this is carried out."""
    changes = data.get("changes")
    return data.get("type") == "set" and isinstance(changes, dict) and not changes.keys().isdisjoint(SLOTS)


def carry_out(stage: Stage, audience: Audience, data: dict[str, object]) -> None:
    """One message. May load a model: not for an event loop. Raises StylizerError."""
    match data.get("type"):
        case "set":
            stage.set(changes_in(data))
        case "preset":
            stage.play(data.get("name"), data.get("beats", 0))
        case "key":
            stage.press(data.get("key"))
        case "tempo":
            stage.set_tempo(data.get("bpm"))
        case "learn":
            stage.learn(data.get("control"))
        case "forget":
            stage.forget(data.get("control"))
        case "follow":
            stage.follow(data.get("control"), data.get("source"), data.get("gain"))
        case "camera":
            stream = data.get("stream")
            audience.let_send(stream if isinstance(stream, str) else None)
        case other:
            raise BadInput(f"type: got {other!r:.40}, allowed is {' | '.join(TYPES)}")


TYPES = ("set", "preset", "key", "tempo", "learn", "forget", "follow", "camera")
