"""VOTables of services and of TOPCAT: each cell as it is meant, and what the file says of itself."""

import base64
import struct
import warnings

import numpy as np
import pytest
from astropy.table import Column, Table
from astropy.utils.exceptions import AstropyWarning

from galzoo_repr import GalzooWarning
from galzoo_repr.catalogue import read_catalogue, sky_positions, write_catalogue

IDS = ["1237648720693755918", "1237648720693755919"]


@pytest.fixture
def read(tmp_path):
    """Reads a VOTable that consists of some elements; the number of its version is an argument."""

    def read(elements, version="1.4", **options):
        path = tmp_path / "answer.vot"
        name_space = f"http://www.ivoa.net/xml/VOTable/v{min(version, '1.3')}"
        path.write_text(
            f'<?xml version="1.0"?><VOTABLE version="{version}" xmlns="{name_space}">{elements}</VOTABLE>',
            encoding="utf-8",
        )
        return read_catalogue(path, **options)

    return read


def table_of(field, data, inside="", attributes=""):
    return f'<TABLE {attributes}><FIELD name="x" {field}>{inside}</FIELD><DATA>{data}</DATA></TABLE>'


def rows_of(*cells):
    return "<TABLEDATA>" + "".join(f"<TR><TD>{cell}</TD></TR>" for cell in cells) + "</TABLEDATA>"


@pytest.fixture
def column(read):
    """Reads cells of TABLEDATA by a field of some attributes."""

    def column(field, *cells, inside="", version="1.4"):
        return read(f"<RESOURCE>{table_of(field, rows_of(*cells), inside)}</RESOURCE>", version)["x"]

    return column


class TestWiderThanDeclared:
    @pytest.mark.parametrize(
        ("field", "cells", "values"),
        [
            ('datatype="char"', ["ring", ""], ["ring", ""]),
            ('datatype="char" arraysize="1"', ["ring"], ["ring"]),
            ('datatype="char" arraysize="2"', ["ring"], ["ring"]),
            ('datatype="unicodeChar" arraysize="2*"', ["rings \u0416"], ["rings \u0416"]),
            ('datatype="char" arraysize="*"', ["S\u00e9rsic", "\U0001f30c"], ["S\u00e9rsic", "\U0001f30c"]),
            ('datatype="char" arraysize="3x2"', ["ab cd"], ["ab cd"]),
            ('datatype="unsignedByte"', ["300", "-1"], [300, -1]),
            ('datatype="short"', ["3403340", ""], [3403340, None]),
            ('datatype="int"', [*IDS, ""], [*map(int, IDS), None]),
            ('datatype="long"', [str(2**64 - 1)], [2**64 - 1]),
            ('datatype="short" arraysize="2"', ["1 70000", ""], [[1, 70000], [None, None]]),
            ('datatype="float"', ["16777217", "0.5"], [16777217, 0.5]),
            ('datatype="float"', ["1e300"], [1e300]),
        ],
    )
    def test_the_text_of_the_cell_counts(self, field, cells, values, column):
        assert column(field, *cells).tolist() == values

    @pytest.mark.parametrize("datatype", ["float", "double"])
    def test_ids_in_floats_are_exact_integers(self, datatype, column):
        with pytest.warns(GalzooWarning, match=f"'x' of .* is of integers, which a {datatype} would change"):
            ids = column(f'datatype="{datatype}"', *IDS, "")
        assert ids.tolist() == [*map(int, IDS), None]

    def test_an_id_beside_a_nan_is_exact(self, column):
        with pytest.warns(GalzooWarning, match="is of integers, which a double would change"):
            found = column('datatype="double"', "1237648720693755918", "NaN")
        assert found.tolist() == [1237648720693755918, None]

    def test_digits_that_no_number_has_room_for(self, column):
        with pytest.warns(
            GalzooWarning, match=r"'x' of .* has 1 cell\(s\) whose digits a double does not hold"
        ):
            assert column('datatype="double"', IDS[0], "0.5")[1] == 0.5
        with pytest.warns(
            GalzooWarning, match="'x' of .* is text, because no number of 64 bits has its digits"
        ):
            assert column('datatype="long"', str(2**70), "1").tolist() == [str(2**70), "1"]

    def test_what_fits_keeps_its_type_without_a_word(self, column):
        for datatype, dtype in {"unsignedByte": "u1", "short": "i2", "int": "i4", "long": "i8"}.items():
            assert column(f'datatype="{datatype}"', "1", "+2", "0x1F").dtype == dtype
        assert column('datatype="float"', "1.1", "").dtype == np.float32
        assert column('datatype="double"', "1e20", "123456789012345678901234567890e-10").dtype == np.float64


