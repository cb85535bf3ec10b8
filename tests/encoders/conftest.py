"""A tiny untrained encoder, and a survey that answers within the process."""

import copy
import io
import threading
from functools import cache

import numpy as np
import pytest
import timm
import torch
from astropy.io import fits
from astropy.table import Table

from galzoo_repr import Encoder, ImageRecipe, LegacySurvey
from galzoo_repr.cutouts import Attempt, Outcome, validate_body

ARCHITECTURE = "lcnet_035"


@pytest.fixture(scope="session")
def make_network():
    """Make a network with random weights whose normalisation has seen a few images, so that features vary."""

    @cache
    def made(seed, **kwargs):
        torch.manual_seed(seed)
        network = timm.create_model(ARCHITECTURE, num_classes=0, **kwargs).train()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = None  # the plain average of what it sees
        with torch.no_grad():
            for _ in range(2):
                coarse = torch.rand(16, kwargs.get("in_chans", 3), 8, 8)
                network(torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bilinear"))
        return network.eval()

    return lambda seed=0, **kwargs: copy.deepcopy(made(seed, **kwargs))


@pytest.fixture
def encoder(make_network):
    """Encoder of 64 px images."""
    return Encoder(make_network(), ImageRecipe(size=64, crop=0.7), name="tiny")


@pytest.fixture
def pictures():
    """Eight different pictures, (8, 3, 64, 64) in 0 to 1."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(8, 3, 8, 8, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=(64, 64), mode="bilinear")


class SurveyInProcess(LegacySurvey):
    """Stands for a service: FITS cutouts that depend on the position, and its refusals."""

    def __init__(self):
        super().__init__(server="http://service.invalid/viewer", layer="ls-dr10", rate=1e6, workers=2)
        self.asked = []
        self.no_coverage_above = 80.0
        self.missing_at = {}
        self.lock = threading.Lock()

    def body(self, request):
        rng = np.random.default_rng(int(request.ra * 1e4))
        y, x = np.mgrid[: request.size, : request.size] - request.size / 2
        radius = np.hypot(x, y * rng.uniform(1, 3)) / rng.uniform(2, 8)
        planes = rng.uniform(0.2, 3, 3)[:, None, None] * np.exp(-radius) + rng.normal(0, 0.01, (3, *x.shape))
        missing = self.missing_at.get(round(request.ra, 3), 0)
        planes[0, : int(missing * request.size)] = 0
        unit = fits.PrimaryHDU(planes.astype(np.float32))
        step = request.pixel_scale / 3600
        unit.header.update(
            BANDS=request.bands, CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRVAL1=request.ra, CRVAL2=request.dec,
            CRPIX1=(request.size + 1) / 2, CRPIX2=(request.size + 1) / 2, CD1_1=-step, CD2_2=step,
        )  # fmt: skip
        buffer = io.BytesIO()
        unit.writeto(buffer)
        return buffer.getvalue()

    def attempt(self, request, **_options):
        with self.lock:
            self.asked.append(request)
        if request.dec > self.no_coverage_above:
            return Attempt(Outcome("no_coverage", "outside", http_code=500, final=True))
        body = self.body(request)
        return Attempt(validate_body(request, body), body)


@pytest.fixture
def survey():
    return SurveyInProcess()


@pytest.fixture
def galaxies():
    """Catalogue of six galaxies, the last one a repetition of the first."""
    table = Table({"ra": [10.0, 20.0, 30.0, 40.0, 50.0, 10.0], "dec": [1.0, 2.0, 3.0, 4.0, 5.0, 1.0]})
    table["petro_th50"] = [2.6, 3.0, 4.0, 2.0, 2.6, 2.6]
    table["name"] = ["a", "b", "c", "d", "e", "a again"]
    return table
