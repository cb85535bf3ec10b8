"""The image recipe: what it allows, what it asks for, and what it makes of images."""

import json

import numpy as np
import pytest
import torch
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from galzoo_repr.images import ImageData, ImageRecipe, galaxy_zoo_stretch

GALAXY_ZOO = 424 * u.arcsec


def blob(size, *, centre=0.0):
    """RGB of a smooth galaxy, (1, 3, size, size) in 0 to 1, with a spot to the upper left."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij")
    image = torch.exp(-3 * torch.hypot(x - centre, y)) + 0.5 * torch.exp(
        -80 * ((x + 0.3) ** 2 + (y + 0.3) ** 2)
    )
    return (image.clamp(0, 1) * torch.tensor([1.0, 0.7, 0.4]).view(1, 3, 1, 1)).float()


# --- the description ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"size": 128, "crop": 0.6},
        {"channels": 1},
        {"stretch": "viewer_griz", "bands": "griz"},
        {"stretch": "none", "channels": 3},
        {"fov_rule": "fixed", "fov": 40},
        {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
    ],
)
def test_recipe_survives_json(options):
    recipe = ImageRecipe(**options)
    again = ImageRecipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    assert again.digest == recipe.digest
    assert len(recipe.digest) == 64


def test_digest_of_the_default_recipe_never_changes():
    # Stored embeddings are found again by it.
    assert ImageRecipe(size=128, crop=0.6).digest == (
        "c845889312dc038887cbe6b953cac336adb3ce214e745f44f1e871db42aa094d"
    )


@given(crop=st.floats(0.05, 1.0), size=st.integers(8, 512))
def test_digest_does_not_depend_on_the_kind_of_number(crop, size):
    recipe = ImageRecipe(crop=crop, size=size)
    same = ImageRecipe(crop=np.float64(crop), size=np.int64(size), mean=[0, 0, 0], std=np.ones(3))
    assert same.digest == recipe.digest
    assert same == recipe


def test_digest_tells_recipes_apart():
    recipes = [
        ImageRecipe(),
        ImageRecipe(size=128),
        ImageRecipe(crop=0.6),
        ImageRecipe(channels=1),
        ImageRecipe(north_up=False),
        ImageRecipe(mean=0.5),
        ImageRecipe(stretch="viewer_grz"),
        ImageRecipe(fov_rule="fixed", fov=30.0),
    ]
    assert len({recipe.digest for recipe in recipes}) == len(recipes)


def test_recipe_cannot_be_changed():
    with pytest.raises(AttributeError, match="cannot assign"):
        ImageRecipe().size = 3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"bands": "grrz"}, ValueError, "different letters"),
        ({"bands": ""}, ValueError, "different letters"),
        (
            {"stretch": "lgo"},
            ValueError,
            "galaxy_zoo_decals, viewer_grz, viewer_griz, asinh, log, zscale or none",
        ),
        ({"bands": "griz"}, ValueError, "takes bands 'grz'"),
        ({"fov_rule": "auto"}, ValueError, "'galaxy_zoo_decals' or 'fixed'"),
        ({"fov": 30.0}, ValueError, "goes with fov_rule='fixed'"),
        ({"fov_rule": "fixed"}, ValueError, "goes with fov_rule='fixed'"),
        ({"fov_rule": "fixed", "fov": -1.0}, ValueError, "fov must be above 0"),
        ({"crop": 0}, ValueError, "crop must be above 0 and at most 1"),
        ({"crop": 1.5}, ValueError, "crop must be above 0 and at most 1"),
        ({"crop": float("nan")}, ValueError, "crop must be above 0"),
        ({"size": 0}, ValueError, "size must be from 8"),
        ({"size": 64.0}, TypeError, "size must be a whole number"),
        ({"size": True}, TypeError, "size must be a whole number"),
        ({"pixel_scale": "0.262"}, TypeError, "pixel_scale must be a number"),
        ({"channels": 2}, ValueError, "channels must be 1 or 3"),
        ({"stretch": "none", "bands": "griz"}, ValueError, "channels must be 4"),
        ({"mean": (0.5, 0.5)}, ValueError, "mean has 2 values, but there are 3 channels"),
        ({"std": 0}, ValueError, "std must be positive"),
        ({"north_up": 1}, TypeError, "True or False"),
    ],
)
def test_impossible_recipes_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        ImageRecipe(**options)


def test_other_descriptions_are_refused():
    values = ImageRecipe().to_dict()
    with pytest.raises(ValueError, match=r"recipe_version 2.*update galzoo_repr"):
        ImageRecipe.from_dict({**values, "recipe_version": 2})
    with pytest.raises(ValueError, match="recipe_version None"):
        ImageRecipe.from_dict({"size": 224})
    with pytest.raises(ValueError, match="no field blur"):
        ImageRecipe.from_dict({**values, "blur": 1.0})
    with pytest.raises(TypeError, match="a recipe is a dictionary, not list"):
        ImageRecipe.from_dict([])


# --- the field of view --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("petro_th50", "petro_th90"),
        ("PETRO_TH50", "PETRO_TH90"),
        ("petroR50_r", "petroR90_r"),
        ("petro_r50", "petro_r90"),
        ("r50", "r90"),
    ],
)
def test_galaxy_zoo_rule_takes_the_smaller_of_two_radii(names):
    table = Table({names[0]: [5.0, 5.0, 1.0], names[1]: [9.0, 30.0, 4.0]})
    scales = [0.02 * 9, 0.04 * 5, 0.1]
    fields = ImageRecipe().fields_of_view(table)
    np.testing.assert_allclose(fields.to_value(u.arcsec), 424 * np.array(scales))


@pytest.mark.parametrize("name", ["shape_r", "SHAPE_R", "half_light_radius", "sersic_th50"])
def test_half_light_radius_alone_decides(name):
    fields = ImageRecipe().fields_of_view(Table({name: [5.0]}))
    np.testing.assert_allclose(fields.to_value(u.arcsec), 0.2 * 424)


@pytest.mark.parametrize("table_class", [Table, QTable])
def test_radii_with_a_unit_are_converted(table_class):
    table = table_class({"r50": [0.1, 0.2] * u.arcmin})
    np.testing.assert_allclose(
        ImageRecipe().fields_of_view(table).to_value(u.arcsec), [0.04 * 6 * 424, 0.04 * 12 * 424]
    )


@pytest.mark.parametrize(
    "column",
    [
        [-9999.0, 0.0, np.nan, np.inf],
        MaskedColumn([5.0, 5.0, 5.0, 5.0], mask=True),
        Masked([5.0, 5.0, 5.0, 5.0] * u.arcsec, mask=True),
    ],
)
def test_rows_with_a_bad_radius_have_no_field(column):
    fields = ImageRecipe().fields_of_view(QTable({"r50": column}))
    assert np.isnan(fields).all()
    assert fields.unit == u.arcsec


def test_one_bad_radius_leaves_the_other():
    fields = ImageRecipe().fields_of_view(Table({"r50": [5.0, np.nan], "r90": [np.nan, 10.0]}))
    np.testing.assert_allclose(fields.to_value(u.arcsec), [0.2 * 424, 0.2 * 424])


def test_columns_that_hold_no_angles_are_passed_over():
    table = Table({"r50": [1.0] * u.kpc, "petro_r50": ["big"], "shape_r": [5.0]})
    np.testing.assert_allclose(ImageRecipe().fields_of_view(table).to_value(u.arcsec), 0.2 * 424)


@pytest.mark.parametrize("catalogue", [Table({"ra": [1.0]}), SkyCoord([1] * u.deg, [2] * u.deg)])
def test_catalogue_without_radii_needs_a_field(catalogue):
    with pytest.raises(ValueError, match=r"no column with the radii.*fov='30 arcsec'.*petro_th50"):
        ImageRecipe().fields_of_view(catalogue)
    fields = ImageRecipe().fields_of_view(catalogue, fov=0.5 * u.arcmin)
    np.testing.assert_allclose(fields.to_value(u.arcsec), [30.0])


def test_what_is_no_catalogue_has_no_fields():
    with pytest.raises(TypeError, match=r"got the path 'galaxies\.fits'; a catalogue is"):
        ImageRecipe().fields_of_view("galaxies.fits")
    with pytest.raises(TypeError, match="got one Row of a table"):
        ImageRecipe().fields_of_view(Table({"r50": [3.0]})[0])


def test_given_field_outranks_radii():
    table = Table({"r50": [5.0, 5.0, 5.0]})
    fields = ImageRecipe().fields_of_view(table, fov=[10.0, -1.0, np.nan] * u.arcsec)
    np.testing.assert_array_equal(fields.to_value(u.arcsec), [10.0, np.nan, np.nan])


def test_fixed_field_needs_no_radii():
    recipe = ImageRecipe(fov_rule="fixed", fov=42)
    np.testing.assert_array_equal(recipe.fields_of_view(Table({"ra": [1.0, 2.0]})).value, [42.0, 42.0])
    assert len(recipe.fields_of_view(Table({"ra": []}))) == 0


@pytest.mark.parametrize(
    ("fov", "error", "message"),
    [
        (30, TypeError, r"30 \* u.arcsec"),
        (30 * u.kpc, TypeError, "must be an angle"),
        (-3 * u.arcsec, ValueError, "positive"),
        ([1, 2] * u.arcsec, ValueError, "3 rows"),
    ],
)
def test_fields_that_are_none_are_refused(fov, error, message):
    with pytest.raises(error, match=message):
        ImageRecipe().fields_of_view(Table({"ra": [1.0, 2.0, 3.0]}), fov=fov)


def test_request_is_native_up_to_the_largest_size():
    size, scale = ImageRecipe().request([10 * 0.262, 60.0, 511.5 * 0.262, 600.0, np.nan] * u.arcsec)
    assert size.tolist() == [10, 230, 512, 512, 0]
    np.testing.assert_allclose(scale.to_value(u.arcsec)[:4], [0.262, 0.262, 511.5 * 0.262 / 512, 600 / 512])


def test_request_of_one_field():
    size, scale = ImageRecipe().request(1 * u.arcmin)
    assert isinstance(size, int)
    assert (size, scale) == (230, 0.262 * u.arcsec)
    with pytest.raises(TypeError, match="must be an angle"):
        ImageRecipe().request(60.0)


# --- the images ---------------------------------------------------------------------------------------------


def test_bands_at_their_own_size_are_just_stretched_and_turned(fluxes):
    flux = torch.from_numpy(fluxes)[None]
    result = ImageRecipe(size=60).from_bands(flux)
    torch.testing.assert_close(result, galaxy_zoo_stretch(flux).flip(-2))
    unturned = ImageRecipe(size=60, north_up=False).from_bands(flux)
    torch.testing.assert_close(unturned, result.flip(-2))


@pytest.mark.parametrize("size", [96, 224, 300])
@pytest.mark.parametrize("crop", [1.0, 0.6])
def test_resizing_is_that_of_pillow(size, crop):
    image = blob(200)
    counts = (255 * image[0].permute(1, 2, 0)).numpy().astype(np.uint8)
    ours = ImageRecipe(size=size, crop=crop).from_rgb(torch.from_numpy(counts).permute(2, 0, 1)[None])[0]
    border = (200 - round(200 * crop)) // 2
    box = (border, border, 200 - border, 200 - border)
    for kernel, allowed in ((Image.Resampling.BICUBIC, 0.5), (Image.Resampling.LANCZOS, 0.6)):
        theirs = np.asarray(Image.fromarray(counts).resize((size, size), kernel, box=box)).astype(float)
        # Pillow rounds to whole counts after each of its two passes.
        assert np.abs(255 * ours.permute(1, 2, 0).numpy() - theirs).mean() < allowed


def test_shrinking_does_not_alias():
    stripes = torch.zeros(1, 3, 256, 256)
    stripes[..., ::2] = 1.0
    shrunk = ImageRecipe(size=64).from_rgb(stripes)
    # At the border the kernel is cut off.
    assert (shrunk - 0.5)[..., 2:-2].abs().max() < 1e-5


@pytest.mark.parametrize("source", [161, 200, 424])
@pytest.mark.parametrize("crop", [0.5, 0.61, 1.0])
def test_centre_stays_in_the_centre(source, crop):
    result = ImageRecipe(size=65, crop=crop).from_rgb(blob(source))[0, 2]
    assert divmod(int(result.argmax()), 65) == (32, 32)


def test_crop_shows_the_central_part():
    whole = ImageRecipe(size=100).from_rgb(blob(200))
    part = ImageRecipe(size=100, crop=0.5).from_rgb(blob(200))
    again = ImageRecipe(size=50).from_rgb(part)
    torch.testing.assert_close(again, whole[..., 25:75, 25:75], atol=0.03, rtol=0)


def test_counts_and_fractions_give_the_same():
    counts = (255 * blob(80)).to(torch.uint8)
    recipe = ImageRecipe(size=32)
    torch.testing.assert_close(recipe.from_rgb(counts), recipe.from_rgb(counts / 255))


def test_single_channel_is_the_mean_of_the_colours():
    grey = ImageRecipe(size=40, channels=1).from_rgb(blob(40))
    torch.testing.assert_close(grey, blob(40).mean(dim=1, keepdim=True))


def test_range_is_shifted_and_scaled_per_channel():
    plain = ImageRecipe(size=40).from_rgb(blob(40))
    shifted = ImageRecipe(size=40, mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 4.0)).from_rgb(blob(40))
    for channel, (mean, std) in enumerate([(0.1, 1.0), (0.2, 2.0), (0.3, 4.0)]):
        torch.testing.assert_close(shifted[:, channel], (plain[:, channel] - mean) / std)


def test_unstretched_fluxes_stay_fluxes(fluxes):
    recipe = ImageRecipe(stretch="none", size=60)
    np.testing.assert_array_equal(recipe.from_bands(torch.from_numpy(fluxes)[None])[0], fluxes[:, ::-1])
    with pytest.raises(ValueError, match="takes fluxes"):
        recipe.from_rgb(blob(40))


def test_prepare_takes_images_of_any_size_and_kind_in_order(fluxes):
    rgb = (255 * blob(90)[0].permute(1, 2, 0)).to(torch.uint8).numpy()
    small = np.ascontiguousarray(fluxes[:, 5:55, 5:55])
    images = [
        ImageData(fluxes, "bands"),
        ImageData(rgb, "rgb"),
        ImageData(small, "bands"),
        ImageData(fluxes, "bands"),
    ]
    recipe = ImageRecipe(size=32, crop=0.8)
    together = recipe.prepare(images)
    assert (together.shape, together.dtype) == ((4, 3, 32, 32), np.float32)
    for row, image in enumerate(images):
        np.testing.assert_array_equal(together[row], recipe.prepare([image])[0])
    by_torch = recipe.prepare(images, device="cpu")
    assert by_torch.dtype == torch.float32
    np.testing.assert_allclose(by_torch.numpy(), together, atol=5e-6)
    assert recipe.prepare([]).shape == (0, 3, 32, 32)


def test_galaxy_looks_the_same_from_fits_and_from_its_picture(fluxes):
    shown = (255 * galaxy_zoo_stretch(torch.from_numpy(fluxes)[None]).flip(-2)).to(torch.uint8)
    recipe = ImageRecipe(size=48, crop=0.7)
    difference = recipe.from_bands(torch.from_numpy(fluxes)[None]) - recipe.from_rgb(shown)
    assert difference.abs().mean() < 1 / 255


@pytest.mark.parametrize(
    ("method", "shape", "message"),
    [
        ("from_bands", (1, 4, 8, 8), r"takes \(B, 3, H, W\)"),
        ("from_rgb", (3, 8, 8), r"colour images are \(B, 3, H, W\)"),
        ("from_rgb", (1, 8, 8, 3), r"colour images are \(B, 3, H, W\)"),
    ],
)
def test_images_of_another_shape_are_refused(method, shape, message):
    with pytest.raises(ValueError, match=message):
        getattr(ImageRecipe(), method)(torch.zeros(shape))


def test_other_whole_numbers_are_refused():
    with pytest.raises(TypeError, match="uint8 in 0 to 255"):
        ImageRecipe().from_rgb(torch.zeros(1, 3, 8, 8, dtype=torch.int32))


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_colours_in_another_range_are_refused(kind, dtype):
    counts = np.random.default_rng(0).integers(0, 256, (2, 3, 20, 20)).astype(dtype)
    for others, reach in ((counts, "from 0 to 25[0-9]"), (counts / 127.5 - 1, "from -(1|0.99[0-9]*) to ")):
        with pytest.raises(ValueError, match=rf"these reach {reach}"):
            ImageRecipe(size=8).from_rgb(kind(others))
    assert ImageRecipe(size=8).from_rgb(kind(counts / 255)).shape == (2, 3, 8, 8)
    assert ImageRecipe(size=8).from_rgb(kind(counts[:0])).shape == (0, 3, 8, 8)
