"""Small catalogues as tables and as HATS folders."""

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from PIL import Image


@pytest.fixture(scope="session")
def galaxies():
    """A catalogue of 400 rows with embeddings, gaps, ratings and labels."""
    random = np.random.default_rng(7)
    n = 400
    embedding = random.normal(size=(n, 8)).astype("float32")
    embedding[:3] = np.nan
    table = Table(
        {
            "id": np.arange(n),
            "ra": random.uniform(10, 100, n),
            "dec": random.uniform(-30, 30, n),
            "embedding": embedding,
            "redshift": MaskedColumn(random.random(n), mask=random.random(n) < 0.4, description="from lines"),
        }
    )
    first = np.nan_to_num(embedding[:, 0])
    table["interest"] = np.where(
        (np.arange(n) > 5) & (np.arange(n) < 60), np.clip(2 + 2 * first, 0, 5), np.nan
    )
    table["ring"] = np.where((np.arange(n) > 5) & (np.arange(n) < 90), first > 0, np.nan)
    table["chosen"] = np.isin(np.arange(n), [20, 30, 40])
    table["embedding"].info.meta = {"encoders": ["abc"]}
    return table


@pytest.fixture(scope="session")
def folder(galaxies, tmp_path_factory):
    """The catalogue as HATS, in several partitions."""
    from galzoo_repr.hats import to_hats

    return to_hats(galaxies, tmp_path_factory.mktemp("hats") / "survey", max_rows=200)


@pytest.fixture(scope="session")
def pictured(tmp_path_factory):
    """HATS catalogue of 60 galaxies with pictures, of which one is not there."""
    from galzoo_repr.hats import to_hats

    random = np.random.default_rng(3)
    place = tmp_path_factory.mktemp("pictured")
    files = [place / f"{i}.png" for i in range(60)]
    for file in files[1:]:
        Image.fromarray(random.integers(0, 255, (48, 48, 3), dtype="uint8")).save(file)
    table = Table(
        {
            "ra": random.uniform(10, 100, 60),
            "dec": random.uniform(-30, 30, 60),
            "file": [str(file) for file in files],
        }
    )
    return to_hats(table, place / "survey", max_rows=20)