class TestOtherThanDeclared:
    def test_words_among_numbers_are_missing_and_counted(self, column):
        expected = r"column 'x' of .* has 2 cell\(s\) that are no numbers, such as 'bad'; they are missing"
        with pytest.warns(GalzooWarning, match=expected):
            np.testing.assert_array_equal(
                column('datatype="double"', "1.5", "bad", "worse"), [1.5, np.nan, np.nan]
            )
        with pytest.warns(GalzooWarning, match=expected):
            assert column('datatype="long"', IDS[0], "bad", "worse").tolist() == [int(IDS[0]), None, None]

    @pytest.mark.parametrize("datatype", ["int", "float", "double"])
    def test_nothing_but_words_is_text(self, datatype, column):
        with pytest.warns(
            GalzooWarning, match=f"is text, such as '10:00:00', though it is declared {datatype}"
        ):
            assert column(f'datatype="{datatype}"', "10:00:00", "").tolist() == ["10:00:00", ""]

    def test_fractions_in_integers(self, column):
        with pytest.warns(GalzooWarning, match="is of floats, though it is declared int"):
            assert column('datatype="int"', "1", "2.5").tolist() == [1, 2.5]

    def test_strange_logicals(self, column):
        with pytest.warns(GalzooWarning, match="are neither true nor false, such as 'yes'"):
            flags = column('datatype="boolean"', "T", "false", "1", "0", "?", "", "yes")
        assert flags.tolist() == [True, False, True, False, None, None, None]

    @pytest.mark.parametrize("cell", ["1 2 3", "1"])
    def test_arrays_of_another_length(self, cell, column):
        with pytest.warns(
            GalzooWarning, match=rf"has 1 cell\(s\) of another length than '2', such as '{cell}'"
        ):
            assert column('datatype="int" arraysize="2"', "5 6", cell).tolist() == [[5, 6], [None, None]]
        with pytest.warns(GalzooWarning, match="of another length than '2x"):
            assert column('datatype="int" arraysize="2x*"', "5 6 7 8", cell)[0].tolist() == [[5, 6], [7, 8]]

    def test_types_and_sizes_that_votable_does_not_have(self, column):
        with pytest.warns(GalzooWarning, match="is text: VOTable has no type 'decimal'"):
            assert column('datatype="decimal"', "1").tolist() == ["1"]
        with pytest.warns(GalzooWarning, match="is text: 'many' is no size of arrays"):
            assert column('datatype="int" arraysize="many"', "1").tolist() == ["1"]
        assert column('datatype="unsignedInt"', str(2**32 - 1)).tolist() == [2**32 - 1]
        assert column("", "ring").tolist() == ["ring"]


class TestMissing:
    @pytest.mark.parametrize("version", ["1.1", "1.2", "1.3", "1.4"])
    def test_empty_cells(self, version, column):
        assert column('datatype="int"', "1", "", "NaN", version=version).tolist() == [1, None, None]
        np.testing.assert_array_equal(column('datatype="float"', "1", "", version=version), [1, np.nan])
        assert column('datatype="bit"', "1", "", version=version).tolist() == [True, None]

    @pytest.mark.parametrize("null", ["-99", "-99999"])
    def test_declared_nulls_also_those_beyond_the_type(self, null, column):
        values = f'<VALUES null="{null}"><MIN value="0"/></VALUES>'
        assert column('datatype="short"', "1", null, inside=values).tolist() == [1, None]
        floats = column('datatype="double"', "1", null, f"{null}.0", inside=values)
        np.testing.assert_array_equal(floats, [1, np.nan, np.nan])
        assert column('datatype="int" arraysize="2"', f"1 {null}", inside=values).tolist() == [[1, None]]
        assert column('datatype="char" arraysize="*"', "a", null, inside=values).tolist() == ["a", ""]

    def test_rows_with_too_few_cells(self, read):
        field = 'datatype="int"/><FIELD name="y" datatype="int"'
        data = "<TABLEDATA><TR><TD>1</TD></TR><TR><TD>1</TD><TD>2</TD></TR></TABLEDATA>"
        table = table_of(field, data).replace("</FIELD>", "").replace('"int">', '"int"/>')
        with pytest.warns(GalzooWarning, match=r"1 row\(s\) of .* have too few cells"):
            assert read(f"<RESOURCE>{table}</RESOURCE>")["y"].tolist() == [None, 2]

    def test_rows_with_too_many_cells(self, read):
        data = "<TABLEDATA><TR><TD>1</TD><TD>2</TD></TR></TABLEDATA>"
        with pytest.raises(ValueError, match="line 1 ends a row of 2 cells, but there are 1 fields"):
            read(f"<RESOURCE>{table_of('datatype=' + repr('int'), data)}</RESOURCE>")

    def test_rows_that_are_declared_but_not_there(self, read):
        table = table_of('datatype="int"', rows_of(1, 2), attributes='nrows="5"')
        with pytest.warns(GalzooWarning, match="holds 2 of the 5 rows that it declares"):
            assert len(read(f"<RESOURCE>{table}</RESOURCE>")) == 2


