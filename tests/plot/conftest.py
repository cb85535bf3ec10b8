"""Catalogues to draw, and figures that are closed behind every test."""

import matplotlib as mpl
import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable
from PIL import Image

mpl.use("agg")


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture
def galaxies(tmp_path):
    """Twelve galaxies with everything that can be drawn; the last has no picture, place or score."""
    n = 12
    rng = np.random.default_rng(3)
    paths = []
    for row in range(n):
        paths.append(str(tmp_path / f"{row}.png"))
        Image.new("RGB", (60, 60), (20 * row, 90, 200)).save(paths[-1])
    paths[-1] = ""
    places = rng.normal(size=(n, 2))
    places[-1] = np.nan
    score = np.append(np.linspace(4, 1, n - 1), np.nan)
    table = QTable(
        {
            "name": [f"galaxy {row}" for row in range(n)],
            "cutout": paths,
            "cutout_status": ["ok"] * (n - 1) + ["timeout"],
            "ra": np.mod(np.linspace(-1, 1, n), 360) * u.deg,
            "dec": np.linspace(2, 3, n) * u.deg,
            "r50": np.linspace(1, 9, n) * u.arcsec,
            "kind": ["disk", "ring", "disk"] * 4,
            "merger": np.arange(n) % 2 == 0,
            "map_x": places[:, 0],
            "map_y": places[:, 1],
            "anomaly_score": score,
            "anomaly_score_std": np.full(n, 0.3),
            "embedding": rng.normal(size=(n, 6)),
        }
    )
    table["interest"] = MaskedColumn(np.arange(n, dtype=float), mask=np.arange(n) > 2)
    return table
