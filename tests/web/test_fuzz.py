"""Whatever the OpenAPI page allows, and what it does not, is answered: no 500, no hang, nothing that stays behind."""

import gc
from collections.abc import Iterator
from typing import Any

import httpx
import psutil
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from stylizer.config import Settings
from tests.web.doubles import ColourPipeline, Running, running, wait_for
from web.api.app import create_app
from web.api.doors import RateLimit

pytestmark = pytest.mark.timeout(200)
EXAMPLES = 120
ANSWER_S = 10
WITH_BODY = (
    ("POST", "/v1/streams"),
    ("POST", "/v1/streams/{stream_id}/offer"),
    ("PATCH", "/v1/streams/{stream_id}/controls"),
    ("POST", "/v1/stylize"),
)
WITHOUT = (
    ("GET", "/v1/streams/{stream_id}/controls"),
    ("GET", "/v1/streams/{stream_id}/stats"),
    ("DELETE", "/v1/streams/{stream_id}"),
)
RIGHT, WRONG = GenerationMode.POSITIVE, GenerationMode.NEGATIVE  # as the page allows, and against it
OPERATIONS = [(*each, RIGHT) for each in (*WITH_BODY, *WITHOUT)] + [(*each, WRONG) for each in WITH_BODY]
CHECKS = [status_code_conformance, response_schema_conformance]  # 503, a full house, is documented; 500 nowhere


@pytest.fixture(scope="module")
def worker() -> Iterator[Running]:
    app = create_app(Settings.load(visitors=64, max_upload_bytes=100_000), ColourPipeline(), RateLimit(burst=1_000_000))
    with running(app) as served:
        yield served


@pytest.fixture
def stream(worker: Running) -> Iterator[dict[str, str]]:
    with worker.client() as http:
        wait_for(lambda: _visitors(http) < 60, 20)  # streams that earlier examples took and left without an offer
        opened: dict[str, str] = http.post("/v1/streams", json={}).json()
        yield opened
        http.delete(f"/v1/streams/{opened['id']}", headers={"Authorization": f"Bearer {opened['token']}"})


@pytest.mark.parametrize("method, path, mode", OPERATIONS, ids=lambda part: getattr(part, "value", part))
def test_every_operation_answers_everything(
    worker: Running, stream: dict[str, str], method: str, path: str, mode: GenerationMode
) -> None:
    """With a real stream's id and token, so that what lies behind the door is met as well."""
    with worker.client() as http:
        schema = schemathesis.openapi.from_dict(http.get("/openapi.json").json())
    own = {"stream_id": stream["id"]} if "{" in path else None
    cases: SearchStrategy[Case[Any]] = schema[path][method].as_strategy(mode, path_parameters=own)
    headers = {"Origin": worker.base, "Authorization": f"Bearer {stream['token']}"}

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def answers(case: Case[Any]) -> None:
        response = case.call(base_url=worker.base, headers=headers, timeout=ANSWER_S)
        assert response.status_code != 500, response.text
        case.validate_response(response, checks=CHECKS)

    answers()


def test_what_is_answered_while_the_networks_load_is_described() -> None:
    pipeline = ColourPipeline()
    pipeline.gate.clear()
    app = create_app(Settings.load(), pipeline)
    with running(app, wait_ready=False) as loading, loading.client(Authorization="Bearer x") as http:
        unnamed = [
            f"{method} {path}: {answer.status_code}"
            for path, operations in app.openapi()["paths"].items()
            for method, operation in operations.items()
            if (answer := http.request(method, path)).status_code not in map(int, operation["responses"])
        ]
        pipeline.gate.set()
    assert unnamed == []


def test_after_all_that_nothing_stays_behind(worker: Running) -> None:
    """Streams that no offer followed are swept, and so are their threads and descriptors."""
    process = psutil.Process()
    with worker.client() as http:

        def storm() -> None:
            for _ in range(30):
                opened = http.post("/v1/streams", json={}).json()
                own = {"Authorization": f"Bearer {opened['token']}"}
                http.post(f"/v1/streams/{opened['id']}/offer", json={"sdp": "v=0\r\nm=video x\r\n"}, headers=own)
                http.post("/v1/stylize", content=b"no picture")
                http.delete(f"/v1/streams/{opened['id']}", headers=own)

        wait_for(lambda: _visitors(http) == 0, 20)
        storm()
        before = process.num_threads(), process.num_fds()
        storm()
        wait_for(lambda: _settled(process, before), 20)
        wait_for(lambda: _visitors(http) == 0, 20)


def _settled(process: psutil.Process, before: tuple[int, int]) -> bool:
    gc.collect()
    return bool(process.num_threads() <= before[0] + 2 and process.num_fds() <= before[1] + 2)


def _visitors(http: httpx.Client) -> int:
    return int(http.get("/ready").json()["visitors"])
