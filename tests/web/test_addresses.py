"""Addresses that others are sent to are those where somebody listens."""

import socket

import pytest

from stylizer.config import Settings
from tests.web.doubles import ColourPipeline, free_port, is_ready, running, wait_for, worker_process
from web import demo
from web.addresses import for_phones, reachable_host
from web.api.app import create_app


def test_a_worker_that_listens_everywhere_does_so_in_both_kinds_of_network() -> None:
    """By `::`, asyncio listens to IPv6 alone, and the addresses that are printed are of IPv4."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6")
    port = free_port()
    process = worker_process(host="::", port=port)
    try:
        wait_for(lambda: is_ready(f"http://[::1]:{port}"), 60)
        assert is_ready(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.parametrize("opened", ["http://0.0.0.0:81/", "http://[::]:81/", "http://localhost:81/"])
def test_phones_are_not_sent_to_themselves(opened: str) -> None:
    here = reachable_host("0.0.0.0")
    expected = None if here == "localhost" else f"http://{here}:81"
    assert for_phones(Settings.load(host="0.0.0.0", port=81), opened) == expected


def test_the_demo_sees_its_own_worker_where_a_proxy_is_set_for_the_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would never print *ready*, and open no browser."""
    with running(create_app(Settings.load(visitors=1), ColourPipeline())) as worker:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("no_proxy", "")
        assert demo._ready(worker.base)
