"""Catalogues that are embedded with stretches and bands of the user's own."""

import numpy as np
import pytest
import timm
import torch
from astropy.io import fits
from astropy.table import Table

import galzoo_repr as gzr
from galzoo_repr.cutouts import HipsSurvey
from galzoo_repr.encoders import EmbeddingStore
from galzoo_repr.encoders._stream import EmbeddingStream
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.images import picture_of

BANDS = ("u", "g", "r", "i", "z", "y", "NIR_J", "NIR_H")
# Ufuncs of numpy 2.1 do not say where they are from.
CBRT = "numpy.cbrt" if hasattr(np.cbrt, "__module__") else "cbrt"
MATRIX = np.array([[0, 0, 0, 0, 0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5, 0, 0, 0, 0], [0.5, 0.5, 0, 0, 0, 0, 0, 0]])


@pytest.fixture
def catalogue(tmp_path):
    """Four galaxies as FITS cutouts of eight bands, of which the last lacks one."""
    rng = np.random.default_rng(4)
    y, x = np.mgrid[:60, :60] - 30
    paths = []
    for row in range(4):
        shape = np.exp(-np.hypot(x, y * rng.uniform(1, 3)) / rng.uniform(3, 9))
        planes = rng.uniform(1, 9, (8, 1, 1)) * shape + rng.normal(0, 0.05, (8, 60, 60))
        names = BANDS if row < 3 else [name for name in BANDS if name != "y"]
        unit = fits.PrimaryHDU(planes[: len(names)].astype(np.float32))
        unit.header["BANDS"] = ", ".join(names)
        unit.writeto(tmp_path / f"{row}.fits")
        paths.append(str(tmp_path / f"{row}.fits"))
    return Table({"id": range(4), "file": paths})


@pytest.fixture
def make_encoder(make_network):
    return lambda **recipe: gzr.Encoder(make_network(), gzr.ImageRecipe(size=48, **recipe), name="own")


def embed(catalogue, encoder, **options):
    with pytest.warns(GalzooWarning, match=r"band_missing 1.*the file holds bands .*, without y"):
        return gzr.add_embeddings(catalogue, encoder=encoder, images="file", progress=False, **options)


@pytest.mark.parametrize("stretch", ["asinh", "log", "zscale", "none", np.cbrt])
def test_cutouts_of_many_bands_are_embedded(catalogue, make_encoder, stretch):
    encoder = make_encoder(stretch=stretch, bands=BANDS, channels=MATRIX)
    embedded = embed(catalogue, encoder, embedding_store=False)
    assert embedded["cutout_status"].tolist() == ["ok"] * 3 + ["band_missing"]
    assert np.isfinite(embedded["embedding"][:3]).all()
    assert np.isnan(embedded["embedding"][3]).all()
    assert len(np.unique(embedded["embedding"][:3].round(3), axis=0)) == 3
    assert embedded["embedding"].meta["recipe_digest"] == encoder.recipe.digest
    recipe = embedded.meta["galzoo_repr"]["add_embeddings"]["recipe"]
    assert recipe["bands"] == list(BANDS)
    assert recipe["stretch"] == (f"function {CBRT}" if callable(stretch) else stretch)


def test_an_encoder_of_named_bands_comes_back_from_its_folder(catalogue, make_encoder, tmp_path):
    encoder = make_encoder(stretch="asinh", bands=BANDS, channels=MATRIX)
    encoder.save(tmp_path / "saved")
    again = gzr.Encoder.load(tmp_path / "saved")
    assert (again.digest, again.recipe) == (encoder.digest, encoder.recipe)
    store = EmbeddingStore(tmp_path / "store")
    first = embed(catalogue, encoder, embedding_store=store)
    second = embed(catalogue, again, embedding_store=store)
    np.testing.assert_array_equal(first["embedding"], second["embedding"])


def test_an_encoder_of_as_many_channels_as_bands(catalogue):
    torch.manual_seed(1)
    network = timm.create_model("lcnet_035", num_classes=0, in_chans=8)
    encoder = gzr.Encoder(
        network, gzr.ImageRecipe(size=48, stretch="zscale", bands=BANDS, channels=8), name="wide"
    )
    assert np.isfinite(embed(catalogue, encoder, embedding_store=False)["embedding"][:3]).all()


