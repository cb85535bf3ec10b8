"""Tables that a function gives back have data of their own: nothing done to one happens to another."""

from copy import deepcopy

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import CartesianRepresentation, EarthLocation, Latitude, SkyCoord
from astropy.table import Column, MaskedColumn, NdarrayMixin, QTable, Table
from astropy.time import Time, TimeDelta
from astropy.utils.masked import Masked

import galzoo_repr as gzr
from galzoo_repr import SimilarityIndex, conf
from galzoo_repr.anomaly import InterestModel, fit_interest, next_to_rate
from galzoo_repr.catalogue import as_table, rows_of, with_columns

N = 12
PLACES = np.arange(N) * 10.0


def cells(make):
    column = np.empty(N, dtype=object)
    column[:] = [make(i) for i in range(N)]
    return column


KINDS = {
    "float": lambda: Column(np.arange(N) * 1.0, unit="mag", description="m", format=".2f", meta={"a": [1]}),
    "text": lambda: Column([f"galaxy {i}" for i in range(N)]),
    "bytes": lambda: Column([b"a"] * N),
    "vectors": lambda: Column(np.arange(2.0 * N).reshape(N, 2).astype("f4")),
    "masked": lambda: MaskedColumn(
        np.arange(N), mask=np.arange(N) == 4, fill_value=-7, format="03d", description="m", meta={"a": [1]}
    ),
    "masked vectors": lambda: MaskedColumn(np.ones((N, 2)), mask=np.eye(N, 2, dtype=bool)),
    "quantity": lambda: np.arange(N) * u.Jy,
    "masked quantity": lambda: Masked(np.arange(N) * u.Jy, mask=np.arange(N) == 4),
    "latitude": lambda: Latitude(np.arange(N), u.deg),
    "magnitude": lambda: np.arange(N) * u.ABmag,
    "sky": lambda: SkyCoord(PLACES, PLACES / 10, unit="deg", frame="galactic"),
    "time": lambda: Time(2450000.0 + np.arange(N), format="jd"),
    "span": lambda: TimeDelta(np.arange(N) * u.s),
    "place": lambda: EarthLocation.from_geodetic(np.arange(N), np.arange(N)),
    "vector": lambda: CartesianRepresentation(*np.eye(3, N)),
    "structured": lambda: NdarrayMixin(np.zeros(N, dtype=[("a", float), ("b", int)])),
    "structured column": lambda: Column(np.zeros(N, dtype=[("a", float), ("b", int)])),
    "arrays in cells": lambda: Column(cells(lambda i: np.arange(i + 1.0))),
    "lists in cells": lambda: MaskedColumn(cells(lambda i: [i, {"b": [i]}]), mask=np.arange(N) == 2),
    "words in cells": lambda: Column(cells(lambda i: "abc"[: i % 3])),
}


def table_of(kind, table_class=QTable):
    table = table_class({"key": np.arange(N)[::-1], "x": KINDS[kind]()})
    table.meta = {"survey": {"bands": ["g"]}}
    return table


def arrays_of(column):
    """All arrays that a column is made of."""
    if isinstance(column, Masked):
        return [np.asarray(column.unmasked), column.mask]
    if isinstance(column, SkyCoord):
        return [np.asarray(column.data.lon), np.asarray(column.data.lat)]
    if isinstance(column, Time | TimeDelta):
        return [column._time.jd1, column._time.jd2]
    if isinstance(column, EarthLocation | CartesianRepresentation):
        return [np.asarray(axis) for axis in (column.x, column.y, column.z)]
    mask = [np.ma.getmaskarray(column)] if isinstance(column, MaskedColumn) else []
    return [np.asarray(np.ma.getdata(column)), *mask]


def contents(table):
    return deepcopy(
        [
            repr([table["x"][i] for i in range(N)]),
            table["key"].tolist(),
            table["x"].info.description,
            table["x"].info.meta,
            dict(table.meta),
        ]
    )


