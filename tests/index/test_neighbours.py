"""The nearest neighbours of every galaxy, as a table."""

import numpy as np
import pytest
from astropy.table import Table

from galzoo_repr import neighbour_table


def catalogue(n=30, **columns):
    return Table(
        {
            "id_str": [f"J{i:04d}" for i in range(n)],
            "ra": np.linspace(0, 300, n),
            "dec": np.zeros(n),
            "embedding": np.random.default_rng(0).normal(size=(n, 8)).astype(np.float32),
            **columns,
        }
    )


def nearest_others(vectors, n):
    unit = np.asarray(vectors, float) / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.argsort(-(unit @ unit.T) + 9 * np.eye(len(unit)), axis=1, kind="stable")[:, :n]


def test_neighbours_are_counted_in_whole_numbers():
    with pytest.raises(ValueError, match="n must be a whole number from 1, not 0"):
        neighbour_table(catalogue(), 0)


def test_a_table_of_neighbours():
    cat = catalogue(50)
    cat["embedding"][7] = np.nan
    cat["embedding"][11] = cat["embedding"][10]
    table = neighbour_table(cat, 3)
    assert len(table) == 49 * 3
    assert not (table["row"] == table["neighbour_row"]).any()
    assert 7 not in set(table["row"]) | set(table["neighbour_row"])
    assert table["neighbour_row"][table["row"] == 10][0] == 11
    keep = np.delete(np.arange(50), 7)
    expected = nearest_others(cat["embedding"][keep], 3)
    assert table["neighbour_row"][table["row"] == 20].tolist() == keep[expected[19]].tolist()
    pair = table[0]
    apart = abs(cat["ra"][pair["neighbour_row"]] - cat["ra"][pair["row"]])
    np.testing.assert_allclose(pair["separation"] / 3600, min(apart, 360 - apart), rtol=1e-9)
    assert table.meta["galzoo_repr"]["neighbour_table"]["without_embedding"] == 1


def test_neighbours_when_there_are_few():
    assert len(neighbour_table(catalogue(3), 10)) == 6
    assert len(neighbour_table(catalogue(1), 10)) == 0


def test_neighbours_across_batches(monkeypatch):
    monkeypatch.setattr("galzoo_repr.index._engine._BATCH", 16)
    cat = catalogue(50)
    table = neighbour_table(cat, 2, progress=False)
    assert np.array_equal(
        np.asarray(table["neighbour_row"]).reshape(50, 2), nearest_others(cat["embedding"], 2)
    )
