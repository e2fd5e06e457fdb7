"""POST /v1/stylize: one picture in, one stylized picture out, through the same thread as the live frames."""

import asyncio
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Query, Request, Response
from starlette.datastructures import UploadFile

from stylizer.controls import CONTROLS, Value
from stylizer.errors import BadInput, NoCapacity
from stylizer.picture import decode_picture, encode_picture
from web.api.body import whole
from web.api.deps import ReadyDep, ServiceDep, problems
from web.api.service import Ready, Service
from web.compat_http import form_in_memory

router = APIRouter(prefix="/v1", tags=["one picture"])

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_UPLOADS = 8  # at once, from the first byte to the answer: all that while they are held in memory
MAX_PIXELS = 40_000_000  # an 8K picture has 33 million
FORM_OVERHEAD_BYTES = 64 * 1024  # boundaries and fields around a multipart picture
OutputFormat = Literal["png", "jpeg", "webp"]

_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            **{f"image/{f.lower()}": {"schema": {"type": "string", "format": "binary"}} for f in FORMATS},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["image"],
                    "properties": {
                        "image": {"type": "string", "format": "binary"},
                        **{c.name: {"type": "string", "description": c.help} for c in CONTROLS.values()},
                    },
                }
            },
        },
    }
}


@router.post(
    "/stylize",
    response_class=Response,
    openapi_extra=_BODY,
    responses={
        200: {
            "content": {
                f"image/{f}": {"schema": {"type": "string", "format": "binary"}} for f in get_args(OutputFormat)
            }
        },
        **problems(403, 404, 408, 413, 415, 422, 429, 503),
    },
)
async def stylize(
    request: Request,
    ready: ReadyDep,
    service: ServiceDep,
    output: Annotated[OutputFormat, Query(alias="format")] = "png",
) -> Response:
    """Send a picture as the body or as the field `image` of a form; controls go as query or form fields.

    404 no such control; 413 too many bytes; 415 no JPEG, PNG or WebP; 422 too many pixels, a wrong control, nobody in
    the picture; 503 busy.
    """
    if service.uploads >= MAX_UPLOADS:
        raise NoCapacity(f"{MAX_UPLOADS} pictures are on their way; please try again in a moment")
    service.uploads += 1
    try:
        stylized = await _stylized(request, ready, service, output)
    finally:
        service.uploads -= 1
    return Response(stylized, media_type=f"image/{output}", headers={"Cache-Control": "no-store"})


async def _stylized(request: Request, ready: Ready, service: Service, output: OutputFormat) -> bytes:
    limit = service.settings.max_upload_bytes
    too_large = f"body: more than {limit} bytes, the largest picture allowed"
    body = await whole(request, limit + FORM_OVERHEAD_BYTES, too_large)
    fields = {k: v for k, v in request.query_params.items() if k != "format"}
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        body, form_fields = await _picture_of_form(request, body)
        fields |= form_fields
    controls = {name: value_from_text(name, text) for name, text in fields.items()}

    def work() -> bytes:
        pixels = decode_picture(body, "picture", MAX_PIXELS, FORMATS)
        return encode_picture(ready.worker.stylize(pixels, controls), output.upper())

    return await asyncio.get_running_loop().run_in_executor(service.stills, work)


async def _picture_of_form(request: Request, body: bytes) -> tuple[bytes, dict[str, str]]:
    form = await form_in_memory(request, body)
    try:
        picture = form.get("image")
        if not isinstance(picture, UploadFile):
            raise BadInput("form: the file field `image` is absent")
        return await picture.read(), {k: v for k, v in form.items() if isinstance(v, str)}
    finally:
        await form.close()


def value_from_text(name: str, text: str) -> Value:
    """A query or form field as the type that its control has; the table checks the range afterwards."""
    kind = CONTROLS[name].kind if name in CONTROLS else "name"
    try:
        if kind in ("float", "int"):
            return float(text)
    except ValueError:
        raise BadInput(f"{name}: got {text!r:.60}, allowed is {CONTROLS[name].allowed}") from None
    if kind == "bool" and text.lower() in ("true", "false", "1", "0"):
        return text.lower() in ("true", "1")
    return text
