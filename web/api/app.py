"""The worker's application: WebRTC signalling, REST, metrics, the booth page."""

from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from stylizer.config import Settings
from stylizer.errors import BadInput, NotFound, StylizerError
from stylizer.styles import CLIP
from web import compat
from web.api import keepsakes, stills, streams
from web.api.connections import Connections
from web.api.deps import ReadyDep, ServiceDep, problems
from web.api.doors import Doors, RateLimit
from web.api.metrics import registry
from web.api.models import ControlRow, Health, Readiness, Standing, Styles, control_rows
from web.api.service import ServedPipeline, Service
from web.documents import PAGES, PageFiles, document
from web.errors import RefusedBody, problem

DOCS_PATH = "/docs"
LANGUAGES = ("en", "ja")


def create_app(settings: Settings, pipeline: ServedPipeline | None = None, limit: RateLimit | None = None) -> FastAPI:
    """A fresh application. `pipeline`: one that is open already; by default it is opened and warmed at start.

    `/health` answers at once, `/ready` turns from 503 to 200 when the networks are warm.
    """
    service = Service(settings, _open_pipeline if pipeline is None else lambda _: pipeline)
    compat.mend_aiortc()

    app = FastAPI(
        title="stylizer",
        summary="A camera goes in, a person drawn in a style comes out.",
        version=_version(),
        lifespan=lambda _: service.running(),
        docs_url=DOCS_PATH,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    shut_doors(app, settings, service.connections, limit)
    _add_common_routes(app, service)
    app.include_router(streams.router)
    app.include_router(stills.router)
    app.include_router(keepsakes.router)
    PageFiles.mount(app)
    return app


def _open_pipeline(settings: Settings) -> ServedPipeline:
    from stylizer.pipeline import Pipeline  # in the loading thread: importing the networks' libraries takes seconds

    return Pipeline.open(settings)


def shut_doors(
    app: FastAPI,
    settings: Settings,
    connections: Connections,
    limit: RateLimit | None,
    uploads: tuple[str, ...] = (),
) -> None:
    """Who may come in and with what, and one form for every refusal. uploads: as `Doors` says."""
    limit = limit or RateLimit()
    app.add_middleware(
        Doors, origins=settings.origins, limit=limit, connections=connections, docs_path=DOCS_PATH, uploads=uploads
    )
    _add_error_answers(app)


def _add_error_answers(app: FastAPI) -> None:

    @app.exception_handler(StylizerError)
    async def of_ours(_: Request, error: StylizerError) -> JSONResponse:
        return problem(error)

    @app.exception_handler(RefusedBody)
    async def of_a_body(_: Request, refused: RefusedBody) -> JSONResponse:
        """The rest of it is not read, so the connection cannot be used again."""
        answer = problem(refused.error)
        answer.headers["Connection"] = "close"
        return answer

    @app.exception_handler(ClientDisconnect)
    async def of_an_upload_that_broke_off(_: Request, __: ClientDisconnect) -> Response:
        """Nobody reads it; left alone it would be a fault of ours in the log."""
        return Response(status_code=400)

    @app.exception_handler(RequestValidationError)
    async def of_bodies(_: Request, error: RequestValidationError) -> JSONResponse:
        faults = (f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors())
        return problem(BadInput("; ".join(faults)))

    @app.exception_handler(HTTPException)
    async def of_the_framework(_: Request, error: HTTPException) -> JSONResponse:
        """No such route, wrong method, a body that is no JSON: the same form as all other refusals."""
        code = HTTPStatus(error.status_code).name.lower()
        return JSONResponse({"code": code, "message": str(error.detail)}, error.status_code, error.headers)


def _add_common_routes(app: FastAPI, service: Service) -> None:
    metrics = registry(service)

    @app.get("/health", tags=["state"], responses=problems(503))
    async def health(service: ServiceDep, response: Response) -> Health:
        """Alive: answers as soon as the process runs. 503 when only a restart can help."""
        response.status_code = 200 if service.alive else 503
        return Health(alive=service.alive)

    @app.get("/ready", tags=["state"], responses=problems(503))
    async def ready(ready: ReadyDep) -> Readiness:
        """Warmed up, with the rung on which every part stands. 503 while the networks load."""
        ladder = [Standing(part=part, standing=standing, why=why) for part, standing, why in ready.pipeline.ladder]
        return Readiness(ready=True, visitors=ready.worker.visitors, capacity=ready.worker.capacity, ladder=ladder)

    @app.get("/v1/controls", tags=["controls"])
    async def table() -> list[ControlRow]:
        """THE table of live parameters; sliders and pads are made from it."""
        return control_rows()

    @app.get("/v1/styles", tags=["controls"], responses=problems(503))
    def styles(ready: ReadyDep) -> Styles:
        """Names for the control `style`, also of those that were brought in since the start."""
        ready.pipeline.refresh_styles()
        titles = {language: dict(ready.pipeline.titles(language)) for language in LANGUAGES}
        return Styles(styles=ready.pipeline.styles, titles=titles)

    @app.get("/metrics", tags=["state"])
    async def prometheus() -> Response:  # in the event loop: meanwhile nobody comes or goes, so none counts twice
        """Counters and gauges in Prometheus' text form."""
        return Response(generate_latest(metrics), media_type=CONTENT_TYPE_LATEST)

    @app.get("/", include_in_schema=False)
    def booth() -> HTMLResponse:
        return document(PAGES / "booth" / "index.html")

    @app.get("/clip.mp4", include_in_schema=False)
    async def clip() -> FileResponse:
        if not CLIP.exists():
            raise NotFound("this build has no sample clip")
        return FileResponse(CLIP, media_type="video/mp4")


def _version() -> str:
    try:
        return version("stylizer")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"
