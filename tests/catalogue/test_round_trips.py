"""Every cell, mask, unit, description and meta key comes back from each format, or a warning says so."""

import warnings

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.time import Time
from astropy.utils.masked import Masked
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from galzoo_repr import GalzooWarning
from galzoo_repr.catalogue import provenance, read_catalogue, write_catalogue

FORMATS = [".ecsv", ".parquet", ".fits", ".vot"]
every_format = pytest.mark.parametrize("ending", FORMATS)


def round_trip(table, folder, ending):
    path = folder / f"catalogue{ending}"
    write_catalogue(table, path, overwrite=True)
    return read_catalogue(path)


def assert_same_column(back, column):
    assert back.info.name == column.info.name
    assert back.shape == column.shape
    assert back.info.unit == column.info.unit
    assert back.info.description == column.info.description
    assert back.info.format == column.info.format
    assert dict(back.info.meta or {}) == dict(column.info.meta or {})
    if isinstance(column, SkyCoord):
        assert back.frame.name == column.frame.name
        for angle, original in zip(
            (back.data.lon, back.data.lat), (column.data.lon, column.data.lat), strict=True
        ):
            np.testing.assert_array_equal(np.asarray(angle), np.asarray(original))
        return
    assert back.dtype.newbyteorder("=").str[:2] == column.dtype.newbyteorder("=").str[:2]
    assert back.dtype.isnative
    assert back.dtype.kind == "U" or back.dtype.itemsize == column.dtype.itemsize
    mask = getattr(column, "mask", np.zeros(column.shape, bool))
    assert isinstance(back, u.Quantity) == isinstance(column, u.Quantity)
    assert hasattr(back, "mask") == hasattr(column, "mask")
    np.testing.assert_array_equal(getattr(back, "mask", np.zeros(back.shape, bool)), mask)
    values = [getattr(c, "unmasked", c) for c in (back, column)]
    np.testing.assert_array_equal(*(np.asarray(np.ma.getdata(v))[~mask] for v in values))


@every_format
class TestFullResult:
    def test_every_cell_comes_back(self, result, ending, tmp_path):
        back = round_trip(result, tmp_path, ending)
        assert type(back) is type(result)
        assert back.colnames == result.colnames
        for name in result.colnames:
            assert_same_column(back[name], result[name])

    def test_every_meta_key_comes_back(self, result, ending, tmp_path):
        back = round_trip(result, tmp_path, ending)
        assert sorted(map(str, back.meta)) == sorted(map(str, result.meta))
        for key, value in result.meta.items():
            assert back.meta[key] == value, key
            assert type(back.meta[key]) is type(value), key
        assert provenance(back, "add_embeddings") == provenance(result, "add_embeddings")

    def test_writing_leaves_the_table_alone(self, result, ending, tmp_path):
        before = repr(result), [repr(result[n].info) for n in result.colnames], repr(result.meta)
        masked = result["masked_text"].data.data.copy()
        method = dict(result["masked_text"].info.serialize_method)
        fill = result["masked_int"].fill_value
        round_trip(result, tmp_path, ending)
        assert (repr(result), [repr(result[n].info) for n in result.colnames], repr(result.meta)) == before
        assert result["masked_text"].data.data.tolist() == masked.tolist()
        assert result["masked_text"].info.serialize_method == method
        assert result["masked_int"].fill_value == fill

    def test_a_second_round_trip_changes_nothing(self, result, ending, tmp_path):
        once = round_trip(result, tmp_path, ending)
        twice = round_trip(once, tmp_path, ending)
        assert twice.meta == once.meta
        for name in once.colnames:
            assert_same_column(twice[name], once[name])

    @pytest.mark.parametrize("rows", [0, 1])
    def test_few_rows(self, result, ending, rows, tmp_path):
        few = result[:rows]
        back = round_trip(few, tmp_path, ending)
        assert len(back) == rows
        assert back.colnames == few.colnames
        assert back["embedding"].shape == (rows, 64)
        assert back["cube"].shape == (rows, 2, 3)
        assert back.meta == few.meta


