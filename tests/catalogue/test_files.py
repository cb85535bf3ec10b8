import gzip
import os
import re
import stat

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.io.misc import parquet as astropy_parquet
from astropy.io.votable import parse
from astropy.table import Column, MaskedColumn, QTable, Table
from pyarrow import parquet

from galzoo_repr import GalzooWarning
from galzoo_repr.catalogue import _ecsv, read_catalogue, record_provenance, sky_positions, write_catalogue

ENDINGS = [".ecsv", ".parquet", ".fits", ".vot"]
OTHER_ENDINGS = [
    ".parq",
    ".pq",
    ".fit",
    ".fts",
    ".votable",
    ".xml",
    ".FITS",
    ".ecsv.gz",
    ".fits.gz",
    ".vot.gz",
]
every_format = pytest.mark.parametrize("ending", ENDINGS)


@pytest.fixture
def table():
    table = QTable(
        {
            "where": SkyCoord([10.0, 20.0], [1.0, 2.0], unit="deg"),
            "name": ["a", "b"],
            "embedding": Column(np.arange(8, dtype=np.float32).reshape(2, 4), description="Embedding"),
            "votes": MaskedColumn([1, 2], mask=[False, True]),
            "size": [1.0, 2.0] * u.arcsec,
        },
        meta={"OBJECT": "galaxies"},
    )
    record_provenance(table, "add_embeddings", {"encoder": "bundled", "recipe": {"size": 64}})
    return table


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("ending", [*ENDINGS, *OTHER_ENDINGS])
def test_the_ending_gives_the_format(table, ending, tmp_path):
    write_catalogue(table, tmp_path / f"a b{ending}")
    back = read_catalogue(str(tmp_path / f"a b{ending}"))
    assert back.meta == table.meta
    assert back["votes"].mask.tolist() == [False, True]
    assert left_in(tmp_path) == [f"a b{ending}"]
    if ending.endswith(".gz"):
        with gzip.open(tmp_path / f"a b{ending}") as file:
            assert file.read(1) in b"#S<"


@every_format
def test_an_existing_file_is_replaced_only_when_asked(table, ending, tmp_path):
    path = tmp_path / f"catalogue{ending}"
    write_catalogue(table, path)
    content = path.read_bytes()
    with pytest.raises(FileExistsError, match="exists; pass overwrite=True"):
        write_catalogue(table[:1], path)
    assert path.read_bytes() == content
    write_catalogue(table[:1], path, overwrite=True)
    assert len(read_catalogue(path)) == 1


@every_format
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(table, ending, tmp_path, monkeypatch):
    path = tmp_path / f"catalogue{ending}"
    write_catalogue(table, path)
    content = path.read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space left on device"):
        write_catalogue(table[:1], path, overwrite=True)
    assert path.read_bytes() == content
    assert left_in(tmp_path) == [path.name]


def test_an_interrupted_write_leaves_nothing(table, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_ecsv, "write_ecsv", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_catalogue(table, tmp_path / "catalogue.ecsv")
    assert left_in(tmp_path) == []


def test_a_link_is_written_through(table, tmp_path):
    (tmp_path / "data").mkdir()
    link = tmp_path / "catalogue.fits"
    link.symlink_to(tmp_path / "data" / "real.fits")
    write_catalogue(table, link)
    write_catalogue(table, link, overwrite=True)
    assert link.is_symlink()
    assert left_in(tmp_path / "data") == ["real.fits"]


def test_file_has_usual_permissions(table, tmp_path):
    write_catalogue(table, tmp_path / "catalogue.ecsv")
    (tmp_path / "plain").touch()
    assert stat.S_IMODE((tmp_path / "catalogue.ecsv").stat().st_mode) == stat.S_IMODE(
        (tmp_path / "plain").stat().st_mode
    )


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 0)() == 0, reason="root may write everywhere")
def test_a_read_only_folder(table, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        write_catalogue(table, tmp_path / "catalogue.fits")


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (
            "catalogue.csv",
            ValueError,
            "cannot tell the format of .*catalogue.csv; its name must end in .ecsv, .parquet.*ECSV is text that",
        ),
        ("catalogue", ValueError, "cannot tell the format"),
        ("catalogue.parquet.gz", ValueError, "Parquet compresses by itself"),
        (
            "nowhere/catalogue.fits",
            FileNotFoundError,
            "there is no folder .*nowhere to write catalogue.fits into",
        ),
    ],
)
def test_names_that_cannot_be_written(table, name, error, message, tmp_path):
    with pytest.raises(error, match=message):
        write_catalogue(table, tmp_path / name)
    assert left_in(tmp_path) == []


