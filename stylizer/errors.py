"""Everything that can go wrong and that a user can mend.

StylizerError
├── BadInput          a value, a file or a picture that cannot be used (names it, what came, what is allowed)
│   └── Unreadable    bytes that are no picture, film or model
├── ModelMissing      weights that are on no search path and not in the cache
├── ModelRejected     weights whose checksum, format or content is not what it must be
├── NotFound          no such visitor, style or control
├── NoCapacity        every place is taken: come back later
└── Unavailable       a part of the machine or network that should be there is not

`assert` is for our own mistakes; these are for everybody else's.
"""


class StylizerError(Exception):
    """Base class. The message is one sentence for a person; `code` is stable, for programs."""

    code = "error"


class BadInput(StylizerError, ValueError):
    code = "bad_input"


class Unreadable(BadInput):
    code = "unreadable"


class ModelMissing(StylizerError):
    code = "model_missing"


class ModelRejected(StylizerError):
    code = "model_rejected"


class NotFound(StylizerError):
    code = "not_found"


class NoCapacity(StylizerError):
    code = "no_capacity"


class Unavailable(StylizerError):
    code = "unavailable"


def first_line(error: Exception) -> str:
    """What a library says, without the screen of advice that follows; its kind where it says nothing."""
    return str(error).partition("\n")[0] or type(error).__name__
