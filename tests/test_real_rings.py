"""The main job on real galaxies: positions in, embeddings back, and rings beside rings."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "real_rings.py"


@pytest.mark.real_data
def test_real_rings_are_embedded_by_position_and_found_among_each_other(real_data, tmp_path):
    spec = importlib.util.spec_from_file_location("real_rings", BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    galaxies = benchmark.embedded_galaxies(real_data, tmp_path, "bundled")
    assert len(galaxies) == 235
    assert set(galaxies["cutout_status"]) == {"ok"}
    assert np.isfinite(galaxies["embedding"]).all()
    rings = np.flatnonzero(galaxies["label"] == "ring")
    precision, _ = benchmark.precision_at_10(galaxies, rings)
    by_chance = (len(rings) - 1) / (len(galaxies) - 1)
    error = precision.std(ddof=1) / np.sqrt(len(precision))
    assert precision.mean() > by_chance + 2 * error
