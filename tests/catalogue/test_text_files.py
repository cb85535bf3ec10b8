"""Tables of text as spreadsheets, archives and scripts write them."""

import bz2
import gzip

import numpy as np
import pytest
from astropy.table import Table

from galzoo_repr import GalzooWarning
from galzoo_repr.anomaly import record_answers
from galzoo_repr.catalogue import read_catalogue, sky_positions, write_catalogue


@pytest.fixture
def read(tmp_path):
    """Write a file and read it."""

    def read(body, name="table.csv", **options):
        (tmp_path / name).write_bytes(body.encode() if isinstance(body, str) else body)
        return read_catalogue(tmp_path / name, **options)

    return read


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.csv", "ra,dec\n150.5,2.5\n"),
        ("a.csv", "\ufeffra,dec\r\n150.5,2.5\r\n"),
        ("a.CSV", "ra,dec\r150.5,2.5\r"),
        ("a.csv", '\ufeff"ra","dec"\r\n"150.5","2.5"\r\n'),
        ("a.csv", "#Table1\nra,dec\n150.5,2.5\n"),
        ("a.csv", "# one\n#\n# two, of three\n\nra,dec\n150.5,2.5\n"),
        ("a.csv", "% made somewhere\nra,dec\n150.5,2.5\n"),
        ("a.csv", "#ra,dec\n150.5,2.5\n"),
        ("a.csv", "ra;dec\n150.5;2.5\n"),
        ("a.csv", "sep=;\r\nra;dec\r\n150.5;2.5\r\n"),
        ("a.csv", "ra\tdec\n150.5\t2.5\n"),
        ("a.csv", " ra , dec \n 150.5 , 2.5 \n"),
        ("a.csv", "ra,dec,\n150.5,2.5,\n"),
        ("a.csv", "ra dec\n150.5 2.5\n"),
        ("a.tsv", "ra\tdec\n150.5\t2.5\n"),
        ("a.tab", "ra\tdec\n150.5\t2.5\n"),
        ("a.txt", "ra dec\n150.5 2.5\n"),
        ("a.txt", "# ra dec\n  150.5    2.5\n"),
        ("a.txt", "ra|dec\n150.5|2.5\n"),
        ("a.txt", "ra,dec\n150.5,2.5\n"),
        ("a.dat", "   ra    dec\n150.5    2.5\n"),
        ("a.tbl", "|  ra   | dec  |\n|double |double|\n  150.5   2.5   \n"),
        (
            "a.cat",
            "#   1 ra   Right ascension\n#   2 dec  Declination\n  150.5 2.5\n".replace("ra ", "RA ").replace(
                "dec", "DEC"
            ),
        ),
        ("catalogue", "ra dec\n150.5 2.5\n"),
        ("a.dat", "ra dec\n 1.505D+02 2.5D+00\n"),
        ("a.txt", "| ra | dec |\n|----|:---:|\n| 150.5 | 2.5 |\n"),
        ("a.csv", "ra;dec\r\n150.5;2.5\r\n;\r\n;\r\n"),
        ("a.tsv", "ra\tdec\n150.5\t2.5\n\t\n"),
    ],
)
def test_positions_in_all_forms(read, name, body):
    table = read(body, name)
    assert [name.lower() for name in table.colnames] == ["ra", "dec"]
    positions = sky_positions(table)
    assert (positions.ra.tolist(), positions.dec.tolist()) == ([150.5], [2.5])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_encodings(read, encoding):
    table = read("name\tra\r\nSérsic\t1\r\n".encode(encoding), "table.txt")
    assert (table.colnames, table["name"].tolist()) == (["name", "ra"], ["Sérsic"])


def test_latin_1_is_a_guess(read):
    with pytest.warns(
        GalzooWarning, match="table.csv: it is not UTF-8 and was taken for the Latin-1 of Windows"
    ):
        assert read("name,ra\nSérsic,1\n".encode("latin-1"))["name"].tolist() == ["Sérsic"]


@pytest.mark.parametrize(("pack", "ending"), [(gzip.compress, ".gz"), (bz2.compress, ".bz2")])
def test_compressed(read, pack, ending):
    assert read(pack(b"ra,dec\n1,2\n"), f"table.csv{ending}")["dec"].tolist() == [2]


