import shutil

import numpy as np
import pytest
from astropy import units as u

from galzoo_repr.catalogue import read_catalogue, sky_positions, write_catalogue

pytestmark = pytest.mark.real_data


def test_fifty_thousand_galaxies_of_decals(real_data, tmp_path):
    galaxies = read_catalogue(real_data / "decals_50k_positions.parquet")
    positions = sky_positions(galaxies)
    assert len(positions) == 50_000
    assert positions.valid.all()
    assert galaxies["id_str"].dtype.kind == "U"
    write_catalogue(galaxies, tmp_path / "galaxies.fits")
    back = read_catalogue(tmp_path / "galaxies.fits")
    assert back["id_str"].tolist() == galaxies["id_str"].tolist()
    assert np.all(sky_positions(back).skycoord.separation(positions.skycoord) == 0 * u.deg)


def test_tagged_rings_of_decals(real_data, tmp_path):
    shutil.copy(real_data / "decals_rings.csv", tmp_path / "rings.csv")
    rings = read_catalogue(tmp_path / "rings.csv")
    assert len(rings) == 235
    assert sky_positions(rings).valid.all()