def change(table):
    """Change whatever can be changed in place."""
    table.sort("key")
    for array in arrays_of(table["x"]):
        if array.dtype != object and array.flags.writeable:
            array[...] = np.zeros(1, array.dtype)[0]
    if table["x"].dtype == object if hasattr(table["x"], "dtype") else False:
        for cell in np.ma.getdata(table["x"]):
            if isinstance(cell, np.ndarray):
                cell[:] = 99
            elif isinstance(cell, list):
                cell[1]["b"].append(99)
        np.ma.getdata(table["x"])[0] = "changed"
    if isinstance(table["x"], MaskedColumn):
        table["x"].mask = True
    table["x"].info.description = "changed"
    (table["x"].info.meta or {"a": []})["a"].append(2)
    table.meta["survey"]["bands"].append("changed")


def add_score(table):
    return with_columns(table, {"score": np.zeros(N)})


def rows(table):
    return rows_of(table, np.arange(N))


@pytest.mark.parametrize("make", [add_score, as_table, rows])
@pytest.mark.parametrize("table_class", [Table, QTable])
@pytest.mark.parametrize("kind", KINDS)
def test_neither_changes_with_the_other(kind, table_class, make):
    table = table_of(kind, table_class)
    result, other = make(table), make(table)
    before = contents(table)
    assert contents(result) == before
    assert result["x"].info.format == table["x"].info.format
    change(result)
    assert contents(table) == before == contents(other)
    change(table)
    assert contents(other) == before


@pytest.mark.parametrize("kind", KINDS)
def test_new_columns_do_not_change_with_what_was_given(kind):
    values = KINDS[kind]()
    result = with_columns(QTable({"key": np.arange(N)}, meta={"survey": {"bands": []}}), {"x": values})
    before = contents(result)
    change(QTable({"key": np.arange(N)[::-1], "x": values}, copy=False, meta={"survey": {"bands": []}}))
    assert contents(result) == before


def test_indices_and_groups_come_along():
    table = Table({"key": np.arange(N)[::-1], "x": np.arange(N) % 3})
    table.add_index("key", unique=True)
    result = add_score(table)
    result["x"][0] = 50
    assert result.loc[3]["x"] == table.loc[3]["x"] == 8 % 3
    result.sort("x")
    assert result.loc[3]["x"] == table.loc[3]["x"]
    grouped = add_score(table.group_by("x"))
    assert [len(group) for group in grouped.groups] == [4, 4, 4]


TAKEN = {
    "all rows": add_score,
    "all rows, again": lambda table: add_score(as_table(table)),
    "most rows": lambda table: rows_of(table, np.arange(2, N)),
    "few rows": lambda table: rows_of(table, np.arange(N) % 5 == 2),
    "rows twice": lambda table: rows_of(table, np.array([2, 2, 7])),
    "of a slice": lambda table: as_table(table[1:]),
    "of rows that astropy took": lambda table: as_table(table[np.arange(1, N)]),
}


@pytest.mark.parametrize("above", [64e-9, 5.0])
@pytest.mark.parametrize("columns", ["key", ["key", "x"]])
@pytest.mark.parametrize("take", TAKEN)
def test_indices_are_of_the_rows_of_their_table(take, columns, above, monkeypatch):
    monkeypatch.setattr(conf, "mapped_above", above)
    table = Table({"z": np.arange(N), "key": np.arange(N)[::-1].copy(), "x": np.arange(N) * 1.0})
    table.add_index(columns, unique=True)
    result = TAKEN[take](table)
    result.sort("z", reverse=True)
    result["x"][0] = 50
    result["key"][0] = 40
    again = as_table(result)
    for each in (result, again):
        assert each.primary_key == table.primary_key
        (index,) = each.indices
        assert all(len(column) == len(each) for column in index.columns)
        assert list(index.find((40,) if columns == "key" else (40, 50.0))) == [0]
    assert list(table.indices[0].find((9,) if columns == "key" else (9, 2.0))) == [2]
    assert table["key"][-1] == 0


