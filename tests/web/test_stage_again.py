"""A show that is started again, seen by a browser that knew the one before."""

from pathlib import Path

import httpx
import pytest

from tests.web.browser import Launch, visit
from tests.web.doubles import free_port
from tests.web.stages import KEY, pict, staged

pytestmark = [pytest.mark.browser, pytest.mark.timeout(200)]
SHOWN = """async () => {
  const answer = await fetch(document.querySelector('#slot_b img').src);
  return [...new Uint8Array(await answer.arrayBuffer())];
}"""


def test_a_model_trained_anew_is_seen_in_its_own_picture(launch: Launch, tmp_path: Path) -> None:
    """trained/NAME/weights.pict, dropped in tonight, had the picture of last night's."""
    port = free_port()
    with visit(launch(None)) as context:
        for seed in (9, 10):
            with staged(tmp_path, rate=15, port=port) as show:
                headers = {"Origin": show.base, "Authorization": f"Bearer {KEY}"}
                with httpx.Client(base_url=show.base, headers=headers, timeout=20) as http:
                    assert http.post("/v1/stage/slots/b?name=weights.pict", content=pict(seed)).status_code == 200
                    page = context.new_page()
                    page.goto(show.control)
                    page.wait_for_selector("#slot_b img:not([hidden])", timeout=60_000)
                    own = http.get("/v1/stage/thumbnails/model/weights.pict").content
                    assert bytes(page.evaluate(SHOWN)) == own
                    page.close()
