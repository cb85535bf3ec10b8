"""Recipes of any bands: stretches by name and of one's own, and bands that become channels by a matrix."""

import json
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from astropy.visualization import AsinhStretch, LogStretch, PercentileInterval, ZScaleInterval

from galzoo_repr.images import ImageData, ImageRecipe, read_image

OPTICAL = ("u", "g", "r", "i", "z", "y")
INFRARED = ("VIS", "NIR_Y", "NIR_J", "NIR_H")
TO_COLOUR = [[0, 0, 0, 0.2, 0.4, 0.4], [0, 0.5, 0.5, 0, 0, 0], [1, 0, 0, 0, 0, 0]]
BY_ASTROPY = {
    "asinh": lambda band: AsinhStretch()(PercentileInterval(99.5)(band)),
    "log": lambda band: LogStretch()(PercentileInterval(99.5)(band)),
    "zscale": ZScaleInterval(),
}


def fluxes(n_bands, size=48, batch=2, seed=0):
    """Galaxies on a noisy sky, (batch, n_bands, size, size) float32."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] - size / 2
    bright = rng.uniform(0.5, 3, (batch, n_bands, 1, 1)) * np.exp(-np.hypot(x - 1, 2 * y) / 5)
    return (bright + rng.normal(0, 0.02, bright.shape)).astype(np.float32)


def half_power(bands):
    return np.sqrt(np.clip(bands, 0, None))


# --- digests ---


@pytest.mark.parametrize(
    ("options", "digest"),
    [
        ({}, "7eb12fd482d4c71da093f98ccc4dd3170220528e60c349ded46a6a09b6e9d4c3"),
        ({"channels": 1}, "375a998b8aa620a2866f3df835b4db46793aa2f8fe12c5db4f9ec9efeadc11f6"),
        ({"stretch": "viewer_grz"}, "f56aa670ba2f00048ab17fb109ba3b1ace24c51b10adae9845a96d0206b10773"),
        (
            {"stretch": "viewer_griz", "bands": "griz"},
            "28a2a3feb8f23a25a4a010baca5786dcb42a85f7d714de6e7b3903889b316a26",
        ),
        ({"stretch": "none"}, "bade2cd7adb4bd0c3fae8a5d77e53a140f1e836dc251aff0b828d234ec3d330e"),
        (
            {"stretch": "none", "bands": "ugrizy", "channels": 6, "mean": (0, 1, 2, 3, 4, 5)},
            "2b5c331986d4740b451eb23b4b939374db5dc8b7749883b3beb33945f6745b79",
        ),
        (
            {"fov_rule": "fixed", "fov": 40},
            "2f342a1f122e2fac0f8aae0ade4b5c7d38b230755bcb9407fbad678eb0bcc3f6",
        ),
    ],
)
def test_digests_of_recipes_that_were_there_before_stay(options, digest):
    recipe = ImageRecipe(**options)
    assert recipe.digest == digest
    assert "matrix" not in recipe.to_dict()


@pytest.mark.parametrize(
    "options",
    [
        {"stretch": "asinh"},
        {"stretch": "zscale", "bands": "r"},
        {"stretch": "log", "bands": OPTICAL, "channels": TO_COLOUR},
        {"stretch": "none", "bands": OPTICAL, "channels": np.array(TO_COLOUR), "mean": 0.1},
        {"stretch": "asinh", "bands": INFRARED, "channels": 4},
        {"stretch": "asinh", "bands": ["VIS"], "channels": torch.ones(3, 1)},
    ],
)
def test_recipes_of_any_bands_survive_json_and_replacing(options):
    recipe = ImageRecipe(**options)
    again = ImageRecipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    assert again.digest == recipe.digest
    assert hash(again) == hash(recipe)
    smaller = replace(recipe, size=32)
    assert (smaller.matrix, smaller.channels) == (recipe.matrix, recipe.channels)
    assert smaller.digest != recipe.digest


def test_letters_are_bands_in_either_form():
    assert ImageRecipe(bands=("g", "r", "z")) == ImageRecipe()
    assert ImageRecipe(bands=np.array(["g", "r", "z"])).digest == ImageRecipe().digest


def test_matrices_and_stretches_are_told_apart():
    matrices = [TO_COLOUR, TO_COLOUR[::-1], [*TO_COLOUR, [1] * 6]]
    recipes = [ImageRecipe(stretch=name, bands=OPTICAL, channels=m) for m in matrices for name in BY_ASTROPY]
    assert len({recipe.digest for recipe in recipes}) == len(recipes)


# --- what becomes of pixels ---


@pytest.mark.parametrize("stretch", BY_ASTROPY)
def test_stretches_are_those_of_astropy(stretch):
    bands = fluxes(3)
    made = ImageRecipe(stretch=stretch, size=48).from_bands(bands)
    for image, planes in zip(made, bands, strict=True):
        for channel, band in zip(image, planes[::-1], strict=True):
            np.testing.assert_allclose(channel, BY_ASTROPY[stretch](band[::-1]), atol=2e-6)


@pytest.mark.parametrize("stretch", [*BY_ASTROPY, half_power])
@pytest.mark.parametrize("options", [{"channels": TO_COLOUR}, {"channels": 6, "mean": 0.2, "std": 0.5}])
def test_numpy_and_torch_give_the_same(stretch, options):
    recipe = ImageRecipe(stretch=stretch, bands=OPTICAL, size=32, crop=0.8, **options)
    bands = fluxes(6)
    bands[0, 2, 3, 4] = np.nan
    by_numpy, by_torch = recipe.from_bands(bands), recipe.from_bands(torch.from_numpy(bands))
    assert by_numpy.dtype == np.float32
    assert by_torch.dtype == torch.float32
    np.testing.assert_allclose(by_torch.numpy(), by_numpy, atol=2e-6)
    images = [ImageData(one, "bands") for one in np.nan_to_num(bands)]
    np.testing.assert_allclose(
        recipe.prepare(images, device="cpu").numpy(), recipe.prepare(images), atol=2e-6
    )


@pytest.mark.parametrize("stretch", BY_ASTROPY)
@pytest.mark.parametrize("factor", [1e-6, 1e4])
def test_the_scale_of_fluxes_does_not_matter(stretch, factor):
    recipe = ImageRecipe(stretch=stretch, size=32)
    bands = fluxes(3)
    np.testing.assert_allclose(
        recipe.from_bands(bands * np.float32(factor)), recipe.from_bands(bands), atol=1e-4
    )


@pytest.mark.parametrize("stretch", BY_ASTROPY)
def test_bands_without_light_stay_finite(stretch):
    recipe = ImageRecipe(stretch=stretch, size=32)
    assert np.isfinite(recipe.from_bands(np.zeros((1, 3, 40, 40)))).all()
    assert recipe.from_bands(np.zeros((0, 3, 40, 40), np.float32)).shape == (0, 3, 32, 32)


def test_a_matrix_makes_the_channels():
    recipe = ImageRecipe(stretch="none", bands=OPTICAL, channels=TO_COLOUR, size=48, north_up=False)
    bands = fluxes(6)
    made = recipe.from_bands(bands)
    np.testing.assert_allclose(
        made[:, 0], 0.2 * bands[:, 3] + 0.4 * bands[:, 4] + 0.4 * bands[:, 5], atol=1e-6
    )
    np.testing.assert_array_equal(made[:, 2], bands[:, 0])


def test_channels_without_a_matrix():
    three = fluxes(3)
    colour, mean = (ImageRecipe(stretch="asinh", channels=n, size=48).from_bands(three) for n in (3, 1))
    np.testing.assert_allclose(mean[:, 0], colour.mean(axis=1), atol=1e-6)
    one = ImageRecipe(stretch="asinh", bands="r", size=48).from_bands(three[:, 1:2])
    for channel in range(3):
        np.testing.assert_array_equal(one[:, channel], colour[:, 1])
    six = ImageRecipe(stretch="asinh", bands=OPTICAL, channels=6, size=48).from_bands(fluxes(6))
    first = ImageRecipe(stretch="asinh", bands="u", channels=1, size=48).from_bands(fluxes(6)[:, :1])
    np.testing.assert_array_equal(six[:, :1], first)


# --- functions ---


class Powers:
    """A stretch with a setting, that cannot be the key of a dictionary."""

    __hash__ = None

    def __init__(self, exponent):
        self.exponent = exponent

    def __eq__(self, other):
        return isinstance(other, Powers)

    def __call__(self, bands):
        return np.clip(bands, 0, None) ** self.exponent


def test_functions_are_told_apart_and_known_again():
    def one(bands):
        return bands

    functions = [one, half_power, lambda bands: bands, partial(np.power, 2), Powers(1), Powers(2), np.arcsinh]
    recipes = [ImageRecipe(stretch=function) for function in functions]
    assert len({recipe.digest for recipe in recipes}) == len(recipes)
    assert [ImageRecipe(stretch=function).digest for function in functions] == [one.digest for one in recipes]


def test_a_function_has_another_digest_in_another_run():
    code = "import numpy; from galzoo_repr.images import ImageRecipe; print(ImageRecipe(stretch=numpy.arcsinh).digest)"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert len(other) == 64
    assert other != ImageRecipe(stretch=np.arcsinh).digest


def test_a_function_gets_what_the_encoder_sees_with_north_up():
    seen = []

    def look(bands):
        seen.append(bands.copy())
        bands *= 0  # its own to change
        return np.repeat(bands[:, :1] + 7, 3, axis=1)

    bands = fluxes(3, size=40)
    before = bands.copy()
    made = ImageRecipe(stretch=look, crop=0.5, size=20).from_bands(bands)
    np.testing.assert_array_equal(seen[0], before[:, :, 10:30, 10:30][:, :, ::-1])
    np.testing.assert_array_equal(bands, before)
    np.testing.assert_allclose(made, 7)


def test_a_function_may_make_channels_or_planes_for_a_matrix():
    two = ImageRecipe(stretch=lambda bands: bands[:, 1:], bands="gr", channels=3, size=48)
    assert two.from_bands(fluxes(2)).shape == (2, 3, 48, 48)
    mixed = ImageRecipe(stretch=half_power, bands="gr", channels=[[1, 0], [0, 1], [0.5, 0.5]], size=48)
    made = mixed.from_bands(fluxes(2))
    np.testing.assert_allclose(made[:, 2], (made[:, 0] + made[:, 1]) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda bands: bands[0], r"made an array of float32 and shape \(3, 48, 48\)"),
        (lambda bands: bands[..., ::2], r"shape \(2, 3, 48, 24\) of one of shape \(2, 3, 48, 48\)"),
        (lambda bands: None, "array of object"),
        (lambda bands: bands[:, :2], "made 2 planes, but the recipe has 3 channels"),
    ],
)
def test_functions_that_make_something_else_are_refused(function, message):
    with pytest.raises(ValueError, match=message):
        ImageRecipe(stretch=function).from_bands(fluxes(3))


def _hole(value, dtype=np.float32):
    def function(bands):
        made = bands.astype(dtype)
        made[0, :, 10, 10] = value
        return made

    return function


@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize(
    "function",
    [
        _hole(np.nan),
        _hole(np.inf),
        _hole(-np.inf),
        _hole(1e300, np.float64),
        lambda bands: np.ma.array(bands, mask=_hole(7)(bands) == 7),
        lambda bands: np.ma.masked_equal(np.rint(_hole(7)(bands)).astype(int), 7),
    ],
    ids=["nan", "inf", "-inf", "overflow", "masked", "masked counts"],
)
def test_what_a_function_masks_or_makes_infinite_is_missing_without_a_word_of_numpy(function, as_tensor):
    bands = np.clip(fluxes(3), 0, 1)
    made = ImageRecipe(stretch=function, size=32).from_bands(torch.from_numpy(bands) if as_tensor else bands)
    finite = np.isfinite(np.asarray(made)).reshape(len(bands), -1)
    assert not finite[0].all()
    assert finite[1:].all()


def test_a_mask_of_nothing_changes_nothing():
    bands = fluxes(3)
    whole, masked = (
        ImageRecipe(stretch=one, size=32).from_bands(bands)
        for one in (np.arcsinh, lambda x: np.ma.arcsinh(x))
    )
    np.testing.assert_array_equal(whole, masked)


def test_of_a_function_there_is_only_the_name_in_a_file():
    written = ImageRecipe(stretch=half_power).to_dict()
    assert written["stretch"].startswith("function ")
    assert written["stretch"].endswith("half_power")
    assert json.loads(json.dumps(written)) == written
    with pytest.raises(
        ValueError, match=r"was the function .*half_power, which is in no file; make the recipe"
    ):
        ImageRecipe.from_dict(written)


# --- what cannot be ---


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"stretch": "asinhh"}, ValueError, "did you mean 'asinh'"),
        ({"stretch": "zcale"}, ValueError, "did you mean 'zscale'"),
        ({"stretch": "galaxyzoo_decals"}, ValueError, "did you mean 'galaxy_zoo_decals'"),
        ({"stretch": None}, ValueError, "or a function, not None"),
        (
            {"stretch": AsinhStretch},
            TypeError,
            r"is the class AsinhStretch; give what it makes: AsinhStretch\(...\)",
        ),
        ({"fov_rule": "fixd"}, ValueError, "did you mean 'fixed'"),
        ({"bands": ("VIS", "VIS")}, ValueError, "different letters such as 'grz', or names"),
        ({"bands": ("NIR Y",)}, ValueError, "or names such as"),
        ({"bands": ("g", 3)}, ValueError, "or names such as"),
        ({"bands": ()}, ValueError, "or names such as"),
        ({"bands": b"grz"}, ValueError, "or names such as"),
        (
            {"bands": OPTICAL},
            ValueError,
            "takes bands 'grz', not 'ugrizy'; for any bands there are asinh, log",
        ),
        (
            {"bands": OPTICAL, "stretch": "asinh"},
            ValueError,
            r"1 or 6 here, not 3; or give a matrix of shape \(3, 6\)",
        ),
        (
            {"bands": "gr", "stretch": "asinh"},
            ValueError,
            r"1 or 2 here, not 3; or give a matrix of shape \(3, 2\)",
        ),
        ({"channels": [[1, 0, 0]] * 3}, ValueError, "makes red, green and blue itself"),
        (
            {"stretch": "asinh", "channels": [[1, 0]] * 3},
            ValueError,
            r"shape \(3, 2\), but must have \(channels, 3\)",
        ),
        ({"stretch": "asinh", "channels": [1, 0, 0]}, ValueError, r"shape \(3,\), but must have"),
        ({"stretch": "asinh", "channels": [[1, 0, 0], [1]]}, ValueError, "rows of one length"),
        ({"stretch": "asinh", "channels": [["a", 0, 0]]}, ValueError, "a matrix of numbers"),
        ({"stretch": "asinh", "channels": [[np.nan, 0, 0]]}, ValueError, "channels must be above"),
        ({"stretch": "asinh", "channels": []}, ValueError, r"shape \(0,\)"),
        ({"stretch": "asinh", "channels": [[1, 0, 0]] * 17}, ValueError, "channels must be from 1 to 16"),
        ({"stretch": "asinh", "channels": "3"}, TypeError, "channels must be a whole number"),
        ({"stretch": "asinh", "channels": None}, TypeError, "channels must be a whole number, not None"),
        (
            {"stretch": "asinh", "channels": 2, "matrix": [[1, 0, 0]]},
            ValueError,
            "channels must be 1 here, not 2",
        ),
    ],
)
def test_impossible_recipes_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        ImageRecipe(**options)


@pytest.mark.parametrize("stretch", [*BY_ASTROPY, "none", half_power])
def test_colours_are_no_fluxes(stretch):
    recipe = ImageRecipe(stretch=stretch)
    assert recipe.takes_fluxes
    with pytest.raises(ValueError, match="this recipe takes fluxes"):
        recipe.from_rgb(np.zeros((1, 3, 40, 40), np.uint8))


# --- files ---


@pytest.mark.parametrize("names", ["VIS, NIR_Y, NIR_J, NIR_H", "VIS NIR_Y NIR_J NIR_H", None])
@pytest.mark.parametrize("wanted", [INFRARED, ("NIR_H", "VIS"), ["NIR_J"]])
def test_named_bands_are_found_in_files(fits_bytes, names, wanted):
    planes = fluxes(4)[0]
    each = {} if names else {f"BAND{i}": name for i, name in enumerate(INFRARED)}
    found = read_image(fits_bytes(planes, bands=names, **each), wanted)
    assert found.status == "ok"
    np.testing.assert_array_equal(found.pixels, planes[[INFRARED.index(band) for band in wanted]])


def test_a_band_whose_name_is_part_of_another_is_missing(fits_bytes):
    found = read_image(fits_bytes(fluxes(4)[0], bands=", ".join(INFRARED)), ("NIR",))
    assert found.status == "band_missing"
    assert found.reason == "the file holds bands VIS, NIR_Y, NIR_J, NIR_H, without NIR"


def test_one_plane_may_have_a_long_name(fits_bytes):
    found = read_image(fits_bytes(fluxes(1)[0, 0], bands="VIS"), ("VIS",))
    assert found.status == "ok"
    letters = read_image(fits_bytes(fluxes(3)[0], bands="VIS"), "SV")
    assert letters.pixels.shape == (2, 48, 48)


@pytest.mark.parametrize("stretch", BY_ASTROPY)
@pytest.mark.parametrize("as_tensor", [False, True])
@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_pixels_without_data_do_not_shift_the_scale(stretch, as_tensor, hole):
    bands = fluxes(3) + 50
    bands[0, :, 3:9], bands[1, 1, :, 20:] = hole, hole
    recipe = ImageRecipe(stretch=stretch, size=48, channels=3)
    made = np.asarray(recipe.from_bands(torch.from_numpy(bands) if as_tensor else bands))
    for image, planes in zip(made, bands, strict=True):
        for channel, band in zip(image, planes[::-1], strict=True):
            known = np.isfinite(band)[::-1]
            expected = BY_ASTROPY[stretch](band[::-1][known])
            np.testing.assert_allclose(channel[known], expected, atol=1e-4)
            assert (channel[~known] == 0).all()


@pytest.mark.parametrize("stretch", BY_ASTROPY)
@pytest.mark.parametrize("known", [0, 1, 2])
def test_bands_with_next_to_no_data_are_numbers_all_the_same(stretch, known):
    bands = np.full((1, 3, 40, 40), np.nan, np.float32)
    bands[0, :, 20, 20 : 20 + known] = 3
    assert np.isfinite(ImageRecipe(stretch=stretch, size=32).from_bands(bands)).all()
