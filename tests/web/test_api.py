"""The REST doors: what gets in, what is refused, and with which words."""

import io
import json
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from stylizer.config import Settings
from stylizer.controls import CONTROLS
from stylizer.errors import BadInput, ModelMissing, StylizerError
from tests.web.doubles import ColourPipeline, Running, running, tinted, wait_for
from web.api.app import create_app
from web.api.doors import RateLimit, check_origin
from web.errors import STATUS, ForeignOrigin, status_of
from web.rtc.ice import turn_credentials
from web.rtc.sdp import checked_offer

UPLOAD_LIMIT = 300_000


@pytest.fixture(scope="module")
def worker() -> Iterator[Running]:
    app = create_app(
        Settings.load(visitors=3, max_upload_bytes=UPLOAD_LIMIT), ColourPipeline(), RateLimit(burst=10_000)
    )
    with running(app) as served:
        yield served


@pytest.fixture
def http(worker: Running) -> Iterator[httpx.Client]:
    with worker.client() as client:
        yield client


@pytest.fixture
def stream(http: httpx.Client) -> Iterator[dict[str, str]]:
    """An open stream; `http` carries its token."""
    opened = http.post("/v1/streams", json={"controls": {"seed": 5}}).json()
    http.headers["Authorization"] = f"Bearer {opened['token']}"
    yield opened
    http.delete(f"/v1/streams/{opened['id']}")


def _picture(width: int = 60, height: int = 40, form: str = "PNG") -> bytes:
    memory = io.BytesIO()
    Image.new("RGB", (width, height), (200, 100, 40)).save(memory, form)
    return memory.getvalue()


def _is_problem(answer: httpx.Response, status: int, code: str) -> bool:
    body = answer.json()
    return answer.status_code == status and body["code"] == code and len(body["message"]) > 10


# ---------------------------------------------------------------- state


def test_health_answers_while_ready_waits_for_the_networks() -> None:
    pipeline = ColourPipeline()
    pipeline.gate.clear()
    with running(create_app(Settings.load(), pipeline), wait_ready=False) as loading, loading.client() as http:
        assert http.get("/health").status_code == 200
        assert _is_problem(http.get("/ready"), 503, "unavailable")
        assert _is_problem(http.post("/v1/streams", json={}), 503, "unavailable")
        pipeline.gate.set()
        wait_for(lambda: http.get("/ready").status_code == 200, 5)
        ready = http.get("/ready").json()
    assert ready["capacity"] == 4
    assert ready["ladder"][1] == {"part": "matte", "standing": "none (test)", "why": "a test needs no weights"}


def test_a_pipeline_that_cannot_open_is_named_and_unhealthy() -> None:
    class Broken(ColourPipeline):
        def warm_up(self) -> None:
            raise ModelMissing("rvm.onnx is on no search path")

    with running(create_app(Settings.load(), Broken()), wait_ready=False) as served, served.client() as http:
        wait_for(lambda: http.get("/health").status_code == 503, 5)
        assert "rvm.onnx" in http.get("/ready").json()["message"]


def test_the_table_of_controls_is_served_row_by_row(http: httpx.Client) -> None:
    rows = {row["name"]: row for row in http.get("/v1/controls").json()}
    assert list(rows) == list(CONTROLS)
    assert rows["background"]["choices"] == list(CONTROLS["background"].choices)
    titles = {"en": {"blue": "Blue", "red": "Fire Red"}, "ja": {"blue": "青", "red": "赤"}}
    assert http.get("/v1/styles").json() == {"styles": ["blue", "red"], "titles": titles}


def test_openapi_has_an_answer_for_every_refusal_and_examples(http: httpx.Client) -> None:
    api = http.get("/openapi.json").json()
    offer = api["paths"]["/v1/streams/{stream_id}/offer"]["post"]
    assert {"200", "401", "403", "404", "422", "503"} <= set(offer["responses"])
    assert api["components"]["schemas"]["Problem"]["properties"]["code"]["examples"] == ["no_capacity"]


def test_metrics_count_streams_and_name_the_rungs(http: httpx.Client, stream: dict[str, str]) -> None:
    families = {f.name: f for f in text_string_to_metric_families(http.get("/metrics").text)}
    assert families["stylizer_visitors"].samples[0].value >= 1
    assert families["stylizer_streams_opened"].samples[0].value >= 1
    assert {s.labels["part"] for s in families["stylizer_rung"].samples} == {"device", "matte"}