@pytest.mark.parametrize(
    ("cells", "kind", "meant"),
    [
        (["1237648720693755918", "5"], "i", [1237648720693755918, 5]),
        (["1237648720693755918", ""], "i", [1237648720693755918, None]),
        (["18446744073709551615", "5"], "u", [2**64 - 1, 5]),
        (["18446744073709551615", ""], "u", [2**64 - 1, None]),
        (["18446744073709551617", "5"], "U", ["18446744073709551617", "5"]),
        (["0007", "42"], "U", ["0007", "42"]),
        (["", "7"], "i", [None, 7]),
        (['"007"', '""'], "U", ["007", None]),
        (["0", "10"], "i", [0, 10]),
        (["0.5", "01.5"], "f", [0.5, 1.5]),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_ids_are_exact(read, cells, kind, meant, delimiter):
    rows = "\n".join(f"{cell}{delimiter}0.05" for cell in cells)
    table = read(f"id{delimiter}x\n{rows}\n")
    assert table["id"].dtype.kind == kind
    assert table["id"].tolist() == meant
    assert table["x"].tolist() == [0.05, 0.05]


def test_decimal_commas(read):
    with pytest.warns(GalzooWarning, match="commas are read as decimal points in columns 'ra', 'dec'"):
        table = read("id;ra;dec;note\n1;150,25;-2,5;a, b\n2;151;;c\n")
    assert (table["ra"].tolist(), table["dec"].tolist()) == ([150.25, 151], [-2.5, None])
    assert table["note"].tolist() == ["a, b", "c"]


def test_thousands_are_left_as_they_are(read):
    assert read("id\tn\n1\t1,234\n2\t2,345\n", "table.tsv")["n"].tolist() == ["1,234", "2,345"]


def test_lines_of_units_and_dashes(read):
    body = "#\n#   Some archive\n\nRA\tname\tmag\ndeg\t \tmag\n-----\t----\t---\n"
    body += "010.1\tNGC 1\t12.5\n  3.2\tNGC 2\t\n\n#END#\n"
    table = read(body, "table.tsv")
    assert [str(table[name].unit) for name in ("RA", "mag")] == ["deg", "mag"]
    assert (table["RA"].tolist(), table["mag"].tolist()) == ([10.1, 3.2], [12.5, None])
    assert table.meta["comments"] == ["Some archive"]


@pytest.mark.parametrize(
    ("body", "columns"),
    [
        ('name,n\n"a, b",1\n"c\nd",2\n', {"name": ["a, b", "c\nd"], "n": [1, 2]}),
        ("name,n\n#5,1\nb,2\n# that is all\n", {"name": ["#5", "b"], "n": [1, 2]}),
        ("object name\nNGC 1300\nM 51\n", {"object name": ["NGC 1300", "M 51"]}),
        (",ra\n0,1\n1,2\n", {"col1": [0, 1], "ra": [1, 2]}),
        ("ra,ra,dec\n1,2,3\n", {"ra": [1], "ra_2": [2], "dec": [3]}),
        ("0,1,2,3\n.5,.5,.5,.5\n", {"0": [0.5], "1": [0.5], "2": [0.5], "3": [0.5]}),
        ("id,2019,2020\nx,5,6\n", None),
        ("name,2019\n7,5\n", {"name": [7], "2019": [5]}),
        ("ra,dec,z\n1,2,3\n1,2\n", {"ra": [1, 1], "dec": [2, 2], "z": [3, None]}),
        ("ra,dec\n", {"ra": [], "dec": []}),
    ],
)
def test_names_and_rows(read, body, columns):
    if columns is None:
        with pytest.raises(ValueError, match="has values where names of columns should be"):
            read(body)
        return
    table = read(body)
    assert {name: table[name].tolist() for name in table.colnames} == columns


def test_names_in_a_comment_stand_above_hours_and_minutes(read):
    table = read("# name ra dec\ng0 09h59m57.6s +01d59m56.6s\ng1 10h00m00.0s -01d00m00.0s\n", "a.txt")
    assert table.colnames == ["name", "ra", "dec"]
    assert table["name"].tolist() == ["g0", "g1"]


@pytest.mark.parametrize(
    "body",
    [
        "1,2,3\n4,5,6\n",
        "ngc1,1.5,2\nngc2,2.5,3\n",
        "150.1,2.2\n",
        "1,,3\n4,5,6\n",
        "09:59:57.6 +01:59:56\n10:00:01.2 -00:00:03\n",
        "g1 09h59m57.6s +01d59m56s\ng2 10h00m01s -00d00m03s\n",
        "a,9:59:57,-1:59\n",
    ],
)
def test_values_are_not_taken_for_names(read, body):
    with pytest.raises(
        ValueError, match="has values where names of columns should be; put a line of names before it"
    ):
        read(body, "a.csv" if "," in body else "a.txt")


@pytest.mark.parametrize(
    ("name", "body", "message"),
    [
        ("a.csv", b"", "it is empty"),
        ("a.csv", b"ra,dec\n1,2,3\n", "inconsistent"),
        ("a.txt", b"ra dec\n1 2 3\n1 2\n", "inconsistent"),
        ("a.tsv", b"catalogue\nra\tdec\n1\t2\n", "its first line, 'catalogue', names one column"),
        ("a.csv", b"\0\1\2" * 50, "it is not text"),
        ("a.csv", b"<!DOCTYPE html><html>Not found</html>", "it is a web page; save the table as CSV"),
        ("a.csv", b"PK\3\4 [Content_Types].xml", "it is an Excel workbook; save the table as CSV"),
        ("a.unknown", b"ra dec\n1 2\n", "its name does not say what it is; give it the ending"),
        (
            "a.fits",
            b"# %ECSV 1.0\n",
            "by its beginning it is ECSV; give it that ending, or pass format='ecsv'",
        ),
    ],
)
def test_errors_are_short(read, name, body, message):
    with pytest.raises(ValueError, match=message) as caught:
        read(body, name)
    assert len(str(caught.value).splitlines()) == 1
    assert len(str(caught.value)) < 500


class TestFormat:
    @pytest.mark.parametrize("given", ["text", "csv", "ascii.csv"])
    def test_it_counts_more_than_the_name(self, read, given):
        assert read("ra,dec\n1,2\n", "table.fits", format=given)["ra"].tolist() == [1]

    @pytest.mark.parametrize("ending", ["ecsv", "parquet", "fits", "vot"])
    @pytest.mark.parametrize("name", ["table", "table.csv", "table.unknown"])
    def test_a_name_that_says_nothing_is_no_obstacle(self, ending, name, tmp_path):
        write_catalogue(Table({"ra": [1.0]}), tmp_path / f"table.{ending}")
        (tmp_path / f"table.{ending}").rename(tmp_path / name)
        assert read_catalogue(tmp_path / name)["ra"].tolist() == [1]
        given = {"vot": "votable"}.get(ending, ending)
        assert read_catalogue(tmp_path / name, format=given)["ra"].tolist() == [1]

    def test_an_unknown_one(self, read):
        with pytest.raises(
            ValueError, match=r"there is no format 'excel'; pass format= \(ecsv, parquet, fits"
        ):
            read("ra,dec\n1,2\n", format="excel")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_ecsv_with_a_byte_order_mark(read, encoding, tmp_path):
    write_catalogue(Table({"ra": [1.5], "name": ["é"]}), tmp_path / "ours.ecsv")
    body = (tmp_path / "ours.ecsv").read_text(encoding="utf-8").replace("\n", "\r\n").encode(encoding)
    back = read(body, "table.ecsv")
    assert (back["ra"].tolist(), back["name"].tolist()) == ([1.5], ["é"])


@pytest.mark.parametrize(
    "sheet",
    ["\ufeffrow,galaxy,rating\r\n1,J1,4\r\n0,J0,\r\n", "\ufeffrow;galaxy;rating\r\n1;J1;4,0\r\n0;J0;\r\n"],
)
@pytest.mark.filterwarnings("ignore:.*decimal points:galzoo_repr.GalzooWarning")
def test_a_sheet_of_ratings_that_a_spreadsheet_saved(read, sheet, tmp_path):
    galaxies = Table({"embedding": np.eye(3, 2, dtype=np.float32)})
    values, added = record_answers(galaxies, [read(sheet, "next_to_rate.csv")], tmp_path / "ratings.ecsv")
    assert added == 1
    np.testing.assert_array_equal(values, [np.nan, 4, np.nan])


@pytest.mark.parametrize(
    ("cells", "meant"),
    [
        (("3853020153015140353", "nan"), [3853020153015140353, None]),
        (("3853020153015140353", "NaN", "18446744073709551615"), [3853020153015140353, None, 2**64 - 1]),
        (("3853020153015140353.0", "3853020153015140354.0"), [3853020153015140353, 3853020153015140354]),
        (("-3853020153015140353", "18446744073709551615"), ["-3853020153015140353", "18446744073709551615"]),
        (("3853020153015140353", "38.5"), ["3853020153015140353", "38.5"]),
        (("0x1F", "0x20"), ["0x1F", "0x20"]),
        (("007", "nan"), ["007", "nan"]),
        (("+5", "+6"), [5, 6]),
        (("1e300", "9007199254740992.0"), [1e300, 2.0**53]),
        (("nan", "5"), [np.nan, 5.0]),
    ],
)
@pytest.mark.parametrize("delimiter", [",", "\t", " "])
def test_digits_stay_whatever_stands_beside_them(read, cells, meant, delimiter):
    body = "\n".join([f"id{delimiter}ra", *(f"{cell}{delimiter}150.5" for cell in cells), ""])
    found = read(body, "ids.txt")["id"].tolist()
    assert np.array_equal(found, meant, equal_nan=True) if np.nan in meant else found == meant


def test_quotes_and_gaps_do_not_change_how_cells_are_read(read):
    plain = read("id,ra,note\n7,,a b\n8,2.5,\n")
    for body in ('"id","ra","note"\n"7","","a b"\n"8","2.5",""\n', 'id,ra,note\n7, , "a b"\n8,2.5\n'):
        other = read(body, "other.csv")
        assert other.colnames == plain.colnames
        for name in plain.colnames:
            assert other[name].dtype == plain[name].dtype
            assert other[name].tolist() == plain[name].tolist()


def test_the_end_of_a_file_of_an_old_program_is_no_row(read):
    assert read("id,ra\r\n1,2\r\n\x1a")["id"].tolist() == [1]


def test_a_quotation_mark_that_is_never_closed_swallows_no_rows(read):
    with pytest.raises(ValueError, match=r"the quotation mark before '5 arcmin.*' is never closed"):
        read('id,note\n1,"5 arcmin\n2,b\n3,c\n')
    assert read('id,note\n1,5" wide\n2,"a\nb"\n3,c\n')["note"].tolist() == ['5" wide', "a\nb", "c"]


@pytest.mark.parametrize(
    "body",
    [
        "ra dec name\n10.5 -3.5 A\n11.5 12.5 B\n",
        "name   ra   dec\nA     10.5  -3.5\nB     11.5  12.5\n",
        "# my catalogue\n# made by me\nra dec name\n10.5 -3.5 A\n11.5 12.5 B\n",
        "# ra dec name\n10.5 -3.5 A\n11.5 12.5 B\n",
        "name ra dec z\nA 10.5 -3.5 nan\nB 11.5 12.5 0.1\n",
        "name ra dec\nA 00:42:00 -03:30:00\nB 00:46:00 +12:30:00\n",
        "|name|ra|dec|\n|A|10.5|-3.5|\n|B|11.5|12.5|\n",
        "| name | ra | dec |\n| A | 10.5 | -3.5 |\n| B | 11.5 | 12.5 |\n",
    ],
)
@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_columns_between_blanks_or_bars_are_found_whatever_the_file_is_called(read, name, body):
    table = read(body, name)
    assert table["name"].tolist() == ["A", "B"]
    assert np.allclose(sky_positions(table).ra, [10.5, 11.5])
    assert np.allclose(sky_positions(table).dec, [-3.5, 12.5])


@pytest.mark.parametrize(
    "body", ["galaxy name\nNGC 628\nNGC 1300\n", "my galaxies\nM 51\n", "the name\nUGC 1 A\nUGC 2 B\n"]
)
def test_blanks_within_the_only_column_of_a_csv_are_no_delimiters(read, body):
    table = read(body)
    assert len(table.colnames) == 1
    assert len(table) == body.count("\n") - 1


@pytest.mark.parametrize("types", ["|double |double|", "| r     | d    |", "|float  |d     |"])
def test_the_types_of_ipac_may_be_abbreviated(read, types):
    table = read(f"|  ra   | dec  |\n{types}\n  150.5   2.5   \n", "a.tbl")
    assert (table.colnames, float(table["ra"][0]), float(table["dec"][0])) == (["ra", "dec"], 150.5, 2.5)
