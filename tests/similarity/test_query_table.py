"""A query that was read once is a query again."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table, vstack

from galzoo_repr import find_similar
from galzoo_repr.similarity import query_table


@pytest.fixture
def catalogue():
    generator = np.random.default_rng(2)
    return Table(
        {
            "name": [f"g{row}" for row in range(30)],
            "ra": generator.uniform(0, 360, 30),
            "dec": generator.uniform(-80, 80, 30),
            "embedding": generator.normal(size=(30, 5)),
        }
    )


@pytest.mark.parametrize("query", [4, [4, 9], "g4", ["g4", "g9"], np.arange(30) == 4])
def test_it_finds_the_same(catalogue, query):
    read = query_table(catalogue, query)
    assert set(read["row"].tolist()) <= {4, 9}
    assert read["ra"].unit == u.deg
    np.testing.assert_allclose(read["ra"], catalogue["ra"][read["row"]], atol=1e-9)
    np.testing.assert_allclose(read["dec"], catalogue["dec"][read["row"]], atol=1e-9)
    for n in (5, 28):
        assert (
            find_similar(catalogue, read, n=n)["row"].tolist()
            == find_similar(catalogue, query, n=n)["row"].tolist()
        )


def test_queries_of_several_kinds_are_stacked(catalogue):
    vector = query_table(catalogue, np.array([1.0, 0, 0, 0, 0]))
    assert vector["row"].tolist() == [-1]
    assert np.isnan(vector["ra"]).all()
    both = vstack([query_table(catalogue, 4), vector])
    best = find_similar(catalogue, both, n=30)
    assert 4 not in best["row"]
    assert np.isfinite(best["separation"]).all()


def test_without_positions_there_are_none(catalogue):
    catalogue.remove_columns(["ra", "dec"])
    assert query_table(catalogue, 3).colnames == ["embedding", "row"]
    with pytest.raises(ValueError, match="nor the name of a galaxy"):
        query_table(catalogue, "nothing")