def test_pages_may_use_the_camera_and_nothing_from_elsewhere(http: httpx.Client) -> None:
    page = http.get("/")
    assert page.status_code == 200 and "/booth/booth.js" in page.text and "/shared/tokens.css" in page.text
    assert http.get("/booth/booth.js").status_code == 200
    assert http.get("/booth/index.html").json()["code"] == "not_found", "a page has one address"
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    assert "camera=(self)" in page.headers["Permissions-Policy"]


@pytest.mark.parametrize("path", ["/", "/booth/booth.js", "/shared/tokens.css"])
def test_pages_and_their_parts_are_asked_for_anew(http: httpx.Client, path: str) -> None:
    """Else browsers guess how long: scripts of before an upgrade, beside a page of after it, do not fit together."""
    answer = http.get(path)
    assert answer.headers["Cache-Control"] == "no-cache"
    if "ETag" in answer.headers:
        assert http.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304


# ---------------------------------------------------------------- doors


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://evil.example:8000", "null", "http://[", "http://[::1"]
)
def test_a_foreign_page_is_refused(worker: Running, origin: str) -> None:
    with worker.client() as http:
        assert _is_problem(http.post("/v1/streams", json={}, headers={"Origin": origin}), 403, "foreign_origin")
        assert _is_problem(http.post("/v1/stylize", content=b"x", headers={"Origin": origin}), 403, "foreign_origin")


def test_an_absent_origin_is_refused_except_for_pictures(worker: Running) -> None:
    with httpx.Client(base_url=worker.base) as http:
        assert _is_problem(http.post("/v1/streams", json={}), 403, "foreign_origin")
        assert http.post("/v1/stylize", content=_picture()).status_code == 200