@every_format
def test_embeddings_are_read_as_torch_takes_them(ending, tmp_path):
    table = Table({"embedding": np.arange(8, dtype=np.float32).reshape(2, 4)})
    array = np.asarray(round_trip(table, tmp_path, ending)["embedding"])
    assert array.dtype.str == np.dtype(np.float32).str
    assert array.flags.c_contiguous
    assert array.flags.writeable


@pytest.mark.parametrize("ending", [".ecsv", ".parquet", ".vot"])
def test_masked_coordinates_come_back(ending, tmp_path):
    table = QTable({"where": SkyCoord(Masked([1.0, 2.0] * u.deg, mask=[False, True]), [3, 4] * u.deg)})
    back = round_trip(table, tmp_path, ending)
    assert back["where"].ra.mask.tolist() == [False, True]
    assert back["where"].ra[0] == 1 * u.deg


def test_masked_coordinates_become_nan_in_fits(tmp_path):
    table = QTable({"where": SkyCoord(Masked([1.0, 2.0] * u.deg, mask=[False, True]), [3, 4] * u.deg)})
    with pytest.warns(GalzooWarning, match=r"catalogue.fits: the masked cells of 'where' become NaN"):
        back = round_trip(table, tmp_path, ".fits")
    assert np.isnan(back["where"].ra[1])


@every_format
def test_times_and_distances(ending, tmp_path):
    table = QTable(
        {
            "observed": Time([59000.25, 59001.5], format="mjd"),
            "where": SkyCoord(
                [1, 2] * u.deg, [3, 4] * u.deg, distance=[5, 6] * u.Mpc, frame="fk5", equinox="J1975"
            ),
        },
        meta={"n": 1},
    )
    back = round_trip(table, tmp_path, ending)
    assert np.all(np.abs((back["observed"] - table["observed"]).to_value("us")) < 1)
    assert np.all(back["where"].separation_3d(table["where"]) < 1 * u.AU)
    assert back["where"].equinox == table["where"].equinox
    assert back.meta == {"n": 1}


@every_format
def test_missing_times(ending, tmp_path):
    times = Time([59000.25, 59001.5], format="mjd")
    times[1] = np.ma.masked
    back = round_trip(QTable({"observed": times, "n": [1, 2]}), tmp_path, ending)
    assert back["observed"].mask.tolist() == [False, True]
    assert abs((back["observed"][0] - times[0]).to_value("us")) < 1


@every_format
@pytest.mark.parametrize(
    "unit", ["deg", "hourangle", "arcsec2", "1e-17 erg / (s cm2 Angstrom)", "mag(AB)", "nmgy", "my_unit"]
)
def test_units(unit, ending, tmp_path):
    table = Table({"x": Column([1.0], unit=u.Unit(unit, parse_strict="silent"))})
    assert round_trip(table, tmp_path, ending)["x"].unit == table["x"].unit


@every_format
def test_text_with_gaps_in_objects_becomes_masked_text(ending, tmp_path):
    table = Table({"name": np.array(["a", None, "", "ü"], dtype=object)})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*not all ASCII", GalzooWarning)
        back = round_trip(table, tmp_path, ending)
    assert back["name"].dtype.kind == "U"
    assert back["name"].mask.tolist() == [False, True, False, False]
    assert back["name"][[0, 2, 3]].tolist() == ["a", "", "ü"]


@every_format
@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "?"])
@pytest.mark.parametrize("masked", [False, True])
def test_types_with_their_extremes(dtype, masked, ending, tmp_path):
    dtype = np.dtype(dtype)
    if masked and dtype == np.float16:
        pytest.skip("astropy has no masked columns of half precision")
    limits = {"b": lambda _: None, "f": np.finfo}.get(dtype.kind, np.iinfo)(dtype)
    values = np.array([0, 1, 0, 1] if limits is None else [limits.min, limits.max, 0, 1], dtype)
    column = MaskedColumn(values, mask=[False, False, True, True]) if masked else Column(values)
    table = Table({"x": column, "y": np.arange(4)})
    assert_same_column(round_trip(table, tmp_path, ending)["x"], table["x"])


