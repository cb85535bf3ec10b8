"""How many threads numerical libraries use: one for each piece of work, where sharing every operation costs more."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from threadpoolctl import ThreadpoolController, threadpool_limits

if TYPE_CHECKING:
    import torch

__all__ = ["block_by_block", "cores", "for_each_block", "one_thread", "one_thread_from_the_start"]

_Result = TypeVar("_Result")


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


def cores() -> int:
    """Cores that this process may use, for as many workers of one thread each."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _threads_of_numpy() -> int:
    """Threads among which the linear algebra of numpy shares its work: as many as cores, unless told otherwise."""
    libraries = _libraries(len(sys.modules)).select(user_api="blas").info()
    return max((each["num_threads"] for each in libraries), default=1)


def for_each_block(work: Callable[[int], None], starts: range, device: "torch.device") -> None:
    """Work with torch on blocks, as many at once as it has threads; each block by one, which waits for no other."""
    import torch

    usual = torch.get_num_threads()
    if device.type != "cpu" or usual == 1 or len(starts) <= 1:
        for start in starts:
            work(start)
        return
    # Threads that start take over the number that was set last. The limits of `one_thread` do not hold in torch's own
    # linear algebra once somebody has set the number.
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(usual) as pool:
            deque(pool.map(work, starts), maxlen=0)
    finally:
        torch.set_num_threads(usual)


def block_by_block(work: Callable[[int], _Result], starts: range) -> Iterator[_Result]:
    """Results of work with numpy on blocks, in order, as many at once as its library has threads; each block by one."""
    usual = _threads_of_numpy()
    if usual == 1 or len(starts) <= 1:
        yield from map(work, starts)
        return

    def alone(start: int) -> _Result:
        with one_thread():
            return work(start)

    with one_thread(), ThreadPoolExecutor(usual) as pool:
        yield from pool.map(alone, starts)


@contextmanager
def one_thread_from_the_start() -> Iterator[None]:
    """
    Keep numerical libraries to one thread in a whole program, unless its user has set OMP_NUM_THREADS.

    For programs of many small operations, that import torch afterwards: threads that spin between them cost several
    times what they give, most of all on a machine that has other work.
    """
    # Torch reads this when it is imported; numpy has done so already.
    threads = os.environ.setdefault("OMP_NUM_THREADS", "1")
    with threadpool_limits(int(threads.split(",")[0]), user_api="blas"):
        yield
