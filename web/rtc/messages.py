"""What page and worker say to each other over the data channel: JSON objects with a `type`.

page   -> worker   {"type": "beat"}                                        each second: this tab is alive
                   {"type": "set", "changes": {name: value}, "seq": n}     controls, all or nothing
worker -> page     {"type": "controls", "controls": {...}, "seq": n}       what holds now
                   {"type": "error", "code": "...", "message": "...", "seq": n}
                   {"type": "stats", ...}                                  each second, see `SessionStats`
                   {"type": "figure", "outline": [[x, y], ...]}            when it changes; empty: nobody in view
                   {"type": "bye", "why": "..."}                           the worker ends the stream
"""

import json
from collections.abc import Mapping
from dataclasses import asdict

from stylizer.errors import BadInput, StylizerError, Unavailable
from stylizer.live import SessionStats
from stylizer.logs import log
from stylizer.stages.outline import Outline
from web.messages import changes_in, parsed, refusal
from web.rtc.session import Session


def answer(session: Session, message: str | bytes) -> str | None:
    """Carries out one message of the page; the reply, or None where there is none to give."""
    seq: object = None
    try:
        data = parsed(message)
        if not isinstance(data.get("seq", 0), int):
            raise BadInput(f"seq: got {data['seq']!r:.60}, allowed is a whole number")
        seq = data.get("seq")
        match data.get("type"):
            case "beat":
                return None
            case "set":
                return json.dumps({"type": "controls", "controls": dict(session.set(changes_in(data))), "seq": seq})
            case other:
                raise BadInput(f"type: got {other!r:.60}, allowed is beat | set")
    except StylizerError as error:
        return refusal(error, seq=seq)
    except Exception as error:  # of a full disk, say: whoever reads the channel goes on
        log.exception("message not carried out")
        return refusal(Unavailable(f"it could not be done ({type(error).__name__})"), seq=seq)


def stats_message(stats: SessionStats) -> str:
    return json.dumps({"type": "stats", **stats_dict(stats)})


def figure_message(outline: Outline) -> str:
    return json.dumps({"type": "figure", "outline": outline})


def bye_message(why: str) -> str:
    return json.dumps({"type": "bye", "why": why})


def stats_dict(stats: SessionStats) -> dict[str, object]:
    return {name: dict(v) if isinstance(v, Mapping) else v for name, v in asdict(stats).items()}
