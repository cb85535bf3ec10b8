"""The VOTables of the package in the words that every reader of VOTables knows."""

import base64
import re

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io.votable import parse
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.utils.masked import Masked

from galzoo_repr import GalzooWarning
from galzoo_repr.catalogue import read_catalogue, write_catalogue

GAP = [False, True, False]


@pytest.fixture
def written(tmp_path):
    """Writes columns to a VOTable, and gives the table as astropy reads it and the fields by name."""

    def write(columns, table_class=Table):
        path = tmp_path / "catalogue.vot"
        write_catalogue(table_class(columns), path, overwrite=True)
        element = parse(path).get_first_table()
        return element.to_table(use_names_over_ids=True), {field.name: field for field in element.fields}

    write.path = tmp_path / "catalogue.vot"
    return write


def stream(path):
    return base64.b64decode(re.search(r'<STREAM encoding="base64">(.*?)</STREAM>', path.read_text(), re.S)[1])


@pytest.mark.parametrize("shape", [(), (2,)])
def test_logicals_are_of_the_type_boolean(shape, written):
    column = Column(
        np.broadcast_to(np.array([True, False, True])[:, None], (3, 2))[(..., *[0] * (not shape))]
    )
    table, fields = written({"flag": column})
    assert fields["flag"].datatype == "boolean"
    assert table["flag"].tolist() == column.tolist()
    # One byte of flags for nulls per row, then a letter for each logical.
    letters = [b"T", b"F", b"T"]
    assert stream(written.path) == b"".join(b"\0" + letter * (shape or (1,))[0] for letter in letters)


def test_a_masked_logical_is_a_null(written):
    table, fields = written({"flag": MaskedColumn([True, True, False], mask=GAP)})
    assert (fields["flag"].datatype, list(fields)) == ("boolean", ["flag"])
    assert table["flag"].tolist() == [True, None, False]
    assert stream(written.path)[2] == 0x80


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_a_masked_integer_is_a_null(dtype, written):
    table, fields = written({"n": MaskedColumn(np.array([7, 8, 100], dtype), mask=GAP)})
    assert list(fields) == ["n"]
    assert table["n"].tolist() == [7, None, 100]


def test_masked_cells_of_arrays_of_integers_are_nulls(written):
    mask = [[False, True], [False, False], [True, True]]
    columns = {
        "n": MaskedColumn(np.arange(6).reshape(3, 2), mask=mask),
        "low": MaskedColumn(np.full((3, 2), -(2**63)), mask=mask),
    }
    table, fields = written(columns)
    assert list(fields) == ["n", "low"]
    assert table["n"].tolist() == [[0, None], [2, 3], [None, None]]
    assert table["low"].mask.tolist() == mask
    back = read_catalogue(written.path)
    assert back["low"].mask.tolist() == mask
    assert back["low"][1].tolist() == [-(2**63)] * 2


def test_masked_cells_of_arrays_that_use_every_integer_have_a_column(written):
    values = np.arange(512).astype(np.uint8).reshape(2, 256)
    mask = values == 17
    _, fields = written({"n": MaskedColumn(values, mask=mask)})
    assert list(fields) == ["n", "n.mask"]
    back = read_catalogue(written.path)
    assert back["n"].mask.tolist() == mask.tolist()
    assert back["n"][~mask].tolist() == values[~mask].tolist()


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        (MaskedColumn(["a", "hidden", ""], mask=GAP), ""),
        (MaskedColumn([b"a", b"hidden", b""], mask=GAP), ""),
        (MaskedColumn([1, 5, 2**64 - 1], mask=GAP, dtype=np.uint64), ""),
        (MaskedColumn([1.0, 5.0, np.nan], mask=GAP), np.nan),
        (Masked([1.0, 5.0, np.nan] * u.kpc, mask=GAP), np.nan),
    ],
    ids=["text", "bytes", "uint64", "float", "quantity"],
)
def test_nothing_is_to_be_seen_under_a_mask_of_its_own_column(column, cell, written):
    table, fields = written({"x": column}, QTable if isinstance(column, Masked) else Table)
    assert fields["x.mask"].datatype == "boolean"
    assert table["x.mask"].tolist() == GAP
    np.testing.assert_array_equal(np.ma.getdata(table["x"])[1], cell)
    back = read_catalogue(written.path)
    assert back["x"].mask.tolist() == GAP
    assert back["x"].dtype.kind == column.dtype.kind
    np.testing.assert_array_equal(np.ma.getdata(back["x"])[[0, 2]], np.ma.getdata(column)[[0, 2]])


