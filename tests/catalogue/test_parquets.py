"""Parquet files of the package for other programs, and those of other programs for it."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable
from astropy.utils.masked import Masked
from pyarrow import parquet

from galzoo_repr import GalzooWarning
from galzoo_repr.catalogue import read_catalogue, write_catalogue


class TestWritten:
    @pytest.mark.parametrize(
        ("column", "cells"),
        [
            (MaskedColumn([1, 2, 3], mask=[0, 1, 0]), [1, None, 3]),
            (MaskedColumn([1, 2, 2**64 - 1], mask=[0, 1, 0], dtype="u8"), [1, None, 2**64 - 1]),
            (MaskedColumn([1.0, 2.0, np.inf], mask=[0, 1, 0]), [1.0, None, np.inf]),
            (MaskedColumn(["a", "b", ""], mask=[0, 1, 0]), ["a", None, ""]),
            (MaskedColumn([b"a", b"b", b""], mask=[0, 1, 0]), [b"a", None, b""]),
            (MaskedColumn([True, True, False], mask=[0, 1, 0]), [True, None, False]),
            (MaskedColumn([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]]), [[1, None], [3, 4]]),
            (Masked([1.0, 2.0, 3.0] * u.kpc, mask=[False, True, False]), [1.0, None, 3.0]),
        ],
        ids=["int", "uint64", "float", "text", "bytes", "logical", "array", "quantity"],
    )
    def test_masked_cells_are_nulls(self, column, cells, tmp_path):
        write_catalogue(QTable({"x": column}), tmp_path / "catalogue.parquet")
        assert parquet.read_table(tmp_path / "catalogue.parquet")["x"].to_pylist() == cells
        back = read_catalogue(tmp_path / "catalogue.parquet")["x"]
        assert back.mask.tolist() == np.asarray(column.mask).tolist()
        assert back.dtype == column.dtype

    def test_nothing_else_is_null(self, tmp_path):
        table = QTable({"x": [1.0, np.nan], "t": ["", "b"], "e": np.full((2, 3), np.nan, np.float32)})
        write_catalogue(table, tmp_path / "catalogue.parquet")
        arrow = parquet.read_table(tmp_path / "catalogue.parquet")
        assert [arrow[name].null_count for name in arrow.column_names] == [0, 0, 0]
        assert pa.compute.is_null(arrow["e"].combine_chunks().flatten()).sum().as_py() == 0


@pytest.fixture
def read(tmp_path):
    """Writes an Arrow array as the column of a Parquet file, and reads the catalogue."""

    def read(array, metadata=None):
        arrow = pa.table({"x": array, "row": np.arange(len(array))})
        try:
            parquet.write_table(arrow.replace_schema_metadata(metadata), tmp_path / "catalogue.parquet")
        except pa.ArrowNotImplementedError:
            pytest.skip(f"this version of Arrow cannot write a column of {array.type}")
        return read_catalogue(tmp_path / "catalogue.parquet")

    return read


def decimals(*digits, bits=128, precision=30, scale=0):
    kind = getattr(pa, f"decimal{bits}")(precision, scale)
    return pa.array([None if each is None else Decimal(each) for each in digits], kind)


class TestDecimals:
    @pytest.mark.parametrize(
        "kind",
        [
            {"precision": 20},
            {"precision": 38, "scale": 18},
            {"bits": 256, "precision": 60, "scale": 2},
            {"bits": 64, "precision": 18},
        ],
    )
    def test_whole_ones_are_exact_integers(self, kind, read):
        ids = [123764872069375591 + i for i in range(3)]
        column = read(decimals(*ids, None, **kind))["x"]
        assert column.dtype == np.int64
        assert column.tolist() == [*ids, None]

    def test_unsigned_ones(self, read):
        column = read(decimals(2**64 - 1, 2**63, None))["x"]
        assert column.dtype == np.uint64
        assert column.tolist() == [2**64 - 1, 2**63, None]

    @pytest.mark.parametrize(
        "digits", [[str(2**70), str(2**70 + 1)], ["-1", str(2**63)], ["1" + "0" * 29], ["1e25", "2e25"]]
    )
    def test_those_of_more_digits_are_text_with_a_warning(self, digits, read):
        with pytest.warns(
            GalzooWarning, match="column 'x' of .* is read as text, because no number of 64 bits"
        ):
            column = read(decimals(*digits, None))["x"]
        assert column.tolist() == [*(str(int(Decimal(each))) for each in digits), None]

    def test_measurements_are_floats(self, read):
        column = read(decimals("187.70593075922", "-0.1", "3", None, scale=18))["x"]
        assert column.dtype == np.float64
        np.testing.assert_array_equal(column, [187.70593075922, -0.1, 3, np.nan])

    def test_numbers_that_a_float_would_make_alike_are_text(self, read):
        with pytest.warns(GalzooWarning, match="is read as text"):
            column = read(decimals("187.705930759220000001", "187.705930759220000002", scale=18))["x"]
        assert column.tolist() == ["187.705930759220000001", "187.705930759220000002"]


class TestTypes:
    @pytest.mark.parametrize(
        ("array", "dtype", "cells"),
        [
            (pa.array([2**62 + 1, None]), "i8", [2**62 + 1, None]),
            (pa.array([2**64 - 1, None], pa.uint64()), "u8", [2**64 - 1, None]),
            (pa.array([255, None], pa.uint8()), "u1", [255, None]),
            (pa.array([2**60 + 1, None]).dictionary_encode(), "i8", [2**60 + 1, None]),
            (pa.array(["a", None], pa.large_string()), "U1", ["a", None]),
            (pa.array(np.array([0.5, 2], np.float16)), "f2", [0.5, 2.0]),
            (pa.array([[1, 2], None], pa.large_list(pa.int16())), "i2", [[1, 2], [None, None]]),
            (pa.array([[1, 2], []]), "i8", [[1, 2], [None, None]]),
            (pa.array([[True, None], None]), "?", [[True, None], [None, None]]),
            (pa.array([["a", None], ["bc", "d"]]), "U2", [["a", None], ["bc", "d"]]),
            (pa.array([3600, None], pa.time32("s")), "U12", ["01:00:00.000", None]),
        ],
    )
    def test_cells_and_nulls_are_what_they_were(self, array, dtype, cells, read):
        column = read(array)["x"]
        assert column.dtype == np.dtype(dtype)
        assert column.tolist() == cells

    @pytest.mark.parametrize("kind", ["string_view", "binary_view"])
    def test_views(self, kind, read):
        if not hasattr(pa, kind):
            pytest.skip("this version of Arrow has no views")
        texts = ["a", None, "bc"]
        cells = texts if kind == "string_view" else [text and text.encode() for text in texts]
        column = read(pa.array(cells, getattr(pa, kind)()))["x"]
        assert column.mask.tolist() == [False, True, False]
        assert column[[0, 2]].tolist() == ["a", "bc"]

    @pytest.mark.parametrize(
        ("kind", "dtype"),
        [
            (pa.timestamp("us"), "M8[us]"),
            (pa.timestamp("ns", "Europe/Berlin"), "M8[ns]"),
            (pa.duration("s"), "m8[s]"),
            (pa.date32(), "M8[D]"),
        ],
    )
    def test_times(self, kind, dtype, read):
        column = read(pa.array([19000, None], kind))["x"]
        assert column.dtype == np.dtype(dtype)
        assert column[0] == np.array(19000).astype(dtype)
        assert np.isnat(column[1])

    def test_bytes_that_end_in_zeros(self, read):
        with pytest.warns(GalzooWarning, match="column 'x' of .* loses the zeros at the end of its bytes"):
            column = read(pa.array([b"a\0", b"b", None]))["x"]
        assert column[:2].tolist() == ["a", "b"]
        column = read(pa.array([b"ab", None], pa.binary(2)))["x"]
        assert (column[0], column.mask.tolist()) == ("ab", [False, True])

    def test_tensors(self, read):
        kind = pa.fixed_shape_tensor(pa.float32(), [2, 3])
        storage = pa.array([list(range(6)), list(range(6, 12))], pa.list_(pa.float32(), 6))
        column = read(pa.ExtensionArray.from_storage(kind, storage))["x"]
        np.testing.assert_array_equal(column, np.arange(12, dtype=np.float32).reshape(2, 2, 3))


class TestLists:
    def test_lists_of_one_are_plain_values(self, read):
        assert read(pa.array([[10.0], [20.0]]))["x"].tolist() == [10, 20]
        assert read(pa.array([[10.0], [20.0]], pa.list_(pa.float32(), 1)))["x"].shape == (2,)
        assert read(pa.array([[2**60 + 1], None, []]))["x"].tolist() == [2**60 + 1, None, None]

    def test_columns_of_one_column_of_ours_keep_their_shape(self, tmp_path):
        table = QTable({"x": np.arange(3.0).reshape(3, 1)})
        write_catalogue(table, tmp_path / "catalogue.parquet")
        assert read_catalogue(tmp_path / "catalogue.parquet")["x"].shape == (3, 1)

    @pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.large_list(pa.float32())])
    def test_no_rows(self, kind, read):
        column = read(pa.array([], kind))["x"]
        assert (column.shape, column.dtype) == ((0,), np.float32)
        assert read(pa.array([], pa.list_(pa.float32(), 4)))["x"].shape == (0, 4)

    def test_nothing_but_nulls(self, read):
        assert np.isnan(read(pa.array([None] * 3, pa.list_(pa.float32())))["x"]).all()
        assert read(pa.array([None] * 3, pa.list_(pa.int8())))["x"].tolist() == [None] * 3

    def test_images(self, read):
        images = [[[1.0, 2.0], [3.0, 4.0]], None, [[5.0, None], [7.0, 8.0]]]
        column = read(pa.array(images))["x"]
        gap = [[np.nan, np.nan]] * 2
        np.testing.assert_array_equal(column, [images[0], gap, [[5, np.nan], [7, 8]]])
        assert read(pa.array([[[[1, 2]], [[3, 4]]]] * 2))["x"].shape == (2, 2, 1, 2)

    def test_rows_of_several_lengths_keep_their_nulls(self, read):
        rows = read(pa.array([[1, None], [3], None]))["x"]
        assert [row.tolist() for row in rows] == [[1, None], [3], []]


@pytest.mark.parametrize("rows", [[[], []], [[], None], [None, None]])
@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.large_list(pa.float32()), pa.list_(pa.list_(pa.float32()))]
)
def test_lists_without_anything_in_them_are_missing(rows, kind, read):
    found = read(pa.array(rows, kind))["x"]
    assert (found.shape, found.dtype) == ((2,), np.float32)
    assert np.isnan(found).all()


class TestWhatIsNoColumn:
    @pytest.mark.parametrize(
        ("array", "reason"),
        [
            (pa.array([{"a": 1}] * 2), "a table has no column of struct"),
            (pa.array([[{"a": 1}]] * 2), "a table has no column of struct"),
            (pa.array([[("a", 1)]] * 2, pa.map_(pa.string(), pa.int8())), "a table has no column of map"),
            (pa.array([[[1.0], [2.0, 3.0]]] * 2), "its lists of lists are of several lengths"),
        ],
    )
    def test_it_alone_is_left_out(self, array, reason, read):
        with pytest.warns(GalzooWarning, match=f"column 'x' of .* is left out: {reason}"):
            assert read(array).colnames == ["row"]

    def test_a_column_that_arrow_cannot_read(self, tmp_path):
        path = tmp_path / "catalogue.parquet"
        arrow = pa.table({"x": np.arange(1000), "row": np.arange(1000)})
        parquet.write_table(arrow, path, compression="gzip", use_dictionary=False)
        place = parquet.ParquetFile(path).metadata.row_group(0).column(0)
        content = bytearray(path.read_bytes())
        middle = place.data_page_offset + place.total_compressed_size // 2
        content[middle : middle + 200] = b"\xff" * 200
        path.write_bytes(content)
        with pytest.warns(GalzooWarning, match="column 'x' of .* is left out"):
            assert read_catalogue(path)["row"].tolist() == list(range(1000))

    def test_nothing_is_left(self, tmp_path):
        parquet.write_table(pa.table({"s": [{"a": 1}]}), tmp_path / "catalogue.parquet")
        with (
            pytest.warns(GalzooWarning, match="left out"),
            pytest.raises(ValueError, match="none of its columns can be a column of a table"),
        ):
            read_catalogue(tmp_path / "catalogue.parquet")


class TestWhatStandsBeside:
    def test_metadata_that_is_no_text(self, read):
        assert read(pa.array([1, 2]), {b"blob\xff": b"\xff\0"})["x"].tolist() == [1, 2]

    @pytest.mark.parametrize("header", [b"\xff\0", b"{broken", b"a: b", b"datatype: 3"])
    def test_a_damaged_header(self, header, read):
        with pytest.warns(GalzooWarning, match="the header that astropy keeps in .* is damaged"):
            assert read(pa.array([1, 2]), {b"table_meta_yaml": header})["x"].tolist() == [1, 2]

    def test_columns_that_others_have_changed_since(self, tmp_path):
        path = tmp_path / "catalogue.parquet"
        write_catalogue(QTable({"t": ["a", "b"], "e": np.zeros((2, 3)), "s": [1, 2]}), path)
        arrow = parquet.read_table(path)
        changed = {"t": ["longer", "b"], "e": [1.0, 2.0], "s": [[1, 2], [3, 4]]}
        parquet.write_table(pa.table(changed).replace_schema_metadata(arrow.schema.metadata), path)
        back = read_catalogue(path)
        assert {name: back[name].tolist() for name in back.colnames} == changed

    def test_names_that_come_twice(self, tmp_path):
        arrow = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"])
        parquet.write_table(arrow, tmp_path / "catalogue.parquet")
        back = read_catalogue(tmp_path / "catalogue.parquet")
        assert (back.colnames, back["x"][0], back["x_2"][0]) == (["x", "x_2"], 1, 2)

    def test_names_of_folders_are_no_columns(self, tmp_path):
        folder = tmp_path / "Norder=1" / "Dir=0"
        folder.mkdir(parents=True)
        parquet.write_table(pa.table({"x": [1]}), folder / "Npix=4.parquet")
        assert read_catalogue(folder / "Npix=4.parquet").colnames == ["x"]


@pytest.mark.parametrize(
    ("dtype", "back"),
    [
        ("M8[D]", "M8[D]"),
        ("M8[us]", "M8[us]"),
        ("M8[ns]", "M8[ns]"),
        ("m8[ms]", "m8[ms]"),
        ("M8[h]", "M8[ms]"),  # Parquet has no coarser unit
        ("m8[D]", "m8[s]"),
    ],
)
def test_times_of_numpy_come_back(dtype, back, tmp_path):
    times = np.array([[1, 2], [3, 4]], "i8").astype(dtype)
    times[1, 1] = "NaT"
    table = QTable({"time": times[:, 1], "gap": MaskedColumn(times[:, 0], mask=[True, False]), "many": times})
    write_catalogue(table, tmp_path / "catalogue.parquet")
    read = read_catalogue(tmp_path / "catalogue.parquet")
    assert read["time"].dtype == np.dtype(back)
    np.testing.assert_array_equal(read["time"], times[:, 1])
    np.testing.assert_array_equal(read["many"], times)
    assert read["gap"].mask.tolist() == [True, False]
    assert read["gap"][1] == times[1, 0]


class TestVOTableInParquet:
    """The convention of TOPCAT and others for what Parquet has no place for."""

    KEY = b"IVOA.VOTable-Parquet.content"

    def test_units_descriptions_and_ucds(self, read):
        param = '<PARAM name="COMMENT" datatype="char" arraysize="60x2" value="a"/>'
        field = f'{param}<FIELD name="x" datatype="double" unit="arcmin" ucd="pos.eq.ra">'
        field += "<DESCRIPTION>East</DESCRIPTION></FIELD>"
        votable = f'<VOTABLE version="1.4"><RESOURCE><TABLE>{field}</TABLE></RESOURCE></VOTABLE>'
        column = read(pa.array([1.0, None]), {self.KEY: f'<?xml version="1.0"?>{votable}'.encode()})["x"]
        assert (column.unit, column.description, column.meta) == (u.arcmin, "East", {"ucd": "pos.eq.ra"})
        np.testing.assert_array_equal(column, [1, np.nan])

    def test_one_that_is_damaged(self, read):
        with pytest.warns(GalzooWarning, match="the VOTable in the metadata of .* is damaged"):
            assert read(pa.array([1, 2]), {self.KEY: b"<VOTABLE"})["x"].tolist() == [1, 2]
