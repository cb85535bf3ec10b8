"""FITS tables as other programs write them: nulls, scales, text, lists, descriptions."""

import gzip
import re

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from galzoo_repr import GalzooWarning
from galzoo_repr.catalogue import read_catalogue, sky_positions, text_of, write_catalogue

POSITIONS = [fits.Column("RA", "D", array=[10.0, 20.0]), fits.Column("DEC", "D", array=[1.0, 2.0])]


def written(folder, form, values, cards=None, **options):
    """Write a table whose last column, X, has these values as they are stored."""
    hdu = fits.BinTableHDU.from_columns([*POSITIONS, fits.Column("X", form, array=values, **options)])
    for key, value in (cards or {}).items():
        hdu.header[f"{key}3"] = value
    hdu.writeto(folder / "table.fits")
    return folder / "table.fits"


def cells(*values, dtype):
    column = np.empty(len(values), dtype=object)
    column[:] = [np.array(value, dtype=dtype) for value in values]
    return column


class TestNullsCountAsTheFileStoresThem:
    @pytest.mark.parametrize(
        ("form", "stored", "cards", "meant"),
        [
            ("I", [500, -32768], {"TNULL": -32768, "TSCAL": 1e-3}, [0.5, None]),
            ("J", [10**6, -1], {"TNULL": -1, "TSCAL": 1e-7, "TZERO": 150.0}, [150.1, None]),
            ("B", [255, 2], {"TNULL": 255, "TSCAL": 0.5}, [None, 1]),
            ("B", [0, 200], {"TNULL": 0, "TZERO": -128}, [None, 72]),
            ("I", [-32768, 1], {"TNULL": -32768, "TZERO": 32768}, [None, 32769]),
            ("J", [-(2**31), 1], {"TNULL": -(2**31), "TZERO": 2**31}, [None, 2**31 + 1]),
            ("K", [-(2**63), 1], {"TNULL": -(2**63), "TZERO": 2**63}, [None, 2**63 + 1]),
            ("2I", [[1, -1], [2, 3]], {"TNULL": -1, "TSCAL": 0.5, "TZERO": 10.0}, [[10.5, None], [11, 11.5]]),
            ("2I", [[1, -1], [2, 3]], {"TNULL": -1, "TZERO": 32768}, [[32769, None], [32770, 32771]]),
            ("J", [-99, 2], {"TNULL": "-99"}, [None, 2]),
            ("J", [-99, 2], {"TNULL": "none"}, [-99, 2]),
            ("E", [-99, 2], {"TNULL": -99}, [None, 2]),
            ("B", [255, 2], {"TNULL": -99}, [255, 2]),
        ],
    )
    def test_numbers(self, form, stored, cards, meant, tmp_path):
        kind = {"B": "u1", "I": "i2", "J": "i4", "K": "i8", "E": "f4"}[form[-1]]
        back = read_catalogue(written(tmp_path, form, np.array(stored, kind), cards))
        assert back["X"].tolist() == meant
        assert sky_positions(back).ra.tolist() == [10, 20]

    @pytest.mark.parametrize("kind", ["u2", "u4", "u8"])
    def test_astropy_writes_those_of_unsigned_integers_otherwise(self, kind, tmp_path):
        table = Table({"x": MaskedColumn(np.array([1, 2, 3], kind), mask=[False, True, False])})
        table.write(tmp_path / "table.fits")
        with pytest.warns(GalzooWarning, match=r"column 'x', cells of \d+ are masked \(1\): TNULL"):
            back = read_catalogue(tmp_path / "table.fits")
        assert back["x"].tolist() == [1, None, 3]
        assert back["x"].dtype == np.dtype(kind)

    def test_a_null_position_is_no_position(self, tmp_path):
        stored = fits.Column("RA", "J", array=np.array([10**6, -1], "i4"))
        hdu = fits.BinTableHDU.from_columns([stored, POSITIONS[1]])
        hdu.header.update({"TNULL1": -1, "TSCAL1": 1e-7, "TZERO1": 150.0})
        hdu.writeto(tmp_path / "table.fits")
        assert sky_positions(read_catalogue(tmp_path / "table.fits")).reason.tolist() == ["", "RA: masked"]

    @pytest.mark.parametrize(
        ("stored", "meant", "odd"),
        [(b"T\0", [True, None], 0), (b"F\1", [False, None], 1), (b"tT", [None, True], 1)],
    )
    def test_logicals(self, stored, meant, odd, tmp_path, recwarn):
        path = written(tmp_path, "L", [True, False])
        body = bytearray(path.read_bytes())
        start, width = 2 * 2880, 8 + 8 + 1
        for i, byte in enumerate(stored):
            body[start + (i + 1) * width - 1] = byte
        path.write_bytes(body)
        assert read_catalogue(path)["X"].tolist() == meant
        assert ["neither T, F nor null are masked" in str(w.message) for w in recwarn] == [True] * odd

    @pytest.mark.parametrize(
        ("dtype", "form", "values", "cards", "meant"),
        [
            ("i4", "PJ()", [[1, -9], [3]], {"TNULL": -9}, [[1, None], [3]]),
            (
                "i2",
                "PI()",
                [[1, -1], [3]],
                {"TNULL": -1, "TSCAL": 0.5, "TZERO": 10.0},
                [[10.5, None], [11.5]],
            ),
            ("i2", "QI()", [[1, -1], [3]], {"TNULL": -1, "TZERO": 32768}, [[32769, None], [32771]]),
            ("i8", "PK()", [[2**60 + 1], []], {}, [2**60 + 1, None]),
            ("f4", "PE()", [[1, 2], [3, 4]], {}, [[1, 2], [3, 4]]),
            ("f8", "PD()", [[1], [2]], {}, [1, 2]),
        ],
    )
    def test_lists(self, dtype, form, values, cards, meant, tmp_path):
        back = read_catalogue(written(tmp_path, form, cells(*values, dtype=dtype), cards))["X"]
        assert [np.ma.asarray(cell).tolist() for cell in back] == meant

    @pytest.mark.parametrize(
        ("stored", "meant", "said"),
        [
            (b"TF", [True, False], None),
            (b"T\0", [True, None], None),
            (b"\1\0", [True, False], "1 is taken for true and 0 for false, as astropy before 8.0"),
            (b"\1\1", [True, True], "1 is taken for true"),
            (b"\0\0", [None, None], "all logical values are null; astropy before 8.0"),
            (b"T\1", [True, None], r"neither T, F nor null in lists is masked.* byte 1\)"),
        ],
    )
    def test_lists_of_logicals(self, stored, meant, said, tmp_path, recwarn):
        path = written(tmp_path, "PL()", cells([True], [False], dtype=bool))
        body = bytearray(path.read_bytes())
        heap = 2 * 2880 + 2 * (8 + 8 + 8)
        body[heap : heap + 2] = stored
        path.write_bytes(body)
        assert read_catalogue(path)["X"].tolist() == meant
        assert [bool(re.search(said or "", str(w.message))) for w in recwarn] == [True] * (said is not None)