def test_only_catalogues_with_columns_are_written(tmp_path):
    with pytest.raises(ValueError, match="no columns, so there is nothing to write"):
        write_catalogue(Table(), tmp_path / "catalogue.fits")
    with pytest.raises(TypeError, match="got dict; a catalogue is"):
        write_catalogue({"ra": [1]}, tmp_path / "catalogue.fits")
    write_catalogue(SkyCoord([1, 2], [3, 4], unit="deg"), tmp_path / "positions.fits")
    assert sky_positions(read_catalogue(tmp_path / "positions.fits")).ra.tolist() == [1, 2]


@every_format
def test_files_that_are_not_catalogues(ending, tmp_path):
    path = tmp_path / f"catalogue{ending}"
    with pytest.raises(FileNotFoundError, match=r"there is no file .*catalogue"):
        read_catalogue(path)
    for content in (b"", b"not a catalogue", b"\x00" * 5000):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"cannot read {re.escape(str(path))} as "):
            read_catalogue(path)


@every_format
def test_a_file_that_broke_off(table, ending, tmp_path):
    if ending == ".ecsv":
        pytest.skip("text has no length to tell by")
    path = tmp_path / f"catalogue{ending}"
    write_catalogue(table, path)
    path.write_bytes(path.read_bytes()[:-3000] if ending == ".fits" else path.read_bytes()[:-300])
    with pytest.raises(ValueError, match=f"cannot read {re.escape(str(path))} as "):
        read_catalogue(path)


def test_other_formats_are_left_to_astropy(tmp_path):
    Table({"ra": [1.0], "dec": [2.0]}).write(tmp_path / "catalogue.csv")
    assert sky_positions(read_catalogue(tmp_path / "catalogue.csv")).dec.tolist() == [2.0]


class TestOthersReadOurFiles:
    """Plain astropy sees the columns, and as much of the rest as it has a place for."""

    def test_ecsv(self, table, tmp_path):
        write_catalogue(table, tmp_path / "catalogue.ecsv")
        back = QTable.read(tmp_path / "catalogue.ecsv")
        assert back.colnames == table.colnames
        assert back.meta == table.meta
        assert back["where"].ra.deg.tolist() == [10, 20]

    def test_fits(self, table, tmp_path):
        write_catalogue(table, tmp_path / "catalogue.fits")
        back = QTable.read(tmp_path / "catalogue.fits")
        assert back.colnames == table.colnames
        assert (back.meta["OBJECT"], back.meta["GZRENC"]) == ("galaxies", "bundled")
        assert back["where"].ra.deg.tolist() == [10, 20]
        assert back["votes"].mask.tolist() == [False, True]
        with fits.open(tmp_path / "catalogue.fits") as hdus:
            hdus.verify("exception")
            assert '"recipe": {"size": 64}' in hdus[1].header["GZRMETA"]

    def test_parquet(self, table, tmp_path, monkeypatch):
        write_catalogue(table, tmp_path / "catalogue.parquet")
        # astropy's reader asks for pandas; since version 8 it then does without.
        monkeypatch.setattr(astropy_parquet, "HAS_PANDAS", True, raising=False)
        try:
            back = QTable.read(tmp_path / "catalogue.parquet")
        except ModuleNotFoundError:
            pytest.skip("the Parquet reader of this version of astropy needs pandas")
        assert back.colnames == table.colnames
        assert back.meta == table.meta
        assert back["embedding"].tolist() == table["embedding"].tolist()
        assert back["votes"].mask.tolist() == [False, True]
        schema = parquet.read_schema(tmp_path / "catalogue.parquet")
        assert schema.field("embedding").type == pa.list_(pa.float32(), 4)
        assert schema.names == ["where.ra", "where.dec", "name", "embedding", "votes", "votes.mask", "size"]

    def test_votable(self, table, tmp_path):
        write_catalogue(table, tmp_path / "catalogue.vot")
        back = Table.read(tmp_path / "catalogue.vot", format="votable")
        assert back.colnames == ["where.ra", "where.dec", "name", "embedding", "votes", "size"]
        assert back["where.ra"].tolist() == [10, 20]
        assert back["embedding"].description == "Embedding"
        infos = {info.name: info.value for info in parse(tmp_path / "catalogue.vot").get_first_table().infos}
        assert infos["GZRENC"] == "bundled"


