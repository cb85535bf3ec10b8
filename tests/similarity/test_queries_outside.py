"""Queries that are not in the catalogue: positions that are fetched, files and arrays that are read."""

import io
import threading
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import Table
from PIL import Image

from galzoo_repr import Encoder, GalzooWarning, ImageRecipe, add_embeddings, add_similarity, find_similar
from galzoo_repr.cutouts import Attempt, LegacySurvey, Outcome, validate_body


class SurveyInProcess(LegacySurvey):
    """Answers by itself: a galaxy everywhere below declination 80, whose shape depends on its position."""

    def __init__(self):
        super().__init__(server="http://service.invalid/viewer", rate=1e6)
        self.asked, self.lock = [], threading.Lock()

    def attempt(self, request, *_, **__):
        with self.lock:
            self.asked.append(request)
        if request.dec > 80:
            return Attempt(Outcome("no_coverage", "outside", http_code=500, final=True))
        rng = np.random.default_rng(int(request.ra * 1e4))
        y, x = np.mgrid[: request.size, : request.size] - request.size / 2
        radius = np.hypot(x, y * rng.uniform(1, 3)) / rng.uniform(2, 8)
        planes = rng.uniform(0.2, 3, 3)[:, None, None] * np.exp(-radius)
        unit = fits.PrimaryHDU(planes.astype(np.float32))
        step = request.pixel_scale / 3600
        unit.header.update(
            BANDS=request.bands, CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRVAL1=request.ra, CRVAL2=request.dec,
            CRPIX1=(request.size + 1) / 2, CRPIX2=(request.size + 1) / 2, CD1_1=-step, CD2_2=step,
        )  # fmt: skip
        buffer = io.BytesIO()
        unit.writeto(buffer)
        return Attempt(validate_body(request, buffer.getvalue()), buffer.getvalue())


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    network = timm.create_model("lcnet_035", num_classes=0).train()
    with torch.no_grad():
        network(torch.rand(16, 3, 64, 64))
    return network.eval()


@pytest.fixture
def encoder(network):
    return Encoder(network, ImageRecipe(size=64, crop=0.7), name="tiny")


@pytest.fixture
def survey():
    return SurveyInProcess()


@pytest.fixture
def catalogue(encoder, survey):
    table = Table({"ra": [10.0, 20.0, 30.0], "dec": [1.0, 2.0, 3.0], "petro_th50": [2.6, 3.0, 4.0]})
    return add_embeddings(table, encoder=encoder, survey=survey, progress=False)


def test_a_position_outside_is_fetched_and_embedded(catalogue, encoder, survey):
    asked = len(survey.asked)
    there = SkyCoord(40, 4, unit="deg")
    with pytest.warns(GalzooWarning, match=r"no galaxy at 40 4, .* field of 51 arcsec, the median"):
        result = add_similarity(catalogue, there, encoder=encoder, survey=survey)
    assert len(survey.asked) == asked + 1
    fov = np.median(encoder.recipe.fields_of_view(catalogue))
    new = Table({"ra": [40.0], "dec": [4.0]})
    new = add_embeddings(new, encoder=encoder, survey=survey, fov=fov, progress=False)
    expected = add_similarity(catalogue, np.asarray(new["embedding"][0]))
    np.testing.assert_allclose(result["similarity"], expected["similarity"], atol=1e-6)
    assert (result["similarity_rank"] > 0).all()


def test_positions_inside_and_outside_keep_their_weights(catalogue, encoder, survey):
    positions = SkyCoord([40, 20], [4, 2], unit="deg")
    options = {"encoder": encoder, "survey": survey, "fov": 40 * u.arcsec}
    result = add_similarity(catalogue, positions, weights=[0, 1], combine="mean", **options)
    np.testing.assert_allclose(result["similarity"], add_similarity(catalogue, 1)["similarity"])
    assert result["similarity_rank"][1] == 0


def test_the_encoder_is_found_by_the_provenance(catalogue, encoder, survey, tmp_path):
    encoder.save(tmp_path / "tiny")
    catalogue["embedding"].info.meta["encoder"] = str(tmp_path / "tiny")
    result = add_similarity(catalogue, SkyCoord(40, 4, unit="deg"), survey=survey, fov="50 arcsec")
    assert result["similarity_rank"].max() == 3


def test_a_galaxy_that_cannot_be_fetched(catalogue, encoder, survey):
    with pytest.raises(ValueError, match=r"40 85 \(no_coverage\) could not be fetched and embedded: "):
        add_similarity(
            catalogue, SkyCoord(40, 85, unit="deg"), encoder=encoder, survey=survey, fov="50 arcsec"
        )


def test_another_encoder_is_refused(catalogue, network, survey):
    other = Encoder(network, ImageRecipe(size=64, crop=0.5), name="other")
    with pytest.raises(ValueError, match=r"encoder 'other'"):
        add_similarity(catalogue, SkyCoord(40, 4, unit="deg"), encoder=other, survey=survey)


def test_a_catalogue_that_does_not_name_its_encoder(catalogue):
    bare = Table({name: np.asarray(catalogue[name]) for name in ("ra", "dec", "embedding")})
    with pytest.raises(
        ValueError, match=r"no galaxy within 5\.0 arcsec of .*, and .* does not say which encoder"
    ):
        find_similar(bare, SkyCoord(40, 4, unit="deg"))


@pytest.fixture
def picture():
    coarse = np.random.default_rng(5).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    return coarse.repeat(12, axis=0).repeat(12, axis=1)


def test_files_bytes_and_arrays_agree(catalogue, encoder, picture, tmp_path):
    path = tmp_path / "galaxy.png"
    Image.fromarray(picture).save(path)
    expected = add_similarity(catalogue, picture, encoder=encoder)["similarity"]
    rgba = Image.fromarray(picture).convert("RGBA")
    for query in (path, str(path), [path], path.read_bytes(), Image.fromarray(picture), rgba):
        result = add_similarity(catalogue, query, encoder=encoder)
        np.testing.assert_allclose(result["similarity"], expected, atol=1e-6)
    both = add_similarity(catalogue, [path, path], encoder=encoder, combine="best")
    np.testing.assert_allclose(both["similarity"], expected, atol=1e-6)


def test_the_cutout_of_a_galaxy_is_like_itself(catalogue, encoder):
    result = add_similarity(catalogue, str(catalogue["cutout"][1]), encoder=encoder)
    np.testing.assert_allclose(result["similarity"][1], 1, atol=1e-5)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("nowhere.png", r"'nowhere\.png' is neither a column .*, nor a file"),
        ("", "the query '' is empty; give a position"),
        ("  ", "the query '  ' is empty; give a position"),
        ("400 2", "'400 2' is no sky position .*right ascension 400 deg is outside -360 to 360"),
        ("150 95", "'150 95' is no sky position .*declination 95 deg is outside -90 to 90"),
        ("10h00m00s +95d00m00s", "is no sky position .*declination 95 deg is outside"),
        (Path("nowhere.png"), r"'nowhere\.png' is no file of a picture"),
        (b"not an image", "given as bytes cannot be used: corrupt"),
        (
            np.ones((8, 8, 5)),
            "the query image given as ndarray cannot be used: corrupt, shape .* has no axis of 3 colours",
        ),
        (np.full((8, 8, 3), 0.5), "given as ndarray cannot be used: partial, every pixel"),
        (np.full((8, 8, 3), 200.0), "divide by 255"),
    ],
)
def test_what_is_no_picture_or_position(query, message, catalogue, encoder):
    with pytest.raises(ValueError, match=message):
        find_similar(catalogue, query, encoder=encoder)