class TestTablesOfText:
    @pytest.mark.parametrize(
        ("form", "null", "cell", "meant"),
        [
            ("I5", "-99", "  -99", [7, None]),
            ("I5", "***", "  ***", [7, None]),
            ("I5", None, "     ", [7, None]),
            ("F6.3", "NaN", "   NaN", [7, None]),
            ("F6.3", "", "      ", [7, None]),
            ("A5", "N/A", "N/A  ", ["7", None]),
        ],
    )
    def test_nulls_are_text(self, form, null, cell, meant, tmp_path):
        back = read_catalogue(self._written(tmp_path, form, null, cell))
        assert back["X"].tolist() == meant
        assert back["RA"].tolist() == [1, 2]

    def test_what_is_no_number_is_masked(self, tmp_path):
        path = self._written(tmp_path, "F6.3", None, "  ****")
        with pytest.warns(
            GalzooWarning, match=r"column 'X', cells that are no numbers .*\(1, the first is '\*\*\*\*'\)"
        ):
            assert read_catalogue(path)["X"].tolist() == [7, None]

    @staticmethod
    def _written(folder, form, null, cell):
        values = ["7", "8"] if form.startswith("A") else [7, 8]
        columns = [fits.Column("RA", "F9.5", array=[1.0, 2.0]), fits.Column("X", form, array=values)]
        hdu = fits.TableHDU.from_columns(columns)
        if null is not None:
            hdu.header["TNULL2"] = null
        hdu.writeto(folder / "table.fits")
        body = bytearray((folder / "table.fits").read_bytes())
        start = body.index(b"2.00000", 2 * 2880) + len("2.00000")
        start += (body[start : start + 1] == b" ") if form.startswith("A") else 0
        end = start + len(cell)
        body[start:end] = cell.encode()
        (folder / "table.fits").write_bytes(body)
        return folder / "table.fits"


