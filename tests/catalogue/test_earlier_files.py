"""Files that the package wrote before its formats took their present form."""

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable
from astropy.time import Time

from galzoo_repr.catalogue import read_catalogue

IN_PARQUET = ["id", "votes", "note", "flux", "coords"]  # Parquet needs many bytes for each column
FILES = Path(__file__).parent / "earlier_files"


def galaxies():
    """The table as it was written."""
    gap = [False, True, False]
    return QTable(
        {
            "id": np.array([1, 2**63, 2**64 - 1], dtype=np.uint64),
            "votes": MaskedColumn(np.array([1, -32768, 3], dtype=np.int16), mask=gap),
            "ring": MaskedColumn([True, False, False], mask=gap),
            "name": ["NGC 1", "Sérsic α", ""],
            "note": MaskedColumn(["a", "b", ""], mask=gap),
            "mag": MaskedColumn([18.5, 0.0, np.nan], mask=gap),
            "embedding": np.arange(12, dtype=np.float32).reshape(3, 4) / 7,
            "flux": [1.0, 2.0, 3.0] * u.nJy,
            "coords": SkyCoord([1, 2, 3] * u.deg, [4, 5, 6] * u.deg),
            "seen": Time(["2020-01-01", "2021-01-01", "2022-01-01T01:02:03.4"]),
        },
        meta={"origin": {"survey": "DECaLS", "size": (424, 424)}, "N": 3, "note": "l'été"},
    )


@pytest.mark.parametrize("ending", ["ecsv", "fits.gz", "parquet", "vot.gz"])
def test_they_read_as_what_was_written(ending):
    found = read_catalogue(FILES / f"galaxies.{ending}")
    meant = galaxies()[IN_PARQUET] if ending == "parquet" else galaxies()
    assert type(found) is type(meant)
    assert found.colnames == meant.colnames
    assert dict(found.meta) == dict(meant.meta)
    for name in meant.colnames:
        assert type(found[name]) is type(meant[name])
        mask = np.ma.getmaskarray(meant[name]) if name not in ("coords", "seen") else None
        if mask is not None:
            assert np.ma.getmaskarray(found[name]).tolist() == mask.tolist()
            there = [np.asarray(each.data)[~mask] for each in (found[name], meant[name])]
            np.testing.assert_array_equal(*there)
            assert found[name].unit == meant[name].unit
            assert found[name].dtype.kind == meant[name].dtype.kind
    assert found["coords"].separation(meant["coords"]).max() < 1e-9 * u.arcsec
    if "seen" in meant.colnames:
        assert abs(found["seen"] - meant["seen"]).max() < 1 * u.ns