@pytest.fixture
def large_from(monkeypatch):
    """Columns of more than 64 bytes count as large."""
    monkeypatch.setattr(conf, "mapped_above", 64e-9)


class TestLargeColumns:
    @pytest.mark.parametrize("values", [["b", "a", "c"] * 4, [3.0, 1.0, 2.0] * 4, list(range(N))])
    def test_a_copy_of_one_can_have_an_index(self, values, large_from):
        result = add_score(Table({"key": values, "x": np.arange(N)}))
        result["key"] = result["key"].copy()
        result.add_index("key")
        result.sort("key")
        assert result["key"].tolist() == sorted(values)
        assert len(np.atleast_1d(result.loc[values[1]])) == values.count(values[1])
        result["key"][0] = values[-1]
        assert len(np.atleast_1d(as_table(result).loc[values[-1]]))

    MADE = ("float", "vectors", "masked", "masked vectors", "quantity", "structured column")

    @pytest.mark.parametrize("kind", MADE)
    def test_they_are_shared_and_only_to_be_read(self, kind, large_from):
        table = table_of(kind)
        before = contents(table)
        result = add_score(table)
        assert np.shares_memory(arrays_of(result["x"])[0], arrays_of(table["x"])[0])
        assert contents(result) == before
        for name in ("unit", "format", "name"):
            assert getattr(result["x"].info, name) == getattr(table["x"].info, name)
        if kind.startswith("masked"):
            assert not np.shares_memory(result["x"].mask, table["x"].mask)
            assert result["x"].fill_value == table["x"].fill_value
        with pytest.raises(ValueError, match="read-only"):
            result["x"][0] = result["x"][1]
        with pytest.raises(ValueError, match="read-only"):
            as_table(result)["x"][:] = result["x"][1]
        assert contents(table) == before

    @pytest.mark.parametrize("kind", MADE)
    def test_sorting_does_not_sort_the_other(self, kind, large_from):
        table = table_of(kind)
        before = contents(table)
        result = add_score(table)
        result.sort("key")
        assert contents(table) == before
        table.sort("key")
        for array, expected in zip(arrays_of(result["x"]), arrays_of(table["x"]), strict=True):
            np.testing.assert_array_equal(array, expected)
        assert result["x"].info.description == table["x"].info.description
        assert result["x"].info.unit == table["x"].info.unit

    @pytest.mark.parametrize("kind", sorted(set(KINDS) - set(MADE)))
    def test_all_others_are_copied_or_only_to_be_read(self, kind, large_from):
        table = table_of(kind)
        result = add_score(table)
        before = contents(table)
        change(result)
        assert contents(table) == before

    def test_masks_are_copied(self, large_from):
        table = table_of("masked")
        result = add_score(table)
        result["x"].mask[7] = True
        assert table["x"].mask.tolist() == [i == 4 for i in range(N)]

    def test_indices_and_small_columns_beside_them(self, large_from):
        table = Table({"key": np.arange(N, dtype="i1")[::-1], "x": np.arange(N)})
        table.add_index("x")
        result = add_score(table)
        result["key"][:] = 0
        assert table["key"][0] == N - 1
        assert result.loc[5]["x"] == 5
        assert result.colnames == ["key", "x", "score"]


VECTORS = np.random.default_rng(3).normal(size=(N, 4)).astype("f4")


def galaxies():
    return Table(
        {
            "ra": PLACES,
            "dec": PLACES / 10,
            "mag": np.arange(N) * 1.0,
            "embedding": VECTORS.copy(),
            "interest": np.where(np.arange(N) < 8, np.arange(N) % 5, np.nan),
        },
        meta={"survey": {"bands": ["g"]}},
    )


