from copy import deepcopy

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import Galactic, SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.timeseries import TimeSeries
from hypothesis import given, settings
from hypothesis import strategies as st

from galzoo_repr.catalogue import as_table, provenance, texts_of, with_columns


def galaxies(table_class):
    table = table_class(
        {
            "ra": Column(
                [1.0, 2.0, 3.0], unit="deg", description="Right ascension", meta={"ucd": ["pos", "ra"]}
            ),
            "dec": [1.0, 2.0, 3.0],
            "size": [1.0, 2.0, 3.0] * u.arcsec,
            "flag": MaskedColumn([1, 2, 3], mask=[True, False, False]),
            "where": SkyCoord([1, 2, 3], [4, 5, 6], unit="deg", frame="galactic"),
            "name": ["a", "b", "c"],
        },
        meta={"survey": {"name": "DECaLS", "bands": ["g", "r", "z"]}},
    )
    table["where"].info.description = "Galactic position"
    return table


def contents(table):
    columns = [(repr(table[name]), table[name].info.description) for name in table.colnames]
    return deepcopy((columns, dict(table.meta), [table[name].info.meta for name in table.colnames]))


@pytest.mark.parametrize("table_class", [Table, QTable])
class TestTables:
    def test_class_rows_and_order_are_kept(self, table_class):
        table = galaxies(table_class)
        result = with_columns(table, {"score": np.array([0.1, 0.2, 0.3])})
        assert type(result) is table_class
        assert result.colnames == [*table.colnames, "score"]
        assert result["name"].tolist() == ["a", "b", "c"]
        assert [type(result[n]) for n in table.colnames] == [type(table[n]) for n in table.colnames]

    def test_input_is_unchanged(self, table_class):
        table = galaxies(table_class)
        before = contents(table)
        result = with_columns(table, {"score": [1.0, 2.0, 3.0] * u.mag}, provenance={"a": [1]}, call="score")
        result.meta["survey"]["bands"].append("i")
        result["ra"].info.meta["ucd"].append("changed")
        result["ra"].info.description = "changed"
        result.rename_column("dec", "declination")
        result.remove_column("size")
        assert contents(table) == before

    def test_type_and_description_of_new_data_are_kept(self, table_class):
        embedding = Column(np.zeros((3, 8), np.float32), description="Embedding")
        result = with_columns(galaxies(table_class), {"embedding": embedding})
        assert result["embedding"].dtype == np.float32
        assert result["embedding"].info.description == "Embedding"

    def test_unit_description_and_meta_come_along(self, table_class):
        angle = [1.0, 2.0, 3.0] * u.arcsec
        angle.info.description, angle.info.meta = "Field of view", {"from": "recipe"}
        column = Column(
            [1.0, 2.0, 3.0], unit="mag", description="Magnitude", meta={"band": "r"}, format=".2f"
        )
        result = with_columns(
            galaxies(table_class), {"fov": angle, "mag": column, "c": SkyCoord(angle, angle)}
        )
        assert result["fov"].unit == u.arcsec
        assert (result["fov"].info.description, result["fov"].info.meta) == (
            "Field of view",
            {"from": "recipe"},
        )
        assert (result["mag"].unit, result["mag"].info.description) == (u.mag, "Magnitude")
        assert (result["mag"].info.meta, result["mag"].info.format) == ({"band": "r"}, ".2f")
        assert isinstance(result["fov"], u.Quantity if table_class is QTable else Column)
        assert angle.info.name is None
        assert column.name is None

    def test_a_column_is_replaced_only_when_asked(self, table_class):
        table = galaxies(table_class)
        with pytest.raises(
            ValueError, match="already has 'dec'; pass overwrite=True to replace, or choose another"
        ):
            with_columns(table, {"score": np.zeros(3), "dec": np.zeros(3)})
        result = with_columns(table, {"score": np.zeros(3), "dec": np.full(3, 9)}, overwrite=True)
        assert result.colnames == [*table.colnames, "score"]
        assert result["dec"].tolist() == [9, 9, 9]
        assert table["dec"].tolist() == [1.0, 2.0, 3.0]

    def test_provenance_is_recorded(self, table_class):
        result = with_columns(galaxies(table_class), {"s": np.zeros(3)}, provenance={"n": 3}, call="add_s")
        assert provenance(result, "add_s")["n"] == 3
        assert result.meta["survey"]["name"] == "DECaLS"

    def test_shapes_that_do_not_fit(self, table_class):
        for wrong in (np.zeros(2), np.zeros((4, 3)), np.float64(1.0)):
            with pytest.raises(ValueError, match=r"column 'score' has shape .* for a catalogue of 3 rows"):
                with_columns(galaxies(table_class), {"score": wrong})

    def test_empty_and_one_row(self, table_class):
        table = galaxies(table_class)
        assert with_columns(table[:0], {"embedding": np.zeros((0, 4))})["embedding"].shape == (0, 4)
        assert with_columns(table[:1], {"embedding": np.zeros((1, 4))})["embedding"].shape == (1, 4)


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
def test_a_skycoord_becomes_a_table(frame):
    coords = SkyCoord([1, 2], [3, 4], unit="deg", frame=frame)
    table = with_columns(coords, {"score": np.zeros(2)})
    assert isinstance(table, QTable)
    assert table.colnames == ["coords", "score"]
    assert table["coords"].frame.name == frame
    assert table["coords"].info.description
    assert coords.info.name is None


