"""What a survey says of its counts: documented, given, or refused."""

import re
from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from galzoo_repr import ImageRecipe, LegacySurvey, add_cutouts
from galzoo_repr.catalogue import provenance, read_catalogue, write_catalogue
from galzoo_repr.cutouts import BrickSurvey, HipsSurvey, cutout_requests, flux_scale_column, usable_factors
from galzoo_repr.cutouts import _flux_scales as table_of_scales
from galzoo_repr.exceptions import GalzooWarning

FIELD = {"fov": 5 * u.arcsec, "progress": False}
GALAXIES = Table({"ra": [150.0, 150.01], "dec": [2.0, 2.01]})
ANYTHING = ImageRecipe(stretch="none")


def factor(survey, bands="g"):
    return survey.flux_scale.factors(bands)[0]


@pytest.mark.parametrize(
    "layer", ["ls-dr8", "ls-dr9-north", "ls-dr9-south-model", "ls-dr10", "ls-dr10-south", "ls-dr11"]
)
def test_legacy_surveys_are_nanomaggies(layer):
    assert usable_factors(LegacySurvey(layer=layer), ImageRecipe()) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("survey", [HipsSurvey(), BrickSurvey(), BrickSurvey(layer="ls-dr9-north")])
def test_other_routes_to_them_are_too(survey):
    assert usable_factors(survey, ImageRecipe()) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("layer", "band", "zero_point", "pixel"),
    [
        ("sdss", "g", 22.5, 0.396),
        ("des-dr1", "z", 22.5, 0.263),
        ("ps1", "r", 22.5, 0.25),
        ("hsc-dr2", "g", 27.0, 0.168),
        ("hsc-dr3", "z", 27.0, 0.168),
        ("ztf", "r", 22.5, 1.0),
        ("unwise-neo7", "1", 25.199, 2.75),
        ("2mass", "k", 24.35, 1.0),
    ],
)
def test_documented_layers(layer, band, zero_point, pixel):
    expected = 10 ** (0.4 * (22.5 - zero_point)) * (0.262 / pixel) ** 2
    assert factor(LegacySurvey(layer=layer), band) == pytest.approx(expected)


def test_sdss_is_brought_to_ab():
    scale = HipsSurvey(layer="CDS/P/SDSS9").flux_scale
    g, u_, z = scale.factors("guz")
    assert -2.5 * np.log10([u_ / g, z / g]) == pytest.approx([-0.04, 0.02])


def test_every_row_has_its_source_and_bands():
    for route, pattern, scale in table_of_scales._KNOWN:
        assert route in ("viewer", "hips", "bricks")
        assert re.compile(pattern)
        assert re.search(r"https://|imagine|AJ \d", scale.source), pattern
        assert scale.bands


@pytest.mark.parametrize(
    "survey",
    [
        LegacySurvey(layer="vlass1.2"),
        LegacySurvey(layer="galex"),
        LegacySurvey(layer="ls-dr99"),
        LegacySurvey(layer="LS-DR10"),
        HipsSurvey(layer="CDS/P/DES-DR2"),
        HipsSurvey(layer="somebody/P/mosaic"),
        HipsSurvey(layer="CDS/P/PanSTARRS/DR1"),
        HipsSurvey(layer="CDS/P/DESI-Legacy-Surveys/DR9"),
        HipsSurvey(layer="nowhere", native_scale=0.2 * u.arcsec),
    ],
)
def test_unknown_scales_are_refused_before_anything_is_asked(survey, store):
    with pytest.raises(ValueError, match=r"flux scale of layer .* is not known.*zero_point="):
        add_cutouts(GALAXIES, survey=survey, store=store, **FIELD)
    with pytest.raises(ValueError, match="is not known"):
        cutout_requests(GALAXIES, survey, fov=5 * u.arcsec)
    # Neither fluxes as they are nor colours need one.
    assert usable_factors(survey, ANYTHING) is None


