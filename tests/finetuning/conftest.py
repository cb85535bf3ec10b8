"""Catalogues with embeddings of which some directions are features, labelled in part."""

from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from astropy.table import Table

import galzoo_repr as gzr

# Here, since astroquery takes over the showing of warnings when it is first imported, perhaps amid a test of them.
import galzoo_repr.finetuning

LABELLED = 60


@pytest.fixture(scope="session")
def sky():
    """Two hundred galaxies; the ring is the first direction of the embedding, with some noise."""
    generator = np.random.default_rng(5)
    embedding = generator.normal(size=(200, 6)).astype(np.float32)
    table = Table({"ra": 150 + 0.1 * np.arange(200), "dec": np.full(200, 2.0), "embedding": embedding})
    table.meta["GZRENC"], table.meta["GZRENCD"] = "tiny", "a" * 64
    return table


@pytest.fixture(scope="session")
def has_ring(sky):
    noise = np.random.default_rng(6).normal(size=200)
    return np.asarray(sky["embedding"])[:, 0] + 0.4 * noise > 0.3


@pytest.fixture
def galaxies(sky, has_ring):
    """The catalogue with a column ``ring``: 1, 0, or NaN for all but the first sixty."""
    table = sky.copy()
    table["ring"] = np.where(np.arange(200) < LABELLED, has_ring, np.nan)
    return table


@pytest.fixture(scope="session")
def model(sky, has_ring):
    table = sky.copy()
    table["ring"] = np.where(np.arange(200) < LABELLED, has_ring, np.nan)
    return gzr.finetune(table, "ring", members=5, progress=False)


@pytest.fixture(scope="session")
def fine_tuned(model):
    """The model with an encoder beside it, as if that had been fine-tuned."""
    torch.manual_seed(0)
    encoder = gzr.Encoder(
        timm.create_model("lcnet_035", num_classes=0), gzr.ImageRecipe(size=32), name="tiny"
    )
    return replace(model, encoder=encoder)
