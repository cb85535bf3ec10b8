"""One thread for each piece of work, where threads that share every small operation would wait for one another."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]


@contextmanager
def one_thread() -> Iterator[None]:
    """
    Keep the linear algebra of numpy and torch to the thread that calls it.

    A library that shares each product among threads is slower than one thread where products are small, or where
    another program keeps one of the threads waiting. Work that is shared among threads of one's own is wrapped as a
    whole and once more in each of them: numpy's library (BLAS) counts for the whole process, torch's (OpenMP) for each
    thread.

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
    with _libraries(len(sys.modules)).limit(limits=1):
        yield


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:
    """Those that are loaded; looked for again, which takes a millisecond, when modules have been imported since."""
    return ThreadpoolController()