@pytest.mark.parametrize(
    ("layer", "meant"), [("dr10", "ls-dr10"), ("LS-DR9", "ls-dr9"), ("hsc-dr4", "hsc-dr3")]
)
def test_a_layer_that_is_nearly_a_known_one_is_named(layer, meant):
    with pytest.raises(ValueError, match=f"did you mean .*'{meant}'"):
        usable_factors(LegacySurvey(layer=layer), ImageRecipe())


@pytest.mark.filterwarnings("ignore:.* rows have no ")
def test_colours_need_no_scale(service, store):
    survey = LegacySurvey(server=service.url, layer="vlass1.2", image_format="jpeg")
    add_cutouts(GALAXIES, survey=survey, store=store, **FIELD)
    assert len(service.requests) == len(GALAXIES)


@pytest.mark.parametrize(
    "layer",
    ["CDS/P/DESI-Legacy-Surveys/DR10/color", "CDS/P/PanSTARRS/DR1/color-z-zg-g", "CDS/P/DES-DR2/ColorIRG"],
)
@pytest.mark.parametrize("recipe", [ImageRecipe(), ANYTHING])
def test_colour_hips_are_no_fluxes(layer, recipe):
    with pytest.raises(ValueError, match="is a colour picture, not fluxes"):
        usable_factors(HipsSurvey(layer=layer, zero_point=22.5), recipe)


def test_hips_that_is_one_band():
    with pytest.raises(ValueError, match="give it without its band, as layer='CDS/P/SDSS9'"):
        usable_factors(HipsSurvey(layer="CDS/P/SDSS9/g"), ImageRecipe())


@pytest.mark.parametrize(
    ("survey", "missing"),
    [
        (LegacySurvey(layer="sdss"), "z"),
        (LegacySurvey(layer="ps1"), "z"),
        (LegacySurvey(layer="unwise-neo7"), "g, r, z"),
        (LegacySurvey(layer="2mass", zero_point=23), "g, r, z"),
        (LegacySurvey(layer="ls-dr10-gri"), "z"),
    ],
)
def test_bands_that_a_survey_has_not(survey, missing, store):
    with pytest.raises(
        ValueError, match=f"has the bands .*, but the recipe takes g, r, z: {missing} is missing"
    ):
        add_cutouts(GALAXIES, survey=survey, store=store, **FIELD)


@pytest.mark.parametrize(
    "zero_point",
    [
        25, 25.0, np.float32(25), 25 * u.mag, 25 * u.ABmag, (25 * u.ABmag).to(u.nJy), (25 * u.ABmag).to(u.Jy),
        {"g": 25, "r": 30 * u.mag}, 0.1 * u.nmgy,
    ],
)  # fmt: skip
def test_zero_points_in_every_form(zero_point):
    for survey in (
        LegacySurvey(layer="x", zero_point=zero_point),
        HipsSurvey(layer="x", zero_point=zero_point),
    ):
        assert factor(survey) == pytest.approx(0.1, rel=1e-4)


def test_given_zero_point_goes_before_the_documented_one():
    survey = LegacySurvey(layer="hsc-dr3", zero_point=22.5)
    assert factor(survey) == pytest.approx((0.262 / 0.168) ** 2)
    survey.native_scale = 0.262 * u.arcsec
    assert factor(survey) == 1
    survey.zero_point = survey.native_scale = None
    assert factor(survey) == pytest.approx(factor(LegacySurvey(layer="hsc-dr3")))


@pytest.mark.parametrize(
    ("zero_point", "error"),
    [
        ("25", TypeError), (True, TypeError), (25 * u.m, TypeError), (25 * u.STmag, TypeError), ([25, 26], TypeError),
        ([25, 26] * u.mag, TypeError), (0 * u.Jy, ValueError), (-1 * u.nmgy, ValueError),
        (np.nan, ValueError), (np.inf, ValueError), (1e6, ValueError), ({}, ValueError),
        ({"g": "25"}, TypeError), ({"gr": 25}, ValueError),
    ],
)  # fmt: skip
def test_zero_points_that_are_none(zero_point, error):
    with pytest.raises(error, match="zero_point="):
        LegacySurvey(zero_point=zero_point)


