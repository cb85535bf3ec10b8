"""Catalogues go to HATS and come back as they were."""

import warnings
from importlib.util import find_spec

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.time import Time

from galzoo_repr.catalogue import provenance, record_provenance, write_catalogue
from galzoo_repr.hats import from_hats, to_hats

if find_spec("lsdb") is None:
    pytest.skip("the extra [hats] is not installed", allow_module_level=True)

N = 200


def imported(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def places(seed=1):
    random = np.random.default_rng(seed)
    return SkyCoord(random.uniform(0, 360, N), np.degrees(np.arcsin(random.uniform(-1, 1, N))), unit="deg")


def rich(frame):
    random = np.random.default_rng(2)
    table = QTable(
        {
            "number": np.arange(N),
            "where": places().transform_to(frame),
            "name": [f"galaxy {i}" for i in range(N)],
            "magnitude": MaskedColumn(
                random.normal(size=N).astype("f4"),
                mask=random.random(N) < 0.3,
                unit="mag",
                description="of light",
            ),
            "flag": MaskedColumn(random.random(N) < 0.5, mask=np.arange(N) == 7),
            "long": MaskedColumn(np.arange(N) + 2**60, mask=random.random(N) < 0.1),
            "radius": random.random(N) * u.arcsec,
            "when": Time(50000 + np.arange(N), format="mjd"),
            "embedding": Column(random.normal(size=(N, 4)).astype("f4"), meta={"encoders": ["abc"]}),
        }
    )
    record_provenance(table, "add_embeddings", {"encoder": "small", "summary": {"ok": N}})
    return table


@pytest.mark.parametrize("frame", ["icrs", "galactic"])
@pytest.mark.parametrize("max_rows", [25, 1000])
def test_nothing_is_lost(frame, max_rows, tmp_path):
    table = rich(frame)
    back = from_hats(to_hats(table, tmp_path / "hats", max_rows=max_rows))
    assert type(back) is QTable
    assert back.colnames == table.colnames
    back = back[np.argsort(back["number"])]
    assert back["where"].frame.name == frame
    assert np.all(back["where"].separation(table["where"]) < 1e-9 * u.arcsec)
    assert np.all(back["when"] == table["when"])
    for name in ("number", "name", "magnitude", "flag", "long", "radius", "embedding"):
        was, now = table[name], back[name]
        assert type(now) is type(was)
        assert now.dtype == was.dtype
        assert now.unit == was.unit
        assert now.info.description == was.info.description
        assert (now.info.meta or {}) == (was.info.meta or {})
        mask = np.array(getattr(was, "mask", np.zeros(N, dtype=bool)))
        assert np.array_equal(getattr(now, "mask", np.zeros(N, dtype=bool)), mask)
        assert np.array_equal(np.asarray(now)[~mask], np.asarray(was)[~mask])
    assert back.meta == table.meta


def test_a_file_may_be_given_and_a_part_of_the_columns_read(tmp_path):
    write_catalogue(rich("icrs"), tmp_path / "galaxies.parquet")
    folder = to_hats(tmp_path / "galaxies.parquet", tmp_path / "hats", max_rows=50)
    part = from_hats(folder, columns=["magnitude", "where"])
    assert part.colnames == ["magnitude", "where"]
    assert part["magnitude"].mask.any()


@pytest.mark.parametrize("radius", [0.5 * u.deg, 40 * u.deg])
def test_a_region_is_read(radius, tmp_path):
    folder = to_hats(rich("galactic"), tmp_path / "hats", max_rows=20)
    found = from_hats(folder, region=(places()[5], radius))
    assert set(found["number"]) == set(np.flatnonzero(places().separation(places()[5]) <= radius))
    assert 5 in found["number"]


def test_an_empty_region_gives_the_columns(tmp_path):
    folder = to_hats(rich("icrs")[:20], tmp_path / "hats", max_rows=20)
    far = SkyCoord(0, 90 if places()[:20].dec.deg.max() < 89 else -90, unit="deg")
    assert len(from_hats(folder, region=(far, 1 * u.arcsec))) == 0


def test_lsdb_reads_it(tmp_path):
    lsdb, dask = imported("lsdb"), imported("dask")
    table = rich("icrs")
    folder = to_hats(table, tmp_path / "hats", max_rows=50)
    # What it warns of concerns its own use of pandas.
    with dask.config.set(scheduler="synchronous"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = lsdb.open_catalog(str(folder)).compute(progress_bar=False)
    assert len(frame) == N
    assert frame["magnitude"].isna().sum() == table["magnitude"].mask.sum()


def test_positions_that_are_none_are_refused(tmp_path):
    table = Table({"ra": [10.0, np.nan], "dec": [1.0, 2.0]})
    with pytest.raises(ValueError, match="1 rows have no valid position"):
        to_hats(table, tmp_path / "hats")
    assert not list(tmp_path.iterdir())


def test_what_exists_is_kept(tmp_path):
    table = Table({"ra": [10.0], "dec": [1.0]})
    folder = to_hats(table, tmp_path / "hats")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        to_hats(table, folder)
    assert len(from_hats(to_hats(table, folder, overwrite=True))) == 1


def test_going_to_and_fro_twice_changes_nothing(tmp_path):
    once = from_hats(to_hats(rich("icrs"), tmp_path / "a", max_rows=30))
    twice = from_hats(to_hats(once, tmp_path / "b", max_rows=60))
    assert once.meta == twice.meta
    assert provenance(twice, "add_embeddings")["summary"] == {"ok": N}
    assert np.array_equal(once["number"], twice["number"])


def broken(folder, how):
    if how == "half-written":
        (folder / "hats.properties").unlink()
    elif how == "of version 2.0":
        with (folder / "hats.properties").open("a") as file:
            file.write("hats_version=2.0\n")
    elif how == "lacks 1 of":
        next(folder.rglob("Npix=*.parquet")).unlink()
    elif how == "cannot be read":
        next(folder.rglob("Npix=*.parquet")).write_bytes(b"PAR1")
    elif how == "is damaged":
        (folder / "partition_info.csv").write_text("nothing\n")
    else:
        (folder / "partition_info.csv").unlink()


@pytest.mark.parametrize(
    "how",
    ["half-written", "of version 2.0", "lacks 1 of", "cannot be read", "is damaged", "no partition_info.csv"],
)
def test_a_broken_folder_is_named(how, tmp_path):
    folder = to_hats(rich("icrs"), tmp_path / "hats", max_rows=50)
    broken(folder, how)
    with pytest.raises((ValueError, FileNotFoundError), match=how):
        from_hats(folder)


def test_only_a_catalogue_is_replaced(galaxies, tmp_path):
    thesis = tmp_path / "home" / "thesis.tex"
    thesis.parent.mkdir()
    thesis.write_text("a year of work")
    for place in (thesis.parent, thesis):
        with pytest.raises(FileExistsError, match="is no HATS catalogue, so it is not replaced"):
            to_hats(galaxies, place, overwrite=True)
    assert thesis.read_text() == "a year of work"
    (tmp_path / "empty").mkdir()
    to_hats(galaxies, tmp_path / "empty", overwrite=True)
    to_hats(galaxies[:5], tmp_path / "empty", overwrite=True)
    assert len(from_hats(tmp_path / "empty")) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "home"]


@pytest.mark.parametrize("radius", ["-1 deg", "180 deg"])
def test_a_region_is_a_circle(radius, folder):
    with pytest.raises(ValueError, match="region must be one circle of less than 180 degrees"):
        from_hats(folder, region=("50 0", radius))


def test_a_region_may_be_a_point(folder, galaxies):
    place = SkyCoord(galaxies["ra"][9], galaxies["dec"][9], unit="deg")
    assert from_hats(folder, region=(place, "0 deg"))["id"].tolist() == [9]