class TestArrays:
    @pytest.mark.parametrize("size", ["1", "*", "1*", " 1 "])
    def test_one_number_per_row_is_one_number(self, size, read):
        fields = "".join(f'<FIELD name="{n}" datatype="double" arraysize="{size}"/>' for n in ("ra", "dec"))
        row = "<TR><TD>10</TD><TD>-20</TD></TR>"
        data = f"<DATA><TABLEDATA>{row}</TABLEDATA></DATA>"
        table = read(f"<RESOURCE><TABLE>{fields}{data}</TABLE></RESOURCE>")
        assert (table["ra"].shape, sky_positions(table).dec.tolist()) == ((1,), [-20])

    def test_columns_of_one_column_of_ours_keep_their_shape(self, tmp_path):
        write_catalogue(Table({"x": np.arange(3.0).reshape(3, 1)}), tmp_path / "catalogue.vot")
        assert read_catalogue(tmp_path / "catalogue.vot")["x"].shape == (3, 1)

    @pytest.mark.parametrize(
        ("field", "cells", "values"),
        [
            ('datatype="double" arraysize="2"', ["1 2", "3,4"], [[1, 2], [3, 4]]),
            ('datatype="int" arraysize="*"', ["1 2", "3 4", ""], [[1, 2], [3, 4], [None, None]]),
            ('datatype="int" arraysize="2x3"', ["1 2 3 4 5 6"], [[[1, 2], [3, 4], [5, 6]]]),
            ('datatype="int" arraysize="2x*"', ["1 2 3 4", "5 6 7 8"], [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]),
            ('datatype="int" arraysize="3"', [""], [[None] * 3]),
            ('datatype="int" arraysize="*"', ["", ""], [None, None]),
            ('datatype="bit" arraysize="3"', ["101", "0 1 1"], [[True, False, True], [False, True, True]]),
            ('datatype="boolean" arraysize="2"', ["T ?"], [[True, None]]),
            ('datatype="doubleComplex"', ["1 2"], [1 + 2j]),
            ('datatype="floatComplex" arraysize="2"', ["1 2 3 4"], [[1 + 2j, 3 + 4j]]),
        ],
    )
    def test_shapes(self, field, cells, values, column):
        assert column(field, *cells).tolist() == values

    def test_several_lengths(self, column):
        rows = column('datatype="float" arraysize="2x*"', "1 2", "1 2 3 4", "")
        assert [row.tolist() for row in rows] == [[[1, 2]], [[1, 2], [3, 4]], []]
        rows = column('datatype="doubleComplex" arraysize="*"', "1 2", "1 2 3 4")
        assert [row.tolist() for row in rows] == [[1 + 2j], [1 + 2j, 3 + 4j]]

    def test_no_rows(self, column):
        assert column('datatype="int" arraysize="2x3"').shape == (0, 3, 2)
        assert column('datatype="int" arraysize="*"').shape == (0,)


