"""Large tables are written some rows at a time, and the file does not show it."""

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.time import Time
from pyarrow import parquet

from galzoo_repr.catalogue import read_catalogue, write_catalogue


def table_of_many_kinds(n: int) -> Table:
    rng = np.random.default_rng(0)
    gaps = rng.random(n) < 0.3
    table = Table(
        {"id": np.arange(n, dtype=np.uint64) + 2**60}, meta={"note": "a note", "deep": {"a": [1, 2]}}
    )
    table["vector"] = Column(rng.normal(size=(n, 40)).astype(np.float32), description="numbers", unit="Jy")
    table["name"] = [f"galaxy {i} \N{GREEK SMALL LETTER ALPHA}" for i in range(n)]
    table["count"] = MaskedColumn(np.arange(n, dtype=np.int16), mask=gaps)
    table["flux"] = MaskedColumn(rng.normal(size=n), mask=gaps, unit="nJy")
    table["seen"] = MaskedColumn(rng.random(n) < 0.5, mask=gaps)
    table["text"] = MaskedColumn([f"t{i}" for i in range(n)], mask=gaps)
    table["z"] = rng.normal(size=n) + 1j
    table["place"] = SkyCoord(rng.uniform(0, 360, n), rng.uniform(-90, 90, n), unit="deg")
    table["when"] = Time(2450000.5 + np.arange(n), format="jd")
    table["size"] = np.arange(n) * u.arcsec
    return table


@pytest.mark.filterwarnings("ignore:.*not all ASCII")
@pytest.mark.parametrize("kind", [Table, QTable])
@pytest.mark.parametrize("n", [1, 23, 24, 100])
def test_fits_in_parts_is_the_same_file(tmp_path, monkeypatch, kind, n):
    table = kind(table_of_many_kinds(n))
    whole, parts = tmp_path / "whole.fits", tmp_path / "parts.fits"
    write_catalogue(table, whole)
    monkeypatch.setattr("galzoo_repr.catalogue._fits_parts._BYTES_AT_ONCE", 8000)
    write_catalogue(table, parts)
    assert parts.read_bytes() == whole.read_bytes()


def test_groups_of_parquet_are_small(tmp_path, monkeypatch):
    monkeypatch.setattr("galzoo_repr.catalogue._parquet._BYTES_PER_GROUP", 8000)
    table = table_of_many_kinds(100)["id", "vector", "text"]
    path = tmp_path / "table.parquet"
    write_catalogue(table, path)
    assert parquet.ParquetFile(path).num_row_groups > 1
    assert np.array_equal(read_catalogue(path)["vector"], table["vector"])