class TestWholeNumbersStayExact:
    @pytest.mark.parametrize(
        ("stored", "cards", "meant"),
        [
            ([-(2**63) + 5, 2**63 - 1], {"TZERO": 2**63}, [5, 2**64 - 1]),
            ([-(2**63) + 5, 2**63 - 1], {"TZERO": 9.22337203685478e18}, [5, 2**64 - 1]),
            ([237648720693755918, 1], {"TZERO": 10**18}, [1237648720693755918, 10**18 + 1]),
            ([1237648720693755918, 1], {"TSCAL": 1.0, "TZERO": 0.0}, [1237648720693755918, 1]),
        ],
    )
    def test_ids(self, stored, cards, meant, tmp_path):
        back = read_catalogue(written(tmp_path, "K", np.array(stored), cards))["X"]
        assert back.dtype.kind in "iu"
        assert back.tolist() == meant

    def test_signed_bytes(self, tmp_path):
        back = read_catalogue(written(tmp_path, "B", np.array([0, 255], np.uint8), {"TZERO": -128}))["X"]
        assert (back.dtype, back.tolist()) == (np.int8, [-128, 127])


class TestText:
    def test_it_ends_at_the_first_nul(self, tmp_path):
        texts = np.array([b"ring\0\xff\xff", b"spiral \0old"])
        assert read_catalogue(written(tmp_path, "12A", texts))["X"].tolist() == ["ring", "spiral"]

    def test_it_ends_at_the_first_nul_in_each_of_several(self, tmp_path):
        texts = np.array([[b"ab", b"a\0c"], [b"\0xx", b"def"]])
        back = read_catalogue(written(tmp_path, "6A", texts, dim="(3,2)"))["X"]
        assert back.tolist() == [["ab", "a"], ["", "def"]]

    @pytest.mark.parametrize(
        ("cell", "meant"),
        [
            (b"\xe9t\xe9", "\u00e9t\u00e9"),
            (b"Barnard\x92s", "Barnard\u2019s"),  # a control character of Latin-1, an apostrophe of Windows
            (b"10\x80", "10\u20ac"),
            (b"\xc5\x81", "\u0141"),
            (b"a\x81\xe9", "a\x81\u00e9"),  # which Windows does not have
        ],
    )
    @pytest.mark.filterwarnings("ignore:.* were taken for the Latin-1 of Windows")
    def test_text_beyond_ascii_is_read_in_one_way(self, cell, meant, tmp_path):
        path = written(tmp_path, "12A", np.array([cell, b"b"]))
        assert read_catalogue(path)["X"][0] == text_of(cell) == meant

    @pytest.mark.parametrize(
        ("cell", "meant"),
        [("Sérsic".encode("latin-1"), "Sérsic"), ("it’s".encode("cp1252"), "it’s"), (b"a\x81", "a\x81")],
    )
    @pytest.mark.parametrize("form", ["12A", "PA()"])
    def test_what_is_not_utf_8_is_latin_1(self, form, cell, meant, tmp_path):
        path = written(tmp_path, form, np.array([cell, b"ring"], dtype=object if form == "PA()" else None))
        with pytest.warns(GalzooWarning, match=r"column 'X', .* of Windows, cp1252 \(1, the first is"):
            back = read_catalogue(path)
        assert back["X"].tolist() == [meant, "ring"]

    def test_utf_8(self, tmp_path):
        texts = np.array(["Sérsic".encode(), b"ring"])
        assert read_catalogue(written(tmp_path, "12A", texts))["X"].tolist() == ["Sérsic", "ring"]


