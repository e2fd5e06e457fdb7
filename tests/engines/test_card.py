"""Why a card is not used, in words that say what to do."""

from collections.abc import Iterator

import pytest
import torch

from stylizer.engines import card
from stylizer.engines.card import unfit, why_no_cuda

WHEEL = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120", "compute_120")


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    why_no_cuda.cache_clear()
    yield
    why_no_cuda.cache_clear()


@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (8, 9), (9, 0), (12, 0), (12, 1), (13, 0)])
def test_a_card_fits_with_machine_code_of_its_own_generation_or_what_the_driver_makes_some_of(
    capability: tuple[int, int],
) -> None:
    assert unfit("a card", capability, WHEEL) == ""


@pytest.mark.parametrize("capability", [(6, 1), (7, 0)])
def test_an_older_card_is_named_with_what_torch_is_for(capability: tuple[int, int]) -> None:
    words = unfit("GTX 1070", capability, WHEEL)
    assert "GTX 1070" in words and f"{capability[0]}.{capability[1]}" in words and "sm_75" in words


def test_machine_code_for_one_generations_special_steps_counts_for_that_card() -> None:
    assert unfit("H200", (9, 0), ("sm_90a",)) == ""


def test_without_a_driver_that_is_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(card, "why_no_card", lambda: "no NVIDIA driver (libcuda.so.1) is installed")
    assert why_no_cuda() == "no CUDA device was found: no NVIDIA driver (libcuda.so.1) is installed"


def test_a_driver_older_than_torch_is_told_with_both_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(card, "why_no_card", lambda: "")
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    monkeypatch.setattr(card, "driver_version", lambda: 12080)
    assert why_no_cuda().endswith("NVIDIA's driver is for CUDA 12.8, torch for 13.2; install a newer driver")


def test_a_torch_without_cuda_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(card, "why_no_card", lambda: "")
    monkeypatch.setattr(torch.version, "cuda", None)
    assert "was built without CUDA" in why_no_cuda()


def test_a_card_that_another_process_has_filled_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*size: int, device: str) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 MiB\nSee the documentation")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H200")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: WHEEL)
    monkeypatch.setattr(torch, "zeros", full)
    assert why_no_cuda() == "the card does not compute: CUDA out of memory. Tried to allocate 2 MiB"


class Broken:
    def query(self) -> bool:
        raise RuntimeError("CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be ...")


def test_a_card_that_fails_in_the_middle_of_a_show_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert card.lost() == ""  # torch has not even begun with one
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_stream", Broken)
    with card.ALONE:
        assert card.lost() == ""  # a capture is under way
    assert card.lost() == "CUDA error: an illegal memory access was encountered"


def test_the_memory_in_use_is_that_of_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    assert card.memory_mb() == 0
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (139 << 30, 141 << 30))
    assert card.memory_mb() == 2048