@pytest.mark.parametrize("kind", ["BINARY", "BINARY2"])
class TestBinary:
    @pytest.fixture
    def binary(self, kind, read):
        def binary(field, *cells, inside=""):
            flags = b"\0" * (kind == "BINARY2")
            stream = base64.b64encode(b"".join(flags + cell for cell in cells)).decode()
            data = f'<{kind}><STREAM encoding="base64">{stream}</STREAM></{kind}>'
            return read(f"<RESOURCE>{table_of(field, data, inside)}</RESOURCE>")["x"]

        return binary

    @pytest.mark.parametrize(
        ("size", "cell", "text"),
        [
            ("4", b"ring", "ring"),
            ("4", b"a\0bc", "a"),
            ("2*", struct.pack(">I", 4) + b"ring", "ring"),
            ("*", struct.pack(">I", 3) + "é1".encode(), "é1"),
            ("4", b"\xe9t\xe9\0", "été"),
            ("2x2", b"abcd", "abcd"),
            ("1", b"\xe9", "é"),
        ],
    )
    def test_text(self, size, cell, text, binary):
        assert binary(f'datatype="char" arraysize="{size}"', cell, cell).tolist() == [text] * 2

    def test_numbers(self, binary):
        one = struct.pack(">Id", 1, 0.5)
        assert binary('datatype="double" arraysize="*"', one, one).tolist() == [0.5, 0.5]
        assert binary('datatype="double" arraysize="1"', one[4:]).tolist() == [0.5]
        two = binary('datatype="int" arraysize="*"', struct.pack(">Iii", 2, 1, 2), struct.pack(">I", 0))
        assert two.tolist() == [[1, 2], [None, None]]
        ragged = binary(
            'datatype="int" arraysize="*"', struct.pack(">Iii", 2, 1, 2), struct.pack(">Ii", 1, 3)
        )
        assert [row.tolist() for row in ragged] == [[1, 2], [3]]
        null = binary('datatype="short"', b"\0\1", b"\xff\x9d", inside='<VALUES null="-99"/>')
        assert null.tolist() == [1, None]

    def test_a_bit_is_the_highest_of_its_byte(self, binary):
        assert binary('datatype="bit"', b"\x80", b"\0").tolist() == [True, False]


class TestStatus:
    TABLE = table_of('datatype="int"', rows_of(1, 2))

    @pytest.mark.parametrize(
        "elements",
        [
            '<RESOURCE type="results">{info}{table}</RESOURCE>',
            '<RESOURCE type="results"><INFO name="QUERY_STATUS" value="OK"/>{table}{info}</RESOURCE>',
            "{info}<RESOURCE>{table}</RESOURCE>",
            '<RESOURCE><RESOURCE type="results">{table}{info}</RESOURCE></RESOURCE>',
        ],
    )
    def test_overflow_says_that_rows_are_missing(self, elements, read):
        info = '<INFO name="QUERY_STATUS" value="OVERFLOW">limit of 2</INFO>'
        with pytest.warns(
            GalzooWarning, match=r"rows are missing from .*, after 2 \(OVERFLOW\): 'limit of 2'"
        ):
            assert len(read(elements.format(info=info, table=self.TABLE))) == 2

    @pytest.mark.parametrize("status", ["ERROR", "error", "ABORTED"])
    def test_an_error_after_rows(self, status, read):
        info = f'<INFO name="QUERY_STATUS" value="{status}">Disk full</INFO>'
        with pytest.warns(GalzooWarning, match=f"after 2, the service says {status.upper()}: 'Disk full'"):
            assert len(read(f"<RESOURCE>{self.TABLE}{info}</RESOURCE>")) == 2

    @pytest.mark.parametrize(
        "elements",
        [
            '<RESOURCE><INFO name="QUERY_STATUS" value="ERROR">No column zz</INFO></RESOURCE>',
            f"<RESOURCE>{table_of('', rows_of())}</RESOURCE>"
            '<INFO name="QUERY_STATUS" value="ERROR">No column zz</INFO>',
            '<INFO ID="Error" name="Error" value="No column zz"/>',
            '<RESOURCE><PARAM name="Error" datatype="char" arraysize="*" value="No column zz"/></RESOURCE>',
        ],
    )
    def test_an_error_instead_of_rows_is_an_error(self, elements, read):
        with pytest.raises(ValueError, match="the service answered ERROR: 'No column zz'"):
            read(elements)

    def test_all_is_well(self, read):
        info = '<INFO name="QUERY_STATUS" value="OK">fine</INFO><INFO name="Error" value="0.1"/>'
        assert read(f"<RESOURCE>{info}{self.TABLE}</RESOURCE>")["x"].tolist() == [1, 2]

    def test_keys_of_our_own_meta_are_no_status(self, tmp_path):
        write_catalogue(Table({"x": [1]}, meta={"Error": "0.1"})[:0], tmp_path / "catalogue.vot")
        assert read_catalogue(tmp_path / "catalogue.vot").meta == {"Error": "0.1"}