class TestWeReadTheFilesOfOthers:
    def test_parquet_of_astropy(self, table, tmp_path):
        table.write(tmp_path / "catalogue.parquet")
        back = read_catalogue(tmp_path / "catalogue.parquet")
        assert back.colnames == table.colnames
        assert back.meta == table.meta
        assert back["votes"].mask.tolist() == [False, True]

    def test_parquet_of_arrow(self, tmp_path):
        """Nulls, lists and categories as pandas and LSDB write them."""
        arrow = pa.table(
            {
                "ra": pa.array([1.0, None]),
                "n": pa.array([1, None]),
                "flag": pa.array([None, True]),
                "name": pa.array(["a", None]),
                "category": pa.array(["spiral", "ring"]).dictionary_encode(),
                "list": pa.array([[1, 2], [3, 4]], pa.list_(pa.int16())),
                "null_list": pa.array([None, [3, 4]], pa.list_(pa.int16())),
                "ragged": pa.array([[1.0], [2.0, 3.0]]),
                "texts": pa.array([["a", "b"], ["c", "dd"]]),
                "bytes": pa.array([b"a", b"bc"]),
                "when": pa.array([0, 10**9], pa.timestamp("ns")),
                "empty": pa.nulls(2),
            }
        )
        parquet.write_table(arrow, tmp_path / "catalogue.parquet")
        back = read_catalogue(tmp_path / "catalogue.parquet")
        np.testing.assert_array_equal(back["ra"], [1, np.nan])
        assert back["n"].dtype == np.int64
        assert back["n"].mask.tolist() == [False, True]
        assert (back["flag"].mask.tolist(), back["flag"].dtype) == ([True, False], bool)
        assert back["name"].mask.tolist() == [False, True]
        assert back["category"].tolist() == ["spiral", "ring"]
        assert back["list"].tolist() == [[1, 2], [3, 4]]
        assert back["null_list"].mask.tolist() == [[True, True], [False, False]]
        assert [row.tolist() for row in back["ragged"]] == [[1.0], [2.0, 3.0]]
        assert back["texts"].tolist() == [["a", "b"], ["c", "dd"]]
        assert back["bytes"].dtype == np.dtype("S2")
        assert back["when"].dtype.kind == "M"
        assert np.isnan(back["empty"]).all()

    def test_parquet_with_missing_embeddings(self, tmp_path):
        arrow = pa.table({"embedding": pa.array([[1, 2], None], pa.list_(pa.float32(), 2))})
        parquet.write_table(arrow, tmp_path / "catalogue.parquet")
        try:
            parquet.read_table(tmp_path / "catalogue.parquet")
        except pa.ArrowInvalid:
            pytest.skip("this version of Arrow cannot read missing lists of a fixed size")
        back = read_catalogue(tmp_path / "catalogue.parquet")
        assert back["embedding"].dtype == np.float32
        np.testing.assert_array_equal(back["embedding"], [[1, 2], [np.nan, np.nan]])

    def test_parquet_of_which_a_part_was_taken(self, table, tmp_path):
        write_catalogue(table, tmp_path / "catalogue.parquet")
        part = parquet.read_table(tmp_path / "catalogue.parquet").select(["where.ra", "name"])
        parquet.write_table(part, tmp_path / "part.parquet")
        with pytest.warns(GalzooWarning, match="stays in pieces: the file does not have all its parts"):
            back = read_catalogue(tmp_path / "part.parquet")
        assert back.colnames == ["where.ra", "name"]
        assert back["where.ra"].tolist() == [10, 20]
        assert back.meta == table.meta

    def test_parquet_with_a_structure(self, tmp_path):
        arrow = pa.table({"x": [1], "s": [{"a": 1}]})
        parquet.write_table(arrow, tmp_path / "catalogue.parquet")
        with pytest.warns(
            GalzooWarning, match="column 's' of .* is left out: a table has no column of struct"
        ):
            assert read_catalogue(tmp_path / "catalogue.parquet").colnames == ["x"]

    def test_fits(self, tmp_path):
        columns = [
            fits.Column("RA", "D", array=[1.0, np.nan], unit="deg"),
            fits.Column("NAME", "5A", array=["a", ""]),
            fits.Column("N", "J", array=[1, -99], null=-99),
            fits.Column("OK", "L", array=[True, False]),
            fits.Column("LATIN", "4A", array=np.array([b"\xe9t\xe9", b"x"])),
        ]
        hdu = fits.BinTableHDU.from_columns(columns)
        hdu.header["SURVEY"] = "DECaLS"
        hdu.writeto(tmp_path / "catalogue.fits")
        with pytest.warns(GalzooWarning, match=r"column 'LATIN', .* of Windows, cp1252 \(1, .*'été'\)"):
            back = read_catalogue(tmp_path / "catalogue.fits")
        assert not isinstance(back["RA"], MaskedColumn)
        assert np.isnan(back["RA"][1])
        assert back["RA"].unit == u.deg
        assert back["NAME"].tolist() == ["a", ""]
        assert back["N"].mask.tolist() == [False, True]
        assert back["OK"].dtype == bool
        assert back["LATIN"].tolist() == ["été", "x"]
        assert back.meta["SURVEY"] == "DECaLS"
        assert all(back[name].dtype.isnative for name in back.colnames)

    def test_votable(self, tmp_path):
        table = Table({"RA": [1.0, np.nan], "name": ["a", ""], "n": MaskedColumn([1, 2], mask=[False, True])})
        table["RA"].meta["ucd"] = "pos.eq.ra;meta.main"
        table.write(tmp_path / "catalogue.vot", format="votable")
        back = read_catalogue(tmp_path / "catalogue.vot")
        assert np.isnan(back["RA"][1])
        assert not isinstance(back["RA"], MaskedColumn)
        assert back["name"].tolist() == ["a", ""]
        assert back["n"].mask.tolist() == [False, True]
        assert back["RA"].meta["ucd"] == "pos.eq.ra;meta.main"

    def test_votable_with_arrays_of_several_lengths(self, tmp_path):
        lists = np.empty(2, dtype=object)
        lists[:] = [np.array([1.0]), np.array([2.0, 3.0])]
        Table({"lists": lists}).write(tmp_path / "catalogue.vot", format="votable")
        back = read_catalogue(tmp_path / "catalogue.vot")
        assert [np.asarray(row).tolist() for row in back["lists"]] == [[1.0], [2.0, 3.0]]

    def test_votable_of_several_tables(self, tmp_path):
        document = parse(self._two_tables(tmp_path))
        document.to_xml(str(tmp_path / "two.vot"))
        with pytest.raises(ValueError, match=r"holds 2 tables: .* Pass table="):
            read_catalogue(tmp_path / "two.vot")

    @staticmethod
    def _two_tables(folder):
        Table({"x": [1]}).write(folder / "one.vot", format="votable")
        text = (folder / "one.vot").read_text()
        start, end = text.index("<RESOURCE"), text.index("</RESOURCE>") + len("</RESOURCE>")
        (folder / "both.vot").write_text(text[:end] + text[start:])
        return folder / "both.vot"

    def test_ecsv(self, tmp_path):
        table = Table({"x": MaskedColumn([1.0, 2.0], mask=[False, True]), "name": ["", "b"]})
        table.write(tmp_path / "catalogue.ecsv")
        back = read_catalogue(tmp_path / "catalogue.ecsv")
        assert back["x"].mask.tolist() == [False, True]
        assert back["name"].tolist() == ["", "b"]


