"""A small real HTTP server on loopback, with scripted trouble."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Script:
    """What the server says. cuts: bytes after which the 1st, 2nd… answer breaks off, None for none."""

    body: bytes
    cuts: list[int | None] = field(default_factory=list)
    ranges: bool = True
    etag: bool = True
    status: int = 200
    announced: int | None = None  # a Content-Length other than the true one
    content_type: str = "application/octet-stream"
    seen: list[dict[str, str]] = field(default_factory=list)  # headers of each request, keys in lower case
    address: str = ""

    @property
    def tag(self) -> str:
        return '"' + hashlib.sha256(self.body).hexdigest()[:16] + '"'


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up early, having seen enough, is what some tests are about; anything else is reported."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


@contextmanager
def serving(script: Script) -> Iterator[str]:
    """Address of one file, `…/weights.bin`, whose answers follow `script`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            script.seen.append({key.lower(): value for key, value in self.headers.items()})
            cut = script.cuts.pop(0) if script.cuts else None
            if script.status != 200:
                self.send_error(script.status)
                return
            start = self._start()
            if start > len(script.body):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(script.body) - 1}/{len(script.body)}")
            if script.etag:
                self.send_header("ETag", script.tag)
            self.send_header("Content-Type", script.content_type)
            self.send_header("Content-Length", str(script.announced or len(script.body) - start))
            self.end_headers()
            self.wfile.write(script.body[start:] if cut is None else script.body[start : start + cut])
            self.close_connection = cut is not None or script.announced is not None

        def _start(self) -> int:
            wanted = self.headers.get("Range")
            fresh = self.headers.get("If-Range") in (None, script.tag)
            return int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and script.ranges and fresh else 0

        def log_message(self, format: str, *args: object) -> None:
            """Silence: pytest's output is for results."""

    with _Server(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/weights.bin"
        finally:
            server.shutdown()
            thread.join()
