"""Faults that only a network has, and THE table from every leaf of the error tree to its HTTP status."""

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from stylizer.errors import (
    BadInput,
    ModelMissing,
    ModelRejected,
    NoCapacity,
    NotFound,
    StylizerError,
    Unavailable,
    Unreadable,
)


class WrongToken(StylizerError):
    code = "wrong_token"


class ForeignOrigin(StylizerError):
    code = "foreign_origin"


class TooLarge(BadInput):
    code = "too_large"


class TooSlow(StylizerError):
    code = "too_slow"


class TooManyRequests(StylizerError):
    code = "too_many_requests"


STATUS: dict[type[StylizerError], int] = {
    WrongToken: 401,
    ForeignOrigin: 403,
    NotFound: 404,
    TooSlow: 408,
    TooLarge: 413,
    Unreadable: 415,
    BadInput: 422,
    TooManyRequests: 429,
    ModelMissing: 503,
    ModelRejected: 503,
    NoCapacity: 503,
    Unavailable: 503,
    StylizerError: 500,
}


def status_of(error: StylizerError) -> int:
    """The status of the nearest class in the table, so that a new leaf inherits its parent's."""
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def problem(error: StylizerError) -> JSONResponse:
    """{code, message} with the status of THE table."""
    status = status_of(error)
    headers = {"Retry-After": "2"} if status in (429, 503) else {}
    return JSONResponse({"code": error.code, "message": str(error)}, status, headers)


class RefusedBody(HTTPException):
    """A refusal while a body is read, in the only form that FastAPI lets through there: of all else it makes 400."""

    def __init__(self, error: StylizerError) -> None:
        super().__init__(status_of(error), str(error))
        self.error = error
