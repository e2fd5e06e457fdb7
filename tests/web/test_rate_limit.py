"""How often one address may ask, and whose address that is."""

import asyncio
import functools
import gc
import time

import httpx
import pytest

from stylizer.config import Settings
from tests.web.doubles import ColourPipeline, running, wait_for
from web.api.app import create_app
from web.api.doors import RateLimit
from web.api.server import make_server
from web.errors import TooManyRequests


def test_one_address_that_floods_is_slowed_and_recovers() -> None:
    now = [0.0]
    limit = RateLimit(burst=3, per_second=1, clock=lambda: now[0])
    for _ in range(3):
        limit.take("a")
    with pytest.raises(TooManyRequests):
        limit.take("a")
    limit.take("b")
    now[0] += 1.5
    limit.take("a")


def test_a_flood_from_one_ipv6_network_is_that_of_one_address() -> None:
    limit = RateLimit(burst=3, per_second=1, clock=lambda: 0.0)
    for number in range(3):
        limit.take(f"2001:db8:1:2::{number}")
    with pytest.raises(TooManyRequests):
        limit.take("2001:db8:1:2::9")
    limit.take("2001:db8:1:3::9")


def test_a_flood_from_many_addresses_costs_each_request_the_same_and_is_forgotten() -> None:
    now = [0.0]
    limit = RateLimit(burst=3, per_second=1, clock=lambda: now[0])
    began_s = time.process_time()
    for number in range(20_000):
        limit.take(f"10.0.{number // 256}.{number % 256}")
    assert time.process_time() - began_s < 2, "a tenth of a second; thirteen where each looks through all of them"
    now[0] += 61
    limit.take("a")
    limit.forget()
    assert limit.remembered == 1


def test_an_address_is_forgotten_though_nobody_else_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last visitor of a day is: the next one may come on another."""
    monkeypatch.setattr("web.api.doors.FORGET_S", 0.1)
    limit = RateLimit()
    with running(create_app(Settings.load(visitors=1), ColourPipeline(), limit)) as served, served.client() as http:
        for _ in range(2):
            http.post("/v1/streams", json={"controls": {"look": 7}})
            assert limit.remembered == 1
            wait_for(lambda: limit.remembered == 0, 5)


def _cached() -> int:
    """Answers that are kept by functions."""
    caches = [each for each in gc.get_objects() if type(each) is functools._lru_cache_wrapper]
    return sum(cache.cache_info().currsize for cache in caches)


def test_the_addresses_of_a_proxys_visitors_are_kept_nowhere() -> None:
    """uvicorn would keep the last 4096 of whom it was asked whether they are trusted."""
    with running(create_app(Settings.load(visitors=1), ColourPipeline())) as served, served.client() as http:
        before = _cached()
        for number in range(100):
            http.get("/health", headers={"X-Forwarded-For": f"198.51.100.{number}"})
        assert _cached() - before < 50


def test_a_flood_is_answered_with_429() -> None:
    app = create_app(Settings.load(), ColourPipeline(), RateLimit(burst=2, per_second=0.01))
    with running(app) as served, served.client() as http:
        answers = [http.post("/v1/streams", json={}) for _ in range(3)]
    assert answers[2].status_code == 429 and answers[2].json()["code"] == "too_many_requests"


@pytest.mark.parametrize("proxy, own_bucket", [("127.0.0.1", True), ("192.0.2.9", False)])
def test_behind_a_proxy_that_is_trusted_each_visitor_counts_alone(
    proxy: str, own_bucket: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What anybody else says of whom they ask for is not believed."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", proxy)
    settings = Settings.load(origins=("https://booth.example",))
    config = make_server(settings, create_app(settings, ColourPipeline(), RateLimit(burst=1, per_second=0.01))).config
    config.load()

    async def ask() -> list[int]:
        way = httpx.ASGITransport(config.loaded_app, client=("127.0.0.1", 9))
        headers = {"Origin": "https://booth.example"}
        async with httpx.AsyncClient(transport=way, base_url="http://worker", headers=headers) as http:
            return [
                (await http.post("/v1/streams", json={}, headers={"X-Forwarded-For": f"198.51.100.{i}"})).status_code
                for i in range(2)
            ]

    assert asyncio.run(ask()) == ([503, 503] if own_bucket else [503, 429]), "it still loads; the flood is told first"