def test_names_that_fits_does_not_have_come_back(tmp_path):
    columns = {
        "назва": ["а", "b"],
        "naïve": [1.0, 2.0],
        "Naive": [3, 4],
        "x" * 90: MaskedColumn(["a", ""], mask=[False, True]),
        "α δ": SkyCoord([1, 2], [3, 4], unit="deg", frame="galactic"),
        " µm ": [1.0, 2.0] * u.um,
        "2mass's": [5, 6],
    }
    table = QTable(columns)
    table["naïve"].info.description = "Not wise"
    with pytest.warns(GalzooWarning) as caught:
        write_catalogue(table, tmp_path / "catalogue.fits")
    said = " ".join(str(each.message) for each in caught)
    assert "column 'naïve' is called 'naive_2' in the file" in said
    assert "2mass" not in said
    assert Table.read(tmp_path / "catalogue.fits").colnames[:4] == [
        "column",
        "column.utf8",
        "naive_2",
        "Naive",
    ]
    back = read_catalogue(tmp_path / "catalogue.fits")
    assert back.colnames == table.colnames
    assert back["naïve"].info.description == "Not wise"
    assert back["α δ"].frame.name == "galactic"
    assert back[" µm "].unit == u.um
    assert back["x" * 90].mask.tolist() == [False, True]


def test_an_integer_column_that_uses_every_value_keeps_its_mask_in_fits(tmp_path):
    table = Table({"x": MaskedColumn(np.arange(256, dtype=np.uint8), mask=np.arange(256) == 17)})
    assert_same_column(round_trip(table, tmp_path, ".fits")["x"], table["x"])


TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=12)
SETTINGS = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@every_format
@SETTINGS
@given(cells=st.lists(TEXT, min_size=1, max_size=4), gap=st.booleans())
def test_any_text_comes_back_or_is_warned_about(cells, gap, ending, tmp_path):
    mask = np.zeros(len(cells), bool)
    mask[0] = gap
    table = Table({"text": MaskedColumn(cells, mask=mask) if gap else cells, "n": np.arange(len(cells))})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", GalzooWarning)
        back = round_trip(table, tmp_path, ending)
    np.testing.assert_array_equal(np.ma.getmaskarray(back["text"]), mask)
    shown = np.array(cells)[~mask].tolist()
    # Text beyond ASCII is kept as bytes in FITS, with its blanks.
    if ending == ".fits" and "".join(shown).isascii() and any(c.rstrip(" \t\n\r\v\f") != c for c in shown):
        assert any("blanks at the end of text" in str(w.message) for w in caught)
        cells = [c.rstrip(" \t\n\r\v\f") for c in cells]
        assert [c.rstrip(" \t\n\r\v\f") for c in np.array(back["text"])[~mask].tolist()] == np.array(cells)[
            ~mask
        ].tolist()
    elif ending == ".vot" and any(ord(c) > 0xFFFF for cell in np.array(cells)[~mask] for c in cell):
        assert any("become U+FFFD" in str(w.message) for w in caught)
    else:
        assert back["text"][~mask].tolist() == table["text"][~mask].tolist()


PLAIN = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | TEXT
NESTED = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=8
)


@pytest.mark.parametrize("ending", [".parquet", ".fits", ".vot"])
@SETTINGS
@given(meta=st.dictionaries(st.text("ABCabc012_- é", min_size=1, max_size=10), NESTED, max_size=4))
def test_any_meta_comes_back(meta, ending, tmp_path):
    table = Table({"x": [1]}, meta=meta)
    table["x"].meta = {"copy": meta}
    back = round_trip(table, tmp_path, ending)
    assert dict(back.meta) == meta
    assert back["x"].meta == {"copy": meta}
