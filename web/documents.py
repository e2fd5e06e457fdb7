"""The pages as they are served: every HTML file continues the one head that all of them share."""

from html import escape
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Scope

PAGES = Path(__file__).parent / "pages"
HEAD = PAGES / "shared" / "head.html"
MARK = "<!-- shared/head.html -->"  # stands there in each page


def document(path: Path, **values: str) -> HTMLResponse:
    """The page at `path`, with {name} replaced from `values`, which may hold anything."""
    html = path.read_text(encoding="utf-8").replace(MARK, HEAD.read_text(encoding="utf-8").strip())
    for name, value in values.items():
        html = html.replace(f"{{{name}}}", escape(value))
    return HTMLResponse(html, headers={"Cache-Control": "no-cache"})


class PageFiles(StaticFiles):
    """What the pages load. The HTML files themselves are served by routes: each has one address."""

    @classmethod
    def mount(cls, app: FastAPI) -> None:
        """Folder by folder: at "/" it would answer for every path that a route takes by another method only."""
        for folder in (path for path in PAGES.iterdir() if path.is_dir()):
            app.mount(f"/{folder.name}", cls(directory=folder))

    async def get_response(self, path: str, scope: Scope) -> Response:
        if path.endswith(".html"):
            raise HTTPException(404)
        answer = await super().get_response(path, scope)
        answer.headers["Cache-Control"] = "no-cache"  # asked anew with its ETag: parts of one page are of one version
        return answer
