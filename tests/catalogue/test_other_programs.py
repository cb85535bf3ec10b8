"""What the package writes, read by the programs that people read it with: values, nulls, units, descriptions."""

import importlib
import math
import shutil
import subprocess
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable
from astropy.time import Time
from astropy.utils.masked import Masked

from galzoo_repr import GalzooWarning
from galzoo_repr.catalogue import read_catalogue, write_catalogue

GAP = [False, True, False]
WHOLE = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]
STILTS = shutil.which("stilts")

needs_stilts = pytest.mark.skipif(STILTS is None, reason="STILTS (Debian: stilts) is not installed")


def program(name):
    """Give a reader that is installed, or skip."""
    return pytest.importorskip(name, reason=f"{name} is not installed")


def every_kind():
    """One column of each kind that the package writes, with its name in the file and its values elsewhere."""
    table = QTable()
    table["flag"] = [True, False, True]
    table["gap_flag"] = MaskedColumn([True, True, False], mask=GAP)
    for kind in WHOLE:
        limits = np.iinfo(kind)
        table[kind] = np.array([limits.min, 7, limits.max], kind)
        table[f"gap_{kind}"] = MaskedColumn(np.array([limits.max, 7, 5], kind), mask=GAP)
    table["f2"] = np.array([0.5, np.nan, -2], np.float16)
    table["f4"] = np.array([0.1, np.nan, -2], np.float32)
    table["f8"] = [0.1, np.nan, -2e300]
    table["gap_f8"] = MaskedColumn([0.1, 99.0, 3.5], mask=GAP)
    table["name"] = ["NGC 1", "b,c", "x"]
    table["blank"] = ["NGC 1", "", "x"]
    table["gap_name"] = MaskedColumn(["NGC 1", "hidden", "x"], mask=GAP)
    table["accents"] = ["Sérsic", "µ", "plain"]
    table["embedding"] = np.arange(12, dtype=np.float32).reshape(3, 4)
    table["votes"] = np.arange(6, dtype=np.int16).reshape(3, 2)
    table["where"] = SkyCoord([10.0, 20.0, 30.0], [-1.0, 0.0, 1.0], unit="deg")
    table["when"] = Time([59000.25, 59001.5, 59002.0], format="mjd", scale="tai")
    table["size"] = [1.5, 2.5, 3.5] * u.arcsec
    table["gap_size"] = Masked([1.5, 99, 3.5] * u.arcsec, mask=GAP)
    table["flux"] = Column(np.array([1, 2, 3], np.float32), unit="nmgy")
    for name in table.colnames:
        table[name].info.description = f"What {name} is"
    table["size"].info.meta = {"ucd": "phys.angSize"}
    return table


def expected(kind):
    """Give what any program should see of some column: None for what is missing."""
    limits = np.iinfo(kind.removeprefix("gap_")) if kind.removeprefix("gap_") in WHOLE else None
    if limits is not None:
        return [limits.max, None, 5] if kind.startswith("gap_") else [limits.min, 7, limits.max]
    return {
        "flag": [True, False, True],
        "gap_flag": [True, None, False],
        "f2": [0.5, None, -2],
        "f4": [float(np.float32(0.1)), None, -2],
        "f8": [0.1, None, -2e300],
        "gap_f8": [0.1, None, 3.5],
        "name": ["NGC 1", "b,c", "x"],
        "blank": ["NGC 1", None, "x"],
        "gap_name": ["NGC 1", None, "x"],
        "accents": ["Sérsic", "µ", "plain"],
        "embedding": [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]],
        "votes": [[0, 1], [2, 3], [4, 5]],
        "where.ra": [10, 20, 30],
        "where.dec": [-1, 0, 1],
        "size": [1.5, 2.5, 3.5],
        "gap_size": [1.5, None, 3.5],
        "flux": [1, 2, 3],
    }[kind]


