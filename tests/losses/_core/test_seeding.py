from __future__ import annotations

import threading

import pytest
import torch

from sklearnloss.losses._core.seeding import seeded


def test_the_generator_goes_on_where_it_was() -> None:
    expected = torch.rand(4, generator=torch.Generator().manual_seed(5))
    torch.manual_seed(5)
    first = torch.rand(2)
    with seeded(7):
        inside = torch.rand(3)
    torch.testing.assert_close(torch.cat([first, torch.rand(2)]), expected)
    torch.testing.assert_close(inside, torch.rand(3, generator=torch.Generator().manual_seed(7)))


def test_it_does_so_after_an_error_and_within_itself() -> None:
    before = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), seeded(1), seeded(2):
        torch.rand(1).item() / 0
    assert torch.equal(torch.get_rng_state(), before)


def test_threads_take_turns() -> None:
    drawn = {}

    def draw(seed: int) -> None:
        with seeded(seed):
            drawn[seed] = torch.cat([torch.rand(1) for _ in range(200)])

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, values in drawn.items():
        generator = torch.Generator().manual_seed(seed)
        expected = torch.cat([torch.rand(1, generator=generator) for _ in range(200)])
        torch.testing.assert_close(values, expected)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU")
def test_the_generator_of_a_gpu_is_seeded_beside() -> None:
    before = torch.cuda.get_rng_state()
    values = []
    for _ in range(2):
        with seeded(3, "cuda"):
            values.append(torch.rand(2, device="cuda"))
    assert torch.equal(values[0], values[1])
    assert torch.equal(torch.cuda.get_rng_state(), before)