@pytest.mark.parametrize(
    ("form", "values", "dim"),
    [
        ("D", [[1.0], [2.0]], "(1)"),
        ("D", [[[1.0]], [[2.0]]], "(1,1)"),
        ("J", [[1], [2]], "(1)"),
        ("X", [[1], [0]], None),
    ],
)
def test_a_vector_of_one_number_is_that_number(form, values, dim, tmp_path):
    back = read_catalogue(
        written(tmp_path, f"1{form}", np.array(values, bool if form == "X" else None), dim=dim)
    )
    assert back["X"].tolist() == np.ravel(values).tolist()


@pytest.mark.parametrize("shape", [(1, 3), (1, 3, 1)])
def test_a_row_of_whole_columns(shape, tmp_path):
    Table({name: np.reshape([1, 2, 3], shape) for name in ("RA", "N")}).write(tmp_path / "table.fits")
    with pytest.warns(GalzooWarning, match="its only row has 3 values in each cell; they were read as rows"):
        back = read_catalogue(tmp_path / "table.fits")
    assert (back["RA"].tolist(), back["N"].tolist()) == ([1, 2, 3], [1, 2, 3])


def test_one_row_of_several_vectors_is_a_row(tmp_path):
    Table({"embedding": [[1.0, 2.0, 3.0]], "votes": [[1, 2]]}).write(tmp_path / "table.fits")
    assert len(read_catalogue(tmp_path / "table.fits")) == 1


def test_our_own_vectors_of_one_number_stay_vectors(tmp_path):
    write_catalogue(Table({"x": [[1.0], [2.0]]}), tmp_path / "table.fits")
    assert read_catalogue(tmp_path / "table.fits")["x"].shape == (2, 1)


class TestDescriptions:
    def test_they_are_read_where_others_write_them(self, tmp_path):
        cards = {"TCOMM": "Half-light radius " * 8, "TUCD": "phys.angSize", "TUTYP": "src:size"}
        back = read_catalogue(written(tmp_path, "D", [1.0, 2.0], cards))
        assert back["X"].description == ("Half-light radius " * 8).strip()
        assert back["X"].meta == {"ucd": "phys.angSize", "utype": "src:size"}
        assert back.meta == {}

    def test_another_keyword(self, tmp_path):
        assert (
            read_catalogue(written(tmp_path, "D", [1.0, 2.0], {"TDESC": "Size"}))["X"].description == "Size"
        )

    def test_a_key_of_the_meta_that_looks_like_one_is_none(self, tmp_path):
        table = Table({"x": [1]}, meta={"TCOMM1": "about the table", "TUCD2": 3})
        write_catalogue(table, tmp_path / "table.fits")
        back = read_catalogue(tmp_path / "table.fits")
        assert back.meta == table.meta
        assert back["x"].description is None

    def test_they_are_ascii_in_the_header_and_true_for_us(self, tmp_path):
        table = Table({"x": [1]})
        table["x"].description = "Rayon de l'étoile,\nα"
        write_catalogue(table, tmp_path / "table.fits")
        assert fits.getheader(tmp_path / "table.fits", 1)["TCOMM1"] == "Rayon de l'etoile, ?"
        assert read_catalogue(tmp_path / "table.fits")["x"].description == table["x"].description