KINDS = [
    *("flag", "gap_flag"),
    *(prefix + kind for kind in WHOLE for prefix in ("", "gap_")),
    *("f2", "f4", "f8", "gap_f8", "name", "blank", "gap_name", "accents"),
    *("embedding", "votes", "where.ra", "where.dec", "size", "gap_size", "flux"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    with pytest.warns(GalzooWarning, match="text of column 'accents' is not all ASCII"):
        write_catalogue(every_kind(), folder / "all.fits")
    write_catalogue(every_kind(), folder / "all.vot")
    write_catalogue(every_kind(), folder / "all.parquet")
    return folder


class Seen:
    """What STILTS sees of a file, by way of the plainest VOTable that it writes."""

    def __init__(self, path):
        kind = "fits" if path.suffix == ".fits" else "votable"
        command = [STILTS, "tpipe", f"in={path}", f"ifmt={kind}", "ofmt=votable-tabledata"]
        done = subprocess.run(command, capture_output=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr.decode()
        root = ET.fromstring(done.stdout)
        self.fields = {field.get("name"): field for field in root.findall(".//{*}FIELD")}
        rows = [["".join(cell.itertext()) for cell in row] for row in root.findall(".//{*}TR")]
        self.cells = dict(zip(self.fields, map(list, zip(*rows, strict=True)), strict=True))

    def values(self, name):
        field = self.fields[name]
        return [self._value(cell, field.get("datatype"), field.get("arraysize")) for cell in self.cells[name]]

    def _value(self, cell, kind, size):
        if kind in ("char", "unicodeChar"):
            return cell or None
        if size is not None:
            return [self._value(each, kind, None) for each in cell.split()]
        if kind == "boolean":
            return {"T": True, "F": False}.get(cell)
        value = (
            None
            if not cell
            else int(cell)
            if kind in ("short", "int", "long", "unsignedByte")
            else float(cell)
        )
        return None if value is not None and math.isnan(value) else value

    def description(self, name):
        found = self.fields[name].find("{*}DESCRIPTION")
        return None if found is None else " ".join(found.text.split())


@pytest.fixture(scope="module", params=["fits", "vot"])
def seen(request, files):
    if STILTS is None:
        pytest.skip("STILTS (Debian: stilts) is not installed")
    return Seen(files / f"all.{request.param}"), request.param


def in_single_precision(values):
    return [None if value is None else float(np.float32(value)) for value in values]


@needs_stilts
class TestStilts:
    @pytest.mark.parametrize("kind", KINDS)
    def test_values_and_nulls(self, seen, kind):
        table, ending = seen
        found, right = table.values(kind), expected(kind)
        if kind.endswith("u8") and isinstance(found[0], str):
            # Java has no such integers: STILTS has them as text.
            found = [None if cell is None else int(cell) for cell in found]
        if kind == "accents" and ending == "fits":
            right = ["Sersic", "?", "plain"]
        if kind == "f4":
            found = in_single_precision(found)
        assert found == right

    @pytest.mark.parametrize("kind", KINDS)
    def test_descriptions(self, seen, kind):
        table, _ = seen
        if kind.startswith("where."):
            assert "where" in table.description(kind)
        else:
            assert table.description(kind) == f"What {kind} is"

    def test_units_and_ucds(self, seen):
        table, _ = seen
        assert table.fields["size"].get("unit") == "arcsec"
        assert table.fields["gap_size"].get("unit") == "arcsec"
        assert table.fields["where.ra"].get("unit") == "deg"
        assert table.fields["size"].get("ucd") == "phys.angSize"

    def test_times(self, seen):
        table, ending = seen
        if ending == "fits":
            days = [sum(parts) for parts in table.values("when")]
        else:
            days = [
                sum(parts) for parts in zip(table.values("when.jd1"), table.values("when.jd2"), strict=True)
            ]
        assert days == [2459000.75, 2459002.0, 2459002.5]

    def test_a_file_that_stilts_wrote_from_ours(self, seen, files, tmp_path):
        _, ending = seen
        kind = {"fits": "fits-basic", "vot": "votable"}[ending]
        subprocess.run(
            [
                STILTS,
                "tpipe",
                f"in={files / f'all.{ending}'}",
                f"out={tmp_path / f'by.{ending}'}",
                f"ofmt={kind}",
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
        back = read_catalogue(tmp_path / f"by.{ending}")
        assert back["size"].info.description == "What size is"
        assert back["size"].info.meta["ucd"] == "phys.angSize"
        assert back["gap_i4"].tolist() == expected("gap_i4")
        assert back["gap_flag"].tolist() == expected("gap_flag")


class TestFitsio:
    """It knows no nulls; it must read the rest."""

    @pytest.fixture
    def read(self, files):
        return program("fitsio").read(str(files / "all.fits"), ext=1)

    @pytest.mark.parametrize("kind", KINDS)
    def test_values(self, read, kind):
        found = read[kind].tolist()
        right = ["Sersic", "?", "plain"] if kind == "accents" else expected(kind)
        for value, true in zip(found, right, strict=True):
            if true is not None:
                assert value == true
            elif isinstance(value, float):
                assert math.isnan(value)
            elif isinstance(value, str):
                assert value == ""

    def test_nulls_are_declared_as_the_file_stores_them(self, files):
        fitsio = program("fitsio")
        header = fitsio.read_header(str(files / "all.fits"), ext=1)
        names = {header[f"TTYPE{i}"]: i for i in range(1, header["TFIELDS"] + 1)}
        with fitsio.FITS(str(files / "all.fits")) as hdus:
            for kind in ("u2", "u4"):
                i = names[f"gap_{kind}"]
                null = header[f"TNULL{i}"] + header[f"TZERO{i}"]
                assert hdus[1].read()[f"gap_{kind}"][1] == null


class TestParquet:
    @pytest.fixture(params=["polars", "duckdb", "pandas", "pyarrow"])
    def read(self, request, files):
        path = str(files / "all.parquet")
        module = program(request.param)
        if request.param == "polars":
            return module.read_parquet(path).to_dict(as_series=False)
        if request.param == "duckdb":
            return module.connect().sql(f"SELECT * FROM '{path}'").to_arrow_table().to_pydict()
        if request.param == "pandas":
            frame = module.read_parquet(path, dtype_backend="numpy_nullable")
            return {
                name: [None if np.ndim(x) == 0 and module.isna(x) else x for x in frame[name].tolist()]
                for name in frame
            }
        return importlib.import_module("pyarrow.parquet").read_table(path).to_pydict()

    @pytest.mark.parametrize("kind", KINDS)
    def test_values_and_nulls(self, read, kind):
        found, right = read[kind], expected(kind)
        if kind == "blank":
            right = ["NGC 1", "", "x"]
        found = [
            value.tolist()
            if isinstance(value, np.ndarray)
            else None
            if isinstance(value, float) and math.isnan(value)
            else value
            for value in found
        ]
        assert found == right