def test_a_name_that_was_made_to_point_here_is_no_origin_of_ours() -> None:
    check_origin("http://192.168.7.2:8000", "192.168.7.2:8000", ())
    check_origin("http://[::1]:8000", "[::1]:8000", ())
    check_origin("https://booth.example", "inner:8000", ("https://booth.example",))
    with pytest.raises(ForeignOrigin):
        check_origin("http://rebound.example:8000", "rebound.example:8000", ())


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic abc", "Bearer"])
def test_without_the_streams_own_token_nothing_is_told(
    worker: Running, stream: dict[str, str], authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    path = f"/v1/streams/{stream['id']}"
    with worker.client(**headers) as stranger:
        for answer in (
            stranger.get(f"{path}/controls"),
            stranger.get(f"{path}/stats"),
            stranger.patch(f"{path}/controls", json={"seed": 1}),
            stranger.post(f"{path}/offer", json={"sdp": "v=0"}),
            stranger.delete(path),
        ):
            assert _is_problem(answer, 401, "wrong_token")


def test_a_streams_token_cannot_be_guessed(stream: dict[str, str]) -> None:
    assert len(stream["token"]) * 6 >= 256, "a character of base64 holds six bits"


def test_a_stream_that_is_not_there_is_404(http: httpx.Client, stream: dict[str, str]) -> None:
    assert _is_problem(http.get("/v1/streams/nobody/stats"), 404, "not_found")


def test_every_leaf_of_the_error_tree_has_a_status() -> None:
    def leaves(cls: type[StylizerError]) -> Iterator[type[StylizerError]]:
        yield cls
        for sub in cls.__subclasses__():
            yield from leaves(sub)

    assert {status_of(leaf("x")) for leaf in leaves(StylizerError)} <= set(STATUS.values())
    assert status_of(BadInput("x")) == 422


# ---------------------------------------------------------------- controls


def test_controls_are_read_and_changed_all_or_none(http: httpx.Client, stream: dict[str, str]) -> None:
    path = f"/v1/streams/{stream['id']}/controls"
    assert http.get(path).json()["controls"]["seed"] == 5
    assert http.patch(path, json={"seed": 6, "background": "blur"}).json()["controls"]["background"] == "blur"
    refused = http.patch(path, json={"seed": 7, "look": 2})
    assert _is_problem(refused, 422, "bad_input") and "look: got 2" in refused.json()["message"]
    assert _is_problem(http.patch(path, json={"brightness": 1}), 404, "not_found")
    assert _is_problem(http.patch(path, json={"style": "cubist"}), 404, "not_found")
    assert http.get(path).json()["controls"]["seed"] == 6


def test_a_stream_with_wrong_controls_takes_no_place(worker: Running, http: httpx.Client) -> None:
    before = worker.visitors()
    assert _is_problem(http.post("/v1/streams", json={"controls": {"seed": -1}}), 422, "bad_input")
    assert _is_problem(http.post("/v1/streams", json={"colour": 1}), 422, "bad_input")
    assert worker.visitors() == before


# ---------------------------------------------------------------- offers

OFFER = """v=0
o=- 1 1 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE 0
m=video 9 UDP/TLS/RTP/SAVPF 96
c=IN IP4 0.0.0.0
a=mid:0
a=sendrecv
a=rtcp-mux
a=rtpmap:96 VP8/90000
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuv
a=fingerprint:sha-256 {fingerprint}
a=setup:actpass
""".format(fingerprint=":".join(["AB"] * 32)).replace("\n", "\r\n")


def _candidate(address: str) -> str:
    return f"a=candidate:1 1 udp 2122260223 {address} 50000 typ host\r\n"


@pytest.mark.parametrize(
    "sdp, word",
    [
        ("", "media lines absent"),
        ("hello", "media lines absent"),
        ("v=0\r\nm=video x\r\n", "does not parse"),
        (OFFER.replace("VP8/90000", "AV1/90000"), "no video codec"),
        (OFFER + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:1\r\na=rtpmap:111 opus/48000/2\r\n", "media lines"),
        (OFFER + OFFER[OFFER.index("m=video") :].replace("mid:0", "mid:1"), "media lines"),
        (OFFER.replace("a=ice-pwd:abcdefghijklmnopqrstuv\r\n", ""), "ice-pwd"),
        (OFFER + _candidate("192.0.2.1") * 50, "50 candidates"),
        (OFFER + "a=x:" + "y" * 70_000, "bytes"),
    ],
)
def test_a_bad_offer_is_refused_by_name(http: httpx.Client, stream: dict[str, str], sdp: str, word: str) -> None:
    answer = http.post(f"/v1/streams/{stream['id']}/offer", json={"sdp": sdp})
    assert _is_problem(answer, 422, "bad_input")
    assert word in answer.json()["message"]


@pytest.mark.parametrize(
    "address, client, kept",
    [
        ("169.254.169.254", "127.0.0.1", False),
        ("fe80::1", "192.168.1.9", False),
        ("224.0.0.1", "127.0.0.1", False),
        ("0.0.0.0", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "192.168.1.9", False),
        ("::ffff:127.0.0.1", "192.168.1.9", False),
        ("10.0.0.5", "192.168.1.9", True),
        ("10.0.0.5", "8.8.8.8", False),
        ("8.8.4.4", "8.8.8.8", True),
        ("3c5f1a2b-0000-4000-8000-1234567890ab.local", "192.168.1.9", True),
        ("3c5f1a2b-0000-4000-8000-1234567890ab.local", "8.8.8.8", False),
        ("printer.local", "192.168.1.9", False),
        ("metadata.google.internal", "127.0.0.1", False),
    ],
)
def test_only_candidates_that_the_client_may_name_are_kept(address: str, client: str, kept: bool) -> None:
    assert (_candidate(address) in checked_offer(OFFER + _candidate(address), client)) is kept


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(strategies.data())
def test_a_mangled_offer_is_answered_or_refused_but_never_an_error(
    http: httpx.Client, stream: dict[str, str], data: strategies.DataObject
) -> None:
    lines = OFFER.splitlines()
    at = data.draw(strategies.integers(0, len(lines) - 1))
    junk = data.draw(strategies.text(strategies.characters(codec="utf-8"), max_size=30))
    cut = data.draw(strategies.integers(0, len(lines[at])))
    mangled = "\r\n".join([*lines[:at], lines[at][:cut] + junk, *lines[at + 1 :]]) + "\r\n"
    answer = http.post(f"/v1/streams/{stream['id']}/offer", json={"sdp": mangled})
    assert answer.status_code in (200, 422), answer.text


def test_relay_credentials_are_those_that_coturn_computes() -> None:
    # printf 1700003600:abc | openssl dgst -binary -sha1 -hmac s3cret | base64
    assert turn_credentials("s3cret", "abc", 1_700_000_000) == ("1700003600:abc", "Fe5EJwoqvfV1NLt6WgDwx7yTyxg=")


# ---------------------------------------------------------------- one picture


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_comes_back_stylized(http: httpx.Client, form: str) -> None:
    answer = http.post("/v1/stylize?style=red&seed=3", content=_picture(form=form))
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/png"
    pixels = np.array(Image.open(io.BytesIO(answer.content)))
    expected = tinted(np.full((40, 60, 3), (200, 100, 40), np.uint8), "red")
    assert (
        pixels.shape == (40, 60, 3) and np.abs(pixels.astype(int) - expected).max() <= 12
    )  # JPEG and WebP lose a little


@pytest.mark.parametrize("kind", ["multipart/form-data", "Multipart/Form-Data"])
def test_a_form_works_as_well_and_the_answer_takes_the_form_asked_for(http: httpx.Client, kind: str) -> None:
    files = {"image": ("a.png", _picture())}
    request = http.build_request("POST", "/v1/stylize?format=webp", files=files, data={"style": "blue"})
    request.headers["Content-Type"] = request.headers["Content-Type"].replace("multipart/form-data", kind)
    answer = http.send(request)
    assert answer.status_code == 200
    assert Image.open(io.BytesIO(answer.content)).format == "WEBP"


@pytest.mark.parametrize(
    "content, query, status, code",
    [
        (b"", "", 415, "unreadable"),
        (b"GIF89a not really", "", 415, "unreadable"),
        (_picture()[:60], "", 415, "unreadable"),
        (b"x" * (UPLOAD_LIMIT + 100_000), "", 413, "too_large"),
        (_picture(8000, 5001), "", 422, "bad_input"),
        (_picture(8000, 5001)[:60], "", 422, "bad_input"),  # its size is read before a single pixel
        (_picture(), "?seed=many", 422, "bad_input"),
        (_picture(), "?look=7", 422, "bad_input"),
        (_picture(), "?hat=1", 404, "not_found"),
        (_picture(), "?format=gif", 422, "bad_input"),
    ],
)
def test_what_is_no_picture_or_no_control_is_refused(
    http: httpx.Client, content: bytes, query: str, status: int, code: str
) -> None:
    assert _is_problem(http.post(f"/v1/stylize{query}", content=content), status, code)


@pytest.mark.parametrize(
    "body", [b"", b"--x\r\nnonsense", b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n']
)
def test_a_form_without_a_picture_is_refused(http: httpx.Client, body: bytes) -> None:
    answer = http.post("/v1/stylize", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert _is_problem(answer, 422, "bad_input")


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"controls": 3}', b'{"controls": {"seed": {}}}', b"\xff\xfe"])
def test_a_broken_json_body_is_422(http: httpx.Client, body: bytes) -> None:
    assert _is_problem(
        http.post("/v1/streams", content=body, headers={"Content-Type": "application/json"}), 422, "bad_input"
    )


def test_a_body_nested_beyond_reason_is_no_server_error(http: httpx.Client) -> None:
    answer = http.post("/v1/streams", content=b"[" * 5000, headers={"Content-Type": "application/json"})
    assert _is_problem(answer, 400, "bad_request")


def test_an_unknown_route_answers_in_the_same_form(http: httpx.Client) -> None:
    answer = http.get("/v2/streams")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/clip.mp4", "/booth/booth.js", "/v2/streams"])
def test_head_answers_as_get_does_without_the_body(http: httpx.Client, path: str) -> None:
    """What watches over a worker asks so, and whoever looks whether a link leads anywhere."""
    head, get = http.head(path), http.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"] == str(len(get.content))


def test_a_json_body_of_megabytes_is_not_read(http: httpx.Client) -> None:
    answer = http.post("/v1/streams", content=json.dumps({"controls": {"x": "y" * 400_000}}))
    assert _is_problem(answer, 413, "too_large")


def test_a_path_that_is_asked_by_another_method_names_its_own(http: httpx.Client) -> None:
    """The pages' files answered for it: not found, or allowed is GET."""
    for answer in (http.get("/v1/stylize"), http.options("/v1/stylize")):
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert http.get("/v1/nothing").status_code == http.get("/v1/styles/").status_code == 404
