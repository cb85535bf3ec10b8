import numpy as np
import pytest
from astropy.table import Table


@pytest.fixture
def galaxies():
    """A catalogue of 400 galaxies; those with a large first element are interesting."""
    generator = np.random.default_rng(7)
    embedding = generator.normal(size=(400, 12)).astype(np.float32)
    embedding[:, 6:] *= 0.2
    return Table({"id": np.arange(400) + 1000, "embedding": embedding})


@pytest.fixture
def truth(galaxies):
    return np.round(5 * np.clip(np.asarray(galaxies["embedding"])[:, 0] - 0.8, 0, 1))


@pytest.fixture
def rated(galaxies, truth):
    """The catalogue with its first 80 rows rated."""
    galaxies["interest"] = np.where(np.arange(400) < 80, truth, np.nan)
    return galaxies