def test_scalar_skycoord_and_bare_frame():
    assert len(as_table(SkyCoord(1, 2, unit="deg"))) == 1
    assert as_table(Galactic([1, 2] * u.deg, [1, 2] * u.deg))["coords"].frame.name == "galactic"


def test_an_index_stays_with_its_table():
    table = galaxies(Table)
    table.add_index("name")
    result = with_columns(table, {"score": np.arange(3.0)})
    assert result.loc["b"]["score"] == 1.0
    assert table.loc["b"]["dec"] == 2.0


def test_subclasses_are_kept():
    series = TimeSeries(time_start="2026-01-01", time_delta=1 * u.day, n_samples=2)
    assert type(with_columns(series, {"score": np.zeros(2)})) is TimeSeries


class DataFrame:
    """What pandas calls a table."""


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (galaxies(Table)[0], r"one Row of a table; .*table\[i:i \+ 1\]"),
        ("galaxies.fits", "path 'galaxies.fits'"),
        (DataFrame(), r"a DataFrame; .*Table.from_pandas"),
        (None, "got NoneType; a catalogue is an astropy Table, QTable or SkyCoord"),
        ({"ra": [1]}, "got dict"),
    ],
)
def test_anything_else_is_refused(given, message):
    with pytest.raises(TypeError, match=message):
        as_table(given)


@settings(deadline=None, max_examples=30)
@given(
    order=st.permutations(range(6)),
    names=st.lists(st.text(min_size=1, max_size=8).filter(str.strip), unique=True, max_size=4),
)
def test_rows_and_columns_keep_their_order(order, names):
    table = Table({"row": np.array(order)})
    names = [name for name in names if name != "row"]
    result = with_columns(table, {name: np.array(order) * (i + 2) for i, name in enumerate(names)})
    assert result.colnames == ["row", *names]
    assert result["row"].tolist() == order
    for i, name in enumerate(names):
        assert result[name].tolist() == [row * (i + 2) for row in order]


@pytest.mark.parametrize("kind", [Table, QTable])
def test_each_column_says_what_computed_it(kind):
    given = Column([0.5], description="Score", meta={"mine": 1})
    angle = [3.0] * u.arcsec
    result = with_columns(kind({"ra": [1.0]}), {"score": given, "fov": angle}, call="add_scores")
    assert result["score"].info.meta == {"mine": 1, "computed_by": "add_scores"}
    assert result["fov"].info.meta == {"computed_by": "add_scores"}
    assert given.meta == {"mine": 1}
    assert not angle.info.meta
    assert not result["ra"].info.meta


@pytest.mark.parametrize(
    "column",
    [
        MaskedColumn(["été.fits", "b", "c"], mask=[False, False, True]),
        MaskedColumn(["été.fits".encode(), b"b", b"c"], mask=[False, False, True]),
        Column(["été.fits", "b", ""]),
        Column(np.array(["été.fits", "b", None], dtype=object)),
        np.array(["été.fits", "b", ""]),
    ],
)
def test_text_is_read_in_every_form(column):
    assert texts_of(column) == ["été.fits", "b", ""]
    assert texts_of(column[:0]) == []


@pytest.mark.parametrize("kind", [Table, QTable])
def test_indices_of_a_table_stay(kind):
    table = kind({"id": [3, 1, 2], "score": [0.5, 0.2, 0.9]})
    table.add_index("id", unique=True)
    table.add_index(["score", "id"])
    more = with_columns(table, {"x": np.arange(3)})
    assert more.loc[1]["x"] == 1
    again = with_columns(more, {"score": np.array([7.0, 8.0, 9.0])}, overwrite=True)
    names = [tuple(column.info.name for column in index.columns) for index in again.indices]
    assert sorted(names) == [("id",), ("score", "id")]
    assert (again.loc[2]["score"], again.primary_key) == (9.0, ("id",))
    assert (len(table.indices), table.loc[2]["score"]) == (2, 0.9)