class TestTextBeyondAsciiOfOurs:
    @pytest.fixture
    def path(self, tmp_path):
        table = Table({"name": ["Sérsic", "a\0b", "plain "], "n": [1, 2, 3]})
        with pytest.warns(GalzooWarning, match=r"text of column 'name' .* in the column 'name.utf8'"):
            write_catalogue(table, tmp_path / "table.fits")
        return tmp_path / "table.fits"

    def test_it_comes_back(self, path):
        assert read_catalogue(path)["name"].tolist() == ["Sérsic", "a\0b", "plain "]
        assert read_catalogue(path).colnames == ["name", "n"]

    def test_others_see_ascii(self, path):
        with fits.open(path) as hdus:
            assert hdus[1].data["name"].tolist() == ["Sersic", "a?b", "plain"]

    def test_what_others_change_counts(self, path):
        with fits.open(path, mode="update") as hdus:
            hdus[1].data["name"][2] = "new"
            hdus[1].data = hdus[1].data[[2, 0]]
        assert read_catalogue(path)["name"].tolist() == ["new", "Sérsic"]


class TestWhichTable:
    @pytest.fixture
    def several(self, tmp_path):
        """A file of three tables, two of which have one name."""
        tables = [
            fits.BinTableHDU(Table({"x": [i]}).as_array(), name=name)
            for i, name in enumerate(["T0", "T1", "T1"])
        ]
        fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(), *tables]).writeto(tmp_path / "table.fits")
        return tmp_path / "table.fits"

    def test_of_several_the_first_is_read(self, several):
        message = r"holds 3 tables \(0 'T0', 1 'T1', 2 'T1'\); the first was read. Pass table="
        with pytest.warns(GalzooWarning, match=message):
            assert read_catalogue(several)["x"].tolist() == [0]

    @pytest.mark.parametrize(("table", "x"), [(0, 0), (2, 2), (np.int64(1), 1), ("T0", 0), ("t0 ", 0)])
    def test_one_is_named(self, several, table, x):
        assert read_catalogue(several, table=table)["x"].tolist() == [x]

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            (3, "it has no table 3; it holds 0 'T0', 1 'T1', 2 'T1'"),
            (-1, "it has no table -1"),
            ("stars", "it has no table 'stars'"),
            ("T1", "2 tables are called 'T1', give the number"),
        ],
    )
    def test_none_is_meant(self, several, table, message):
        with pytest.raises(ValueError, match=message):
            read_catalogue(several, table=table)

    def test_the_header_that_sextractor_puts_first_is_none(self, tmp_path):
        tables = [
            fits.BinTableHDU(Table({"Field Header Card": ["SIMPLE"]}).as_array(), name="LDAC_IMHEAD"),
            fits.BinTableHDU(Table({"x": [5]}).as_array(), name="LDAC_OBJECTS"),
        ]
        fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(tmp_path / "table.fits")
        assert read_catalogue(tmp_path / "table.fits")["x"].tolist() == [5]

    def test_none(self, tmp_path):
        fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "table.fits")
        with pytest.raises(ValueError, match="as FITS: it holds no table"):
            read_catalogue(tmp_path / "table.fits")

    @pytest.mark.filterwarnings("ignore:Error validating header")
    @pytest.mark.parametrize("size", [2900, 3600, 5700])
    @pytest.mark.parametrize("packed", [False, True])
    def test_a_header_that_breaks_off(self, tmp_path, size, packed):
        whole = written(tmp_path, "J", [1, 2]).read_bytes()[:size]
        path = tmp_path / ("broken.fits.gz" if packed else "broken.fits")
        path.write_bytes(gzip.compress(whole) if packed else whole)
        with pytest.raises(ValueError, match="breaks off within the header of a table; get the file again"):
            read_catalogue(path)

    def test_compressed_in_tiles(self, tmp_path):
        path = written(tmp_path, "J", [1, 2])
        fits.setval(path, "ZTABLE", value=True, ext=1)
        with pytest.raises(
            ValueError, match="compressed in tiles; write it uncompressed first, with funpack"
        ):
            read_catalogue(path)


@pytest.mark.parametrize("form", ["J", "K", "D", "5A", "L", "2I", "PJ()", "PA()"])
def test_no_rows(form, tmp_path):
    hdu = fits.BinTableHDU.from_columns([fits.Column("X", form)], nrows=0)
    hdu.header["TNULL1"] = -9
    hdu.writeto(tmp_path / "table.fits", output_verify="ignore")
    assert len(read_catalogue(tmp_path / "table.fits")["X"]) == 0
