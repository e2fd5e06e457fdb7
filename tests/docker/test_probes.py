"""Whether a container is well is asked of itself, whatever proxy it is given for the internet."""

import http.server
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("compose.yaml", "docker/worker.Dockerfile", "docker/studio.Dockerfile")
PROBES = [
    (name, code)
    for name in FILES
    for code in re.findall(r'"?-c"?, ("[^"]*http://127[^"]*")', (ROOT / name).read_text())
]


class _Well(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.mark.parametrize("name, code", PROBES)
def test_a_probe_takes_no_proxy(name: str, code: str) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Well) as well:
        threading.Thread(target=well.serve_forever, daemon=True).start()
        here = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{well.server_port}", json.loads(code))
        ways = {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "no_proxy": "", "NO_PROXY": ""}
        asked = subprocess.run([sys.executable, "-c", here], env={**os.environ, **ways}, timeout=30)
        well.shutdown()
    assert asked.returncode == 0


def test_every_probe_is_tried() -> None:
    assert [name for name, _ in PROBES] == [FILES[0], *FILES]
