"""Parquet files larger than memory become the same catalogue as those that fit in it."""

import shutil
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table
from pyarrow import parquet

from galzoo_repr.catalogue import record_provenance, write_catalogue
from galzoo_repr.hats import HatsFolder, _passes, from_hats, to_hats

if find_spec("hats") is None:
    pytest.skip("the extra [hats] is not installed", allow_module_level=True)

N = 3000


@pytest.fixture
def small_memory(monkeypatch):
    """Everything is larger than memory."""
    monkeypatch.setattr(_passes, "_AT_A_TIME", 20_000)


def galaxies(seed=1):
    random = np.random.default_rng(seed)
    table = QTable(
        {
            "id": np.arange(N),
            "ra": random.uniform(0, 360, N),
            "dec": np.degrees(np.arcsin(random.uniform(-1, 1, N))),
            "z": MaskedColumn(random.random(N), mask=random.random(N) < 0.3, description="from lines"),
            "size": random.random(N) * u.arcsec,
            "name": [f"galaxy {i}" for i in range(N)],
            "embedding": random.normal(size=(N, 4)).astype("float32"),
        }
    )
    record_provenance(table, "add_embeddings", {"encoder": "small", "summary": {"ok": N}})
    return table


def alike(one, other):
    assert one.colnames == other.colnames
    assert one.meta == other.meta
    for name in one.colnames:
        assert one[name].info.unit == other[name].info.unit
        assert np.array_equal(np.ma.getmaskarray(one[name]), np.ma.getmaskarray(other[name]))
        assert np.all(one[name] == other[name])


@pytest.mark.parametrize("max_rows", [100, 100_000])
@pytest.mark.parametrize("group", [250, 100_000])
def test_passes_and_memory_give_the_same(max_rows, group, tmp_path, small_memory):
    whole = galaxies()
    write_catalogue(whole, tmp_path / "one.parquet")
    arrow = parquet.read_table(tmp_path / "one.parquet")
    parquet.write_table(arrow, tmp_path / "rows.parquet", row_group_size=group)
    ours = to_hats(tmp_path / "rows.parquet", tmp_path / "passes", max_rows=max_rows)
    theirs = to_hats(whole, tmp_path / "memory", max_rows=max_rows)
    assert HatsFolder.open(ours).pixels == HatsFolder.open(theirs).pixels
    alike(from_hats(ours), from_hats(theirs))
    assert not list(ours.rglob("*.arrows"))


@pytest.mark.parametrize("form", ["skycoord", "galactic", "text", "named"])
def test_positions_in_any_form(form, tmp_path, small_memory):
    whole = galaxies()
    where = SkyCoord(whole["ra"], whole["dec"], unit="deg")
    table, coords = Table({"id": whole["id"]}), None
    if form == "text":
        table["ra"], table["dec"] = where.to_string("hmsdms", precision=5), ""
        table["ra"], table["dec"] = zip(*(text.split() for text in table["ra"]), strict=True)
    elif form == "named":
        table["a"], table["b"], coords = whole["ra"], whole["dec"], ("a", "b")
    else:
        table["where"] = where if form == "skycoord" else where.galactic
    write_catalogue(table, tmp_path / "one.parquet")
    back = from_hats(to_hats(tmp_path / "one.parquet", tmp_path / "hats", coords=coords, max_rows=500))
    assert back.colnames == table.colnames
    assert np.array_equal(np.sort(back["id"]), table["id"])


def test_a_folder_of_files_is_one_catalogue(tmp_path):
    whole = galaxies()
    (tmp_path / "in").mkdir()
    write_catalogue(whole[:1000], tmp_path / "in" / "a.parquet")
    write_catalogue(whole[1000:], tmp_path / "in" / "b.parquet")
    alike(from_hats(to_hats(tmp_path / "in", tmp_path / "x")), from_hats(to_hats(whole, tmp_path / "y")))
    shutil.copy(tmp_path / "in" / "b.parquet", tmp_path / "in" / "c.parquet")
    parquet.write_table(pa.table({"ra": [1.0], "dec": [2.0]}), tmp_path / "in" / "b.parquet")
    with pytest.raises(ValueError, match=r"b\.parquet and .*a\.parquet do not have the same columns"):
        to_hats(tmp_path / "in", tmp_path / "z")


def test_a_folder_without_files_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no Parquet files in the folder"):
        to_hats(tmp_path, tmp_path / "hats")


@pytest.mark.parametrize("bad", [np.nan, 95.0])
def test_positions_that_are_none_are_counted_over_all(bad, tmp_path, small_memory):
    table = galaxies()
    table["dec"][[2500, 2700]] = bad
    write_catalogue(table, tmp_path / "one.parquet")
    with pytest.raises(ValueError, match=r"2 rows have no valid position \(row 2500: dec: "):
        to_hats(tmp_path / "one.parquet", tmp_path / "hats")
    assert not list(tmp_path.glob(".*"))


def test_a_part_of_the_sky_is_not_taken_for_hours(tmp_path, small_memory):
    table = galaxies()
    table.sort("ra")
    write_catalogue(table, tmp_path / "one.parquet")
    to_hats(tmp_path / "one.parquet", tmp_path / "hats")


def test_hours_are_still_told(tmp_path, small_memory):
    table = galaxies()
    table["ra"] /= 15
    write_catalogue(table, tmp_path / "one.parquet")
    with pytest.warns(match="looks like hours"):
        to_hats(tmp_path / "one.parquet", tmp_path / "hats")


def test_no_room_is_said_before_work(tmp_path, small_memory, monkeypatch):
    write_catalogue(galaxies(), tmp_path / "one.parquet")
    monkeypatch.setattr(_passes.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 1000))
    with pytest.raises(OSError, match=r"0\.0 GB of room"):
        to_hats(tmp_path / "one.parquet", tmp_path / "hats")
    assert not (tmp_path / "hats").exists()