class Strange:
    """What no file format has a place for."""


class TestLossesAreSaid:
    @every_format
    def test_objects_in_a_column_and_in_meta(self, ending, tmp_path):
        table = Table(
            {"x": [1], "o": np.array([Strange()], dtype=object)}, meta={"strange": Strange(), "n": 1}
        )
        table["x"].meta = {"strange": Strange()}
        with pytest.warns(GalzooWarning) as caught:
            write_catalogue(table, tmp_path / f"catalogue{ending}")
        said = " ".join(str(warning.message) for warning in caught)
        assert "column 'o' of dtype object is left out" in said
        assert "meta key 'strange' of the table is left out" in said
        assert "meta key 'strange' of column 'x' is left out" in said
        back = read_catalogue(tmp_path / f"catalogue{ending}")
        assert (back.colnames, dict(back.meta)) == (["x"], {"n": 1})
        assert caught[0].filename == __file__
        assert "strange" in table.meta
        assert "strange" in table["x"].meta

    @pytest.mark.parametrize(
        ("ending", "columns", "meta", "message"),
        [
            (".fits", {"x": ["é"]}, {}, r"text of column 'x' is not all ASCII"),
            (".fits", {"x": ["a "]}, {}, "blanks at the end of text in column 'x' are lost"),
            (
                ".parquet",
                {"x": [1j]},
                {},
                "column 'x' of dtype complex128 is left out: Parquet cannot hold it",
            ),
            (".ecsv", {"x": [1j], "y": [1]}, {}, "column 'x' of dtype complex128 is left out: ECSV"),
            (".ecsv", {"x": [b"a"]}, {}, "the bytes of column 'x' come back as text"),
            (".ecsv", {"x": [1]}, {"k": {"a": ["b\nc"]}}, "line breaks in the meta or description of 'k'"),
            (
                ".vot",
                {"x": [["a", "b"]], "y": [1]},
                {},
                "column 'x' is left out: VOTable cannot hold several texts",
            ),
            (".vot", {"x": ["\U0001f30c"]}, {}, "characters beyond U.FFFF in column 'x'"),
        ],
    )
    def test_what_a_format_cannot_hold(self, ending, columns, meta, message, tmp_path):
        table = Table({**columns, "n": [1]}, meta=meta)
        with pytest.warns(GalzooWarning, match=f"catalogue{ending}: .*{message}"):
            write_catalogue(table, tmp_path / f"catalogue{ending}")
        assert read_catalogue(tmp_path / f"catalogue{ending}")["n"].tolist() == [1]

    @pytest.mark.filterwarnings("error::galzoo_repr.GalzooWarning")
    def test_whoever_makes_warnings_errors_gets_no_file(self, tmp_path):
        with pytest.raises(GalzooWarning, match="not all ASCII"):
            write_catalogue(Table({"x": ["é"]}), tmp_path / "catalogue.fits")
        assert left_in(tmp_path) == []

    def test_a_damaged_record_is_ignored_with_a_warning(self, table, tmp_path):
        path = tmp_path / "catalogue.fits"
        write_catalogue(table, path)
        fits.setval(path, "GZRMETA", value="{broken", ext=1)
        with pytest.warns(GalzooWarning, match="the record that galzoo_repr left in .* is damaged"):
            back = read_catalogue(path)
        assert back["embedding"].tolist() == table["embedding"].tolist()
        assert back.meta["OBJECT"] == "galaxies"


@pytest.mark.parametrize("table", [True, 1.0, ["first"]])
def test_a_table_is_chosen_by_name_or_number(tmp_path, table):
    Table({"x": [1]}).write(tmp_path / "catalogue.fits")
    with pytest.raises(TypeError, match="table must be the name of a table or its number from 0, not"):
        read_catalogue(tmp_path / "catalogue.fits", table=table)


def test_only_some_formats_hold_several_tables(tmp_path):
    write_catalogue(Table({"x": [1]}), tmp_path / "catalogue.ecsv")
    with pytest.raises(ValueError, match="only FITS and VOTable files hold several tables; leave table= out"):
        read_catalogue(tmp_path / "catalogue.ecsv", table=0)