VERBS = {
    "add_similarity": lambda table: gzr.add_similarity(table, 0),
    "find_similar": lambda table: gzr.find_similar(table, 0),
    "find_duplicates": gzr.find_duplicates,
    "add_anomaly_scores": gzr.add_anomaly_scores,
    "next_to_rate": lambda table: next_to_rate(table, n=4),
    "add_map": lambda table: gzr.add_map(table, method="pca"),
    "add_external_embeddings": lambda table: gzr.add_external_embeddings(
        table,
        Table({"mag": table["mag"], "feat_0": PLACES + 1, "feat_1": PLACES}),
        match="mag",
        encoder="e",
        name="new",
    ),
}


@pytest.mark.filterwarnings("ignore::galzoo_repr.exceptions.GalzooWarning")
@pytest.mark.parametrize("verb", VERBS)
def test_what_a_verb_gives_back_is_its_own(verb):
    table = galaxies()
    result = VERBS[verb](table)
    kept = result.copy()
    for name in table.colnames:
        assert not np.shares_memory(np.asarray(result[name]), np.asarray(table[name]))
    table.sort("mag", reverse=True)
    for name in table.colnames:
        table[name][:] = 1
    table.meta["survey"]["bands"].append("changed")
    assert all((np.asarray(result[name]) == kept[name]).all() for name in ("mag", "embedding", "ra"))
    assert result.meta["survey"] == {"bands": ["g"]}


def test_answers_for_several_tags_share_nothing():
    table = galaxies()
    table["tags"] = cells(lambda i: [["t1"], ["t2"]][i] if i < 2 else [])
    found = gzr.find_similar(table, "tags", n=5, min_separation=0 * u.deg)
    found["t1"].meta["survey"]["bands"].append("changed")
    found["t1"]["tags"][0].append("changed")
    assert found["t2"].meta["survey"]["bands"] == table.meta["survey"]["bands"] == ["g"]
    assert not any("changed" in tags for answer in (found["t2"], table) for tags in answer["tags"])


@pytest.mark.filterwarnings("ignore::galzoo_repr.exceptions.GalzooWarning")
class TestFittedObjects:
    def test_an_interest(self):
        table = galaxies()
        model, other = fit_interest(table), InterestModel(n_components=3)
        vectors, ratings = table["embedding"].data, table["interest"].data
        other.fit(vectors, ratings)
        before = model.predict(VECTORS), other.predict(VECTORS), model.known_, deepcopy(other.known_)
        vectors[:], ratings[:] = 7, 0
        np.testing.assert_array_equal(model.predict(VECTORS), before[0])
        np.testing.assert_array_equal(other.predict(VECTORS), before[1])
        for name, value in vars(before[3]).items():
            np.testing.assert_array_equal(getattr(other.known_, name), value)

    @pytest.mark.parametrize("metric", ["cosine", "euclidean"])
    def test_an_index(self, metric):
        vectors, ids = VECTORS / np.linalg.norm(VECTORS, axis=1, keepdims=True), np.arange(N) + 100
        index = SimilarityIndex.build(vectors, ids=ids, metric=metric)
        before = index.search(VECTORS[:2], n=4)
        vectors[:], ids[:] = 5, 0
        after = index.search(VECTORS[:2], n=4)
        assert after["id"].tolist() == before["id"].tolist()
        assert after["similarity"].tolist() == before["similarity"].tolist()

    def test_what_an_index_gives_out_is_only_to_be_read(self):
        index = SimilarityIndex.build(VECTORS, components=2)
        given = [index.ids, index.explained_variance_ratio, *next(index.pieces())]
        for array in given:
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0

    def test_a_model(self):
        table = galaxies()
        table["ring"] = np.arange(N) % 2 * 1.0
        with pytest.warns(gzr.GalzooWarning, match="do not show that galaxies are told apart"):
            model = gzr.finetune(table, "ring", progress=False)
        before = model.predict(VECTORS).value
        table["embedding"][:], table["ring"][:] = 3, 0
        np.testing.assert_array_equal(model.predict(VECTORS).value, before)