def test_functions_never_share_what_is_kept(catalogue, make_encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "galzoo_repr.encoders._add.EmbeddingStore", lambda *_: EmbeddingStore(tmp_path / "store")
    )
    exponents = [0.3, 0.6]
    functions = [lambda bands, e=e: np.clip(bands, 0, None) ** e for e in exponents]
    encoders = [make_encoder(stretch=f, bands=BANDS, channels=MATRIX) for f in functions]
    first, second = (embed(catalogue, encoder)["embedding"][:3] for encoder in encoders)
    assert encoders[0].digest != encoders[1].digest
    assert not np.allclose(first, second)
    assert not (tmp_path / "store").exists()
    with pytest.raises(ValueError, match=r"a function.*not kept: leave embedding_store out"):
        gzr.add_embeddings(catalogue, encoder=encoders[0], images="file", embedding_store=tmp_path / "mine")


def test_a_function_cannot_be_saved_and_it_is_said_why(make_encoder, tmp_path):
    encoder = make_encoder(stretch=np.cbrt, bands=BANDS, channels=MATRIX)
    with pytest.raises(ValueError, match=rf"the function {CBRT}, which no file can hold.*stretch='none'"):
        encoder.save(tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_rows_of_which_a_function_makes_no_numbers_are_told(catalogue, make_encoder):
    def of_one(bands):
        return np.where(bands.max() > limit, np.nan, bands)

    peaks = [fits.getdata(path).max() for path in catalogue["file"][:3]]
    limit = sorted(peaks)[1]
    encoder = make_encoder(stretch=of_one, bands=BANDS, channels=MATRIX)
    with pytest.warns(GalzooWarning, match=r"corrupt 1"):
        embedded = gzr.add_embeddings(catalogue[:3], encoder=encoder, images="file", progress=False)
    wrong = int(np.argmax(peaks))
    assert embedded["cutout_status"][wrong] == "corrupt"
    assert np.isnan(embedded["embedding"][wrong]).all()
    assert np.isfinite(np.delete(embedded["embedding"], wrong, axis=0)).all()


def test_colour_pictures_are_no_bands(catalogue, make_encoder):
    pictures = np.random.default_rng(0).random((4, 60, 60, 3))
    encoder = make_encoder(stretch="asinh")
    with pytest.warns(
        GalzooWarning, match=r"band_missing 4.*fluxes are wanted, but this is a colour picture"
    ):
        gzr.add_embeddings(catalogue, encoder=encoder, images=pictures, progress=False, embedding_store=False)


def test_surveys_are_not_asked_for_bands_with_longer_names(make_encoder):
    galaxies = Table({"ra": [150.0], "dec": [2.0]})
    encoder = make_encoder(stretch="asinh", bands=BANDS, channels=MATRIX, fov_rule="fixed", fov=30)
    for survey in (
        HipsSurvey(server="http://service.invalid", layer="CDS/P/Euclid"),
        gzr.LegacySurvey(server="http://service.invalid", image_format="jpeg"),
    ):
        with pytest.raises(ValueError, match=r"bands of one letter, but the recipe takes u, g, .*by images="):
            gzr.add_embeddings(galaxies, encoder=encoder, survey=survey, progress=False)


def test_a_survey_is_asked_for_the_bands_of_the_recipe(make_encoder, survey, galaxies, tmp_path):
    encoder = make_encoder(stretch="asinh", bands="riz", max_pixels=60)
    embedded = gzr.add_embeddings(
        galaxies,
        encoder=encoder,
        survey=survey,
        store=tmp_path / "cutouts",
        embedding_store=tmp_path / "embeddings",
        keep="jpeg",
        progress=False,
    )
    assert np.isfinite(embedded["embedding"]).all()
    assert {request.bands for request in survey.asked} == {"riz"}
    assert all(path.endswith(".jpg") for path in embedded["cutout"])


@pytest.mark.parametrize("name", ["bundled", "bundled-int8"])
@pytest.mark.parametrize("channels", [1, [[1, 0, 0], [0, 0, 1]]])
def test_a_recipe_of_other_channels_than_the_network_takes_is_refused_at_once(name, channels):
    recipe = gzr.ImageRecipe(size=112, stretch="asinh", channels=channels)
    with pytest.raises(
        ValueError, match=rf"of {name} takes images of 3 channels, .* makes {recipe.channels}"
    ):
        gzr.Encoder.load(name, recipe=recipe)


def raising_above(limit):
    def stretch(bands):
        if bands.max() > limit:
            raise KeyError("no such flux")
        return bands

    return stretch


@pytest.mark.parametrize("on_gpu", [False, True])
@pytest.mark.parametrize("planes", [None, 5])
def test_a_function_that_fails_for_one_picture_ends_nothing(
    catalogue, make_encoder, planes, on_gpu, monkeypatch
):
    def of_other_planes(bands):
        return bands[:, :planes] if bands.max() > limit else bands

    peaks = [fits.getdata(path).max() for path in catalogue["file"][:3]]
    limit, wrong = sorted(peaks)[1], int(np.argmax(peaks))
    encoder = make_encoder(
        stretch=of_other_planes if planes else raising_above(limit), bands=BANDS, channels=MATRIX
    )
    monkeypatch.setattr(EmbeddingStream, "_pools", pools_of(on_gpu))
    said = "takes 8 planes, but there are 5" if planes else "KeyError: 'no such flux'"
    with pytest.warns(GalzooWarning, match=f"1 of 3 rows have no embedding .corrupt 1.*{said}$"):
        embedded = gzr.add_embeddings(catalogue[:3], encoder=encoder, images="file", progress=False)
    assert [status == "corrupt" for status in embedded["cutout_status"]] == [row == wrong for row in range(3)]
    assert np.isnan(embedded["embedding"][wrong]).all()
    assert np.isfinite(np.delete(embedded["embedding"], wrong, axis=0)).all()


@pytest.mark.parametrize("on_gpu", [False, True])
def test_a_function_that_always_fails_is_said_to(catalogue, make_encoder, on_gpu, monkeypatch):
    encoder = make_encoder(stretch=raising_above(-1), bands=BANDS, channels=MATRIX)
    monkeypatch.setattr(EmbeddingStream, "_pools", pools_of(on_gpu))
    with pytest.warns(
        GalzooWarning, match="3 of 3 rows have no embedding .*KeyError.* .with every picture.$"
    ):
        embedded = gzr.add_embeddings(catalogue[:3], encoder=encoder, images="file", progress=False)
    assert set(embedded["cutout_status"]) == {"corrupt"}


def pools_of(on_gpu):
    """Threads of the stream, on a processor or as they are for a GPU."""
    pools = EmbeddingStream._pools

    def made(self, bar):
        self._on_gpu, self._many = on_gpu, self._many and not on_gpu
        return pools(self, bar)

    return made


@pytest.mark.parametrize("stretch", ["asinh", "log", "zscale"])
@pytest.mark.parametrize(("gap", "status"), [(5, "ok"), (20, "partial")])
def test_pixels_without_data_leave_the_others_as_they_are(catalogue, make_encoder, stretch, gap, status):
    """On a sky that is not near zero, as in other units, zeros in the gap would be the darkest pixels of all."""
    planes = fits.getdata(catalogue["file"][0]) + 1000
    planes[:, :gap] = np.nan
    fits.PrimaryHDU(planes, fits.Header({"BANDS": ", ".join(BANDS)})).writeto(
        catalogue["file"][1], overwrite=True
    )
    recipe = gzr.ImageRecipe(size=60, stretch=stretch, bands=BANDS, channels=8)
    found = picture_of(catalogue["file"][1]).read(recipe.bands, fluxes=True)
    assert found.status == status
    if status == "ok":
        made = recipe.prepare([found])[0, :, ::-1]
        assert (made[:, : gap - 1] == 0).all()
        whole = recipe.from_bands(planes[None, :, gap:])  # of 60 x 55 pixels, for its scale
        assert made[:, gap + 3 :].std() > 0.03
        assert abs(np.median(made[:, gap + 3 :]) - np.median(whole)) < 0.03
        assert np.isfinite(made).all()
