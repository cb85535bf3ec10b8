"""Which search is cheaper: every galaxy compared with every query, or a graph that must be built first."""

import sys

__all__ = ["METHODS", "choose_method"]

METHODS = ("auto", "exact", "pynndescent")

# Measured by benchmarks/similarity.py on one core of a server, with 10^6 galaxies of 64 dimensions; ratios, not the
# figures, decide.
_PRODUCTS = 3.7e10  # multiplications a second of the exact search
_NARROW_PRODUCTS = 7.2e10  # the same in bfloat16
_COMPILE = 35.0  # seconds for pynndescent to be imported and compiled, once in each process
_OPEN = 4.0  # the same when a saved graph is only queried
_BUILD = 2e-6  # seconds per galaxy and dimension to build the graph
_QUERY = 1.0e-4  # seconds per query of the graph, guard included
_SMALLEST = 20_000  # below this the graph is never worth its memory
_MOST = 100  # beyond so many neighbours the graph is searched too widely to be quick


def choose_method(
    rows: int, dim: int, queries: int, n: int, *, device: str, graph: bool, narrow: bool = False
) -> str:
    """
    Choose between the exact search and the graph.

    Parameters
    ----------
    rows, dim : int
        Galaxies in the index, and dimensions of their vectors.
    queries, n : int
        Queries, and neighbours wanted of each.
    device : str
        Where the exact search would run.
    graph : bool
        Whether the graph has been built already.
    narrow : bool
        Whether the exact search would compare in bfloat16.

    Returns
    -------
    {"exact", "pynndescent"}

    Examples
    --------
    >>> from galzoo_repr.similarity._choice import choose_method
    >>> choose_method(1_000_000, 64, 1, 10, device="cpu", graph=True)
    'exact'
    >>> choose_method(1_000_000, 64, 1_000_000, 10, device="cpu", graph=False)
    'pynndescent'
    """
    if rows < _SMALLEST or n > _MOST or str(device) != "cpu":
        return "exact"
    exact = queries * rows * dim / (_NARROW_PRODUCTS if narrow else _PRODUCTS)
    start = 0.0 if "pynndescent" in sys.modules else _OPEN if graph else _COMPILE
    approximate = start + queries * _QUERY + (0.0 if graph else rows * dim * _BUILD)
    return "pynndescent" if approximate < exact else "exact"
