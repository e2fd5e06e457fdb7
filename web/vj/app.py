"""The stage's application: control page, output page, their socket and streams."""

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from stylizer.config import Settings
from web import compat
from web.api import streams
from web.api.app import DOCS_PATH, shut_doors
from web.api.doors import RateLimit
from web.api.models import Health
from web.documents import PAGES, PageFiles, document
from web.vj import routes
from web.vj.service import StageService
from web.vj.stage import Stage


def create_stage_app(settings: Settings, stage: Stage, limit: RateLimit | None = None) -> FastAPI:
    """A fresh application around a show; somebody else runs the show itself."""
    service = StageService(settings, stage)
    compat.mend_aiortc()

    app = FastAPI(
        title="stylizer stage",
        lifespan=lambda _: service.running(),
        docs_url=DOCS_PATH,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    shut_doors(app, settings, service.connections, limit, uploads=(routes.SLOTS_PATH,))
    _add_pages(app)
    app.include_router(routes.outputs)  # before the visitors' routes: a place here needs no queue
    app.include_router(streams.router)
    app.include_router(routes.router)
    PageFiles.mount(app)
    return app


def _add_pages(app: FastAPI) -> None:
    @app.get("/health", tags=["state"])
    async def health() -> Health:
        """Alive: the show's end ends the process."""
        return Health(alive=True)

    @app.get("/", include_in_schema=False)
    def control() -> HTMLResponse:
        return document(PAGES / "vj" / "index.html")

    @app.get("/output", include_in_schema=False)
    def output() -> HTMLResponse:
        return document(PAGES / "vj" / "output.html")