def test_ids_beyond_the_longest_integer_are_their_digits(written):
    table, fields = written(
        {"id": np.array([1, 2**64 - 1], np.uint64), "near": np.array([1, 2**63 - 1], "u8")}
    )
    assert (fields["id"].datatype, fields["near"].datatype) == ("unicodeChar", "long")
    assert table["id"].tolist() == ["1", "18446744073709551615"]


@pytest.mark.parametrize(
    ("frame", "system", "equinox", "ucds"),
    [
        ("icrs", "ICRS", None, ["pos.eq.ra", "pos.eq.dec"]),
        ("fk4", "eq_FK4", "B1950.000", ["pos.eq.ra", "pos.eq.dec"]),
        ("fk5", "eq_FK5", "J2000.000", ["pos.eq.ra", "pos.eq.dec"]),
        ("galactic", "galactic", None, ["pos.galactic.lon", "pos.galactic.lat"]),
    ],
)
def test_the_parts_of_coordinates_say_what_they_are(frame, system, equinox, ucds, written):
    coords = SkyCoord([1, 2] * u.deg, [3, 4] * u.deg, frame=frame)
    coords.info.description = "Centre"
    table, fields = written({"my place": coords}, QTable)
    assert [fields[name].ucd for name in table.colnames] == ucds
    assert table.columns[0].description.endswith(": Centre")
    (declared,) = parse(written.path).iter_coosys()
    assert (declared.system, declared.equinox) == (system, equinox)
    assert {field.ref for field in fields.values()} == {declared.ID}
    back = read_catalogue(written.path)
    assert back.colnames == ["my place"]
    assert back["my place"].info.description == "Centre"
    assert back["my place"].is_equivalent_frame(coords)


def test_coordinates_that_votable_has_no_name_for_are_left_undeclared(written):
    table, fields = written({"x": SkyCoord([1] * u.deg, [3] * u.deg, frame="supergalactic")}, QTable)
    assert table.colnames == ["x.sgl", "x.sgb"]
    assert {field.ucd for field in fields.values()} == {None}


def test_facts_of_columns(written):
    column = Column(
        [1.0], unit="nmgy", description='r & "g" < é\n', meta={"ucd": "phot.flux", "utype": "x:y", "z": 1}
    )
    table, fields = written({"flux": column})
    assert (fields["flux"].ucd, fields["flux"].utype, str(fields["flux"].unit)) == (
        "phot.flux",
        "x:y",
        "nmgy",
    )
    assert table["flux"].description == 'r & "g" < é'


def test_a_table_without_rows_has_the_element_of_its_data(written):
    table, _ = written({"x": Column([1.0], description="<INFO"), "t": ["a"]})
    assert "<TABLEDATA/>" not in written.path.read_text()
    table, _ = written({"x": Column([1.0], description="<INFO")[:0], "t": Column(["a"])[:0]})
    assert "<DATA><TABLEDATA/></DATA>" in written.path.read_text()
    assert (len(table), table.colnames) == (0, ["x", "t"])
    assert read_catalogue(written.path)["t"].dtype == "<U1"


def test_text_of_one_character_is_text(written):
    table, fields = written({"u": MaskedColumn(["a", "b", ""], mask=GAP), "b": [b"a", b"", b"c"]})
    assert {fields[name].arraysize for name in "ub"} == {"2"}
    assert (table["u"].tolist(), table["b"].tolist()) == (["a", "", ""], ["a", "", "c"])
    assert read_catalogue(written.path)["u"].dtype == "<U1"


def test_names_that_look_alike_have_fields_of_their_own(written):
    _, fields = written({"a b": [1], "a_b": [2], "a.b": [3]})
    assert len({field.ID for field in fields.values()}) == 3
    assert read_catalogue(written.path).colnames == ["a b", "a_b", "a.b"]


@pytest.mark.parametrize("shape", [(2, 2), (2, 1, 2)])
def test_arrays_of_ids(shape, written):
    written({"x": np.arange(4, dtype=np.uint64).reshape(shape)})
    back = read_catalogue(written.path)["x"]
    assert (back.dtype, back.tolist()) == (np.uint64, np.arange(4).reshape(shape).tolist())
    with pytest.warns(GalzooWarning, match="'x' is left out: VOTable cannot hold several texts in one cell"):
        written({"x": np.full(shape, 2**64 - 1, np.uint64), "n": [1, 2]})
    assert read_catalogue(written.path).colnames == ["n"]


@pytest.mark.parametrize("ending", [".vot", ".parquet"])
def test_arrays_without_elements_are_left_out(ending, tmp_path):
    with pytest.warns(GalzooWarning, match="column 'x' is left out: its arrays are empty"):
        write_catalogue(Table({"x": np.zeros((2, 0)), "n": [1, 2]}), tmp_path / f"catalogue{ending}")
    assert read_catalogue(tmp_path / f"catalogue{ending}").colnames == ["n"]