class TestWhatElseIsInTheFile:
    TABLE = table_of('datatype="int"', rows_of(1, 2))

    def test_params_of_any_kind_are_no_obstacle(self, read):
        params = (
            '<PARAM name="COMMENT" datatype="char" arraysize="61x9" value="a"/>'
            '<PARAM name="m" datatype="double" arraysize="2x2" value="1 2 3"/>'
            '<PARAM name="n" datatype="int" value="many"><VALUES null="-1e9"/></PARAM>'
        )
        group = f'<GROUP name="g"><FIELDref ref="x"/><PARAMref ref="nowhere"/>{params}</GROUP>'
        link = '<LINK href="http://example.org/${x}"/>'
        table = self.TABLE.replace("<FIELD", f"{params}{group}{link}<FIELD")
        assert read(f"{params}<RESOURCE>{params}{table}</RESOURCE>")["x"].tolist() == [1, 2]

    def test_attributes_that_are_not_of_the_standard(self, read):
        field = 'datatype="double" width="0" precision="many" unit="deg"'
        table = table_of(field, rows_of("1.5"), attributes='nrows="all"')
        back = read(f'<RESOURCE type="rows">{table}</RESOURCE>')["x"]
        assert (back.tolist(), str(back.unit)) == ([1.5], "deg")

    def test_facts_of_columns(self, read):
        field = 'datatype="double" precision="F2" ucd="phot.mag" unit="mag"'
        back = read(
            f"<RESOURCE>{table_of(field, rows_of('1.2345'), '<DESCRIPTION>How bright</DESCRIPTION>')}</RESOURCE>"
        )
        assert (back["x"].format, back["x"].description, str(back["x"].unit)) == (".2f", "How bright", "mag")
        assert back["x"].meta == {"ucd": "phot.mag", "precision": "F2"}
        assert back["x"][0] == 1.2345

    def test_the_table_with_rows_is_the_catalogue(self, read):
        empty, meta = table_of('datatype="int"', rows_of()), f'<RESOURCE type="meta">{self.TABLE}</RESOURCE>'
        assert len(read(f"{meta}<RESOURCE>{empty}{self.TABLE}</RESOURCE>")) == 2

    def test_several_tables_are_named(self, read):
        named = self.TABLE.replace("<TABLE ", '<TABLE name="second" ')
        document = f"<RESOURCE>{self.TABLE}</RESOURCE><RESOURCE>{named}</RESOURCE>"
        with pytest.raises(ValueError, match=r"holds 2 tables: 0 without a name, 1 'second'. Pass table="):
            read(document)
        for table in (0, 1, "second"):
            assert len(read(document, table=table)) == 2
        with pytest.raises(ValueError, match="has no table 'third'; it holds 0 without"):
            read(document, table="third")

    def test_a_table_that_refers_to_the_fields_of_another(self, read):
        first = table_of('datatype="short"', rows_of(), attributes='ID="first"')
        second = f'<TABLE ref="first"><DATA>{rows_of(70000)}</DATA></TABLE>'
        assert read(f"<RESOURCE>{first}{second}</RESOURCE>")["x"].tolist() == [70000]

    def test_no_table(self, read):
        with pytest.raises(ValueError, match="as VOTable: it holds no table"):
            read("<RESOURCE/>")

    def test_cells_in_base64(self, read):
        data = '<TABLEDATA><TR><TD encoding="base64">AAAAAQ==</TD></TR></TABLEDATA>'
        with pytest.raises(ValueError, match="line 1 has a cell in base64, which is not supported"):
            read(f"<RESOURCE>{table_of('datatype=' + repr('int'), data)}</RESOURCE>")


def test_files_of_ours_that_others_have_edited(tmp_path):
    """The record is of the file as it was written."""
    write_catalogue(Table({"t": ["ab"], "n": Column([1], dtype="u2")}), tmp_path / "catalogue.vot")
    text = (tmp_path / "catalogue.vot").read_text()
    start, end = text.index("<BINARY2>"), text.index("</BINARY2>") + len("</BINARY2>")
    row = "<TABLEDATA><TR><TD>longer</TD><TD>70000</TD></TR></TABLEDATA>"
    (tmp_path / "edited.vot").write_text(text[:start] + row + text[end:])
    back = read_catalogue(tmp_path / "edited.vot")
    assert (back["t"][0], back["n"][0]) == ("longer", 70000)


@pytest.mark.parametrize("data", ["tabledata", "binary", "binary2"])
def test_what_astropy_writes_is_read_alike(data, tmp_path):
    table = Table({"i": [1, -2], "f": [0.5, np.nan], "t": ["a", ""], "v": [[1.0, 2.0], [3.0, 4.0]]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        table.write(tmp_path / "t.vot", format="votable", tabledata_format=data)
    back = read_catalogue(tmp_path / "t.vot")
    for name in table.colnames:
        np.testing.assert_array_equal(back[name], table[name])
        assert back[name].dtype.kind == table[name].dtype.kind
