"""One thread for each piece of work, where threads that share every small operation would wait for one another."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]


@dataclass
class _Limited:
    """How many blocks of `one_thread` run at once in this process, and what is to be restored after the last."""

    blocks: int = 0
    restore: object = None


_LIMITED, _LOCK = _Limited(), threading.Lock()


@contextmanager
def one_thread() -> Iterator[None]:
    """
    Keep the linear algebra of numpy and torch to the thread that calls it.

    A library that shares each product among threads is slower than one thread where products are small, or where
    another program keeps one of the threads waiting. Work that is shared among threads of one's own is wrapped as a
    whole and once more in each of them: numpy's libraries (BLAS) keep to one thread from the first block until the last
    of those that run at once is left, torch's (OpenMP) in the thread that entered.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import numpy as np
    >>> from galzoo_repr._threads import one_thread
    >>> def product(matrix):
    ...     with one_thread():
    ...         return matrix @ matrix.T
    >>> with one_thread(), ThreadPoolExecutor(2) as pool:
    ...     [each.shape for each in pool.map(product, np.ones((3, 5, 2)))]
    [(5, 5), (5, 5), (5, 5)]
    """
    torch = sys.modules.get("torch")
    if hasattr(torch, "get_num_threads"):
        torch.get_num_threads()  # else torch would set the number after it has been limited in this thread
    pools = _pools(len(sys.modules))
    with _LOCK:
        _LIMITED.blocks += 1
        if _LIMITED.blocks == 1:
            _LIMITED.restore = pools.limit(limits=1, user_api="blas").restore_original_limits
    try:
        with pools.limit(limits=1, user_api="openmp"):
            yield
    finally:
        with _LOCK:
            _LIMITED.blocks -= 1
            if _LIMITED.blocks == 0:
                _LIMITED.restore()


@lru_cache(maxsize=1)
def _pools(modules: int) -> ThreadpoolController:
    """Libraries that are loaded; looked for again, which takes a millisecond, when modules have been imported since."""
    return ThreadpoolController()