@pytest.mark.parametrize(
    ("native_scale", "error"),
    [
        (0.25, TypeError), (1 * u.s, TypeError), (0 * u.arcsec, ValueError), ([1, 2] * u.arcsec, ValueError),
        (np.nan * u.deg, ValueError),
    ],
)  # fmt: skip
def test_sizes_of_pixels_that_are_none(native_scale, error):
    with pytest.raises(error, match="native_scale="):
        HipsSurvey(native_scale=native_scale)


def test_band_without_zero_point():
    with pytest.raises(ValueError, match="zero points for the bands g, r, but none for z"):
        usable_factors(LegacySurvey(layer="x", zero_point={"g": 25, "r": 26}), ImageRecipe())


def test_zero_point_of_what_is_not_linear_is_told(store):
    survey = HipsSurvey(layer="CDS/P/PanSTARRS/DR1", zero_point=25, server="http://127.0.0.1:9/x")
    with pytest.warns(
        GalzooWarning, match="whose pixels are no fluxes under any zero point: the stacks"
    ) as told:
        add_cutouts(GALAXIES[:0], survey=survey, store=store, **FIELD)
    assert told[0].filename == __file__


def test_column_and_provenance(service, store, tmp_path):
    survey = LegacySurvey(server=service.url, layer="ls-dr10", zero_point=25 * u.mag)
    found = add_cutouts(GALAXIES, survey=survey, store=store, **FIELD)
    assert found["cutout_flux_scale"] == pytest.approx([0.1, 0.1])
    facts = provenance(found, "add_cutouts")
    assert (facts["zero_point"], facts["native_scale"]) == (25.0, 0.262)
    for name in ("a.fits", "a.ecsv", "a.vot", "a.parquet"):
        write_catalogue(found, tmp_path / name)
        assert read_catalogue(tmp_path / name)["cutout_flux_scale"] == pytest.approx([0.1, 0.1])
    # Taken again from a survey in nanomaggies, none of it is left.
    survey.zero_point = None
    again = add_cutouts(found, survey=survey, store=store, overwrite=True, **FIELD)
    assert list(again["cutout_flux_scale"]) == [1.0, 1.0]
    fresh = add_cutouts(GALAXIES, survey=survey, store=store, **FIELD)
    assert fresh.colnames == ["ra", "dec", "cutout", "cutout_status"]
    assert provenance(fresh, "add_cutouts")["zero_point"] == 22.5


def test_bodies_stay_as_they_came(service, store):
    paths = []
    for zero_point in (None, 25, 30):
        survey = LegacySurvey(server=service.url, zero_point=zero_point)
        paths.append(add_cutouts(GALAXIES, survey=survey, store=store, **FIELD)["cutout"][0])
    assert len(set(paths)) == 1
    assert len(service.requests) == len(GALAXIES)


def test_columns_of_flux_scales():
    assert flux_scale_column([(1.0, 1.0), None]) is None
    assert list(flux_scale_column([(1.0, 1.0)], always=True)) == [1.0]
    one = flux_scale_column([(0.1, 0.1), None, (1.0, 1.0)])
    assert np.array_equal(one, [0.1, np.nan, 1.0], equal_nan=True)
    several = flux_scale_column([(0.1, 0.2), None, (1.0, 1.0)])
    assert np.array_equal(several, [[0.1, 0.2], [np.nan] * 2, [1.0, 1.0]], equal_nan=True)


def test_scale_is_no_part_of_what_is_asked():
    recipe = replace(ImageRecipe(), crop=0.5)
    asked = [
        cutout_requests(GALAXIES, LegacySurvey(zero_point=one), recipe=recipe, fov=5 * u.arcsec)[0]
        for one in (None, 25)
    ]
    assert [one.key for one in asked[0]] == [one.key for one in asked[1]]
