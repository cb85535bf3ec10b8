"""One thread for each piece of work."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from galzoo_repr._threads import block_by_block, one_thread


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def _three_threads():
    assert np.ones((2, 2)) @ np.ones(2) is not None  # numpy's library is loaded
    before = torch.get_num_threads()
    with threadpool_limits(3, user_api="blas"):
        torch.set_num_threads(3)
        yield
    torch.set_num_threads(before)


def test_a_block_has_one_thread_and_gives_back_what_there_was():
    with one_thread():
        assert torch.get_num_threads() == 1
        assert blas_threads() == {1}
        with one_thread():
            pass
        assert blas_threads() == {1}
    assert torch.get_num_threads() == 3
    assert blas_threads() == {3}


def test_a_block_that_fails_gives_it_back_too():
    with pytest.raises(RuntimeError, match="half-way"), one_thread():
        raise RuntimeError("half-way")
    assert blas_threads() == {3}


def test_threads_of_a_pool_have_one_each():
    def work(_):
        with one_thread():
            return torch.get_num_threads()

    with one_thread(), ThreadPoolExecutor(2) as pool:
        assert set(pool.map(work, range(4))) == {1}
    assert torch.get_num_threads() == 3


def test_blocks_are_shared_in_order_by_one_thread_each():
    def work(start):
        return start, blas_threads(), threading.get_ident()

    starts, threads, workers = zip(*block_by_block(work, range(0, 90, 10)), strict=True)
    assert starts == tuple(range(0, 90, 10))
    assert set().union(*threads) == {1}
    assert threading.get_ident() not in workers
    assert blas_threads() == {3}
    with one_thread():
        assert {worker for _, _, worker in block_by_block(work, range(5))} == {threading.get_ident()}


def test_an_error_in_a_block_is_told_and_threads_are_given_back():
    with pytest.raises(ZeroDivisionError):
        list(block_by_block(lambda start: 1 / (start - 2), range(5)))
    assert blas_threads() == {3}
