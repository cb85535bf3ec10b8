"""Images made on the spot: FITS cutouts as the Legacy Survey viewer writes them, and pictures."""

import io

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image


@pytest.fixture
def fluxes():
    """Three bands of a galaxy-like blob on a noisy sky, nanomaggies, float32."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:60, :60]
    radius = np.hypot(x - 31, (y - 27) / 0.6)
    bands = np.array([0.5, 1.0, 1.8])[:, None, None] * np.exp(-radius / 6)
    return (bands + rng.normal(0, 0.01, bands.shape)).astype(np.float32)


@pytest.fixture
def fits_bytes():
    """Make the content of a FITS file."""

    def make(planes, *, bands="grz", unit=None, **keywords):
        unit = unit or fits.PrimaryHDU(planes)
        if bands is not None:
            unit.header["BANDS"] = bands
        unit.header.update(keywords)
        units = fits.HDUList([unit] if isinstance(unit, fits.PrimaryHDU) else [fits.PrimaryHDU(), unit])
        buffer = io.BytesIO()
        units.writeto(buffer, output_verify="silentfix")
        return buffer.getvalue()

    return make


@pytest.fixture
def picture_bytes():
    """Make the content of a JPEG or PNG file from pixels of any Pillow mode."""

    def make(pixels, *, mode=None, kind="PNG", **options):
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        buffer = io.BytesIO()
        (image.convert(mode) if mode else image).save(buffer, kind, **options)
        return buffer.getvalue()

    return make
