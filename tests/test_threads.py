"""One thread for each piece of work."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from galzoo_repr._threads import one_thread


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
