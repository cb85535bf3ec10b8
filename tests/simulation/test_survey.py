"""The simulated survey: what is in the catalogue is in the images, in whatever order they are asked for."""

import pickle

import numpy as np
import pytest
import torch
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr.simulation import Footprint, SimulatedSurvey, draw_galaxies
from galzoo_repr.simulation._radii import light_reach, petrosian_radii
from galzoo_repr.simulation._sky_image import tangent_wcs


@pytest.fixture(scope="module")
def survey():
    return SimulatedSurvey(seed=3)


@pytest.fixture(scope="module")
def smooth_survey():
    return SimulatedSurvey(seed=3, mix={"smooth": 1.0})


def place(row):
    return float(row["ra"]), float(row["dec"])


def test_same_place_and_seed_give_the_same_pixels_in_any_order(survey):
    ra, dec = place(survey.catalogue(1)[0])
    other = SimulatedSurvey(seed=3)
    other.cutout(ra + 0.3, dec, size=16)
    other.cutout(ra, dec + 0.01, size=16)
    np.testing.assert_array_equal(other.cutout(ra, dec, size=48), survey.cutout(ra, dec, size=48))


def test_another_seed_is_another_sky(survey):
    other = SimulatedSurvey(seed=4)
    assert not np.array_equal(other.catalogue(5)["ra"], survey.catalogue(5)["ra"])
    noise = [sky.cutout(151.3, 3.1, size=32)[1].ravel() for sky in (survey, other)]
    assert abs(np.corrcoef(noise)[0, 1]) < 0.2


@pytest.mark.parametrize("dec", [0.0, 29.5, -60.0])
def test_images_that_overlap_agree(dec):
    survey = SimulatedSurvey(seed=3, footprint=Footprint.everywhere())
    ra, dec = place(survey.catalogue(1, center=SkyCoord(0.0, dec, unit="deg"))[0])
    shift = 24
    low = survey.cutout(ra, dec, size=96)
    high = survey.cutout(ra, dec + shift * 0.262 / 3600, size=96)
    below, above = low[:, shift:], high[:, :-shift]
    difference = np.abs(below - above) / (0.01 + 0.05 * np.abs(below))
    assert np.percentile(difference, 99) < 0.2
    assert np.corrcoef(below.ravel(), above.ravel())[0, 1] > 0.999


def test_galaxies_are_where_the_catalogue_says(smooth_survey):
    offsets = []
    for row in smooth_survey.catalogue(12):
        image = smooth_survey.cutout(*place(row), size=21)[1]
        middle = np.unravel_index(image.argmax(), image.shape)
        offsets.append(np.hypot(middle[0] - 10, middle[1] - 10))
    assert np.mean(np.array(offsets) <= 1.5) >= 0.8  # in front of a few stands a star


def test_flux_in_the_image_is_that_of_the_catalogue(smooth_survey):
    rows = smooth_survey.catalogue(40)
    bright = rows[np.argmin(rows["mag_r"])]
    size = min(400, int(16 * bright["petro_th50"] / 0.262))
    flux = smooth_survey.cutout(*place(bright), size=size).sum((1, 2))
    for band, total in zip("grz", flux, strict=True):
        magnitude = 22.5 - 2.5 * np.log10(total)
        assert magnitude == pytest.approx(bright[f"mag_{band}"], abs=0.25)


def test_values_do_not_depend_on_the_pixel_scale(smooth_survey):
    rows = smooth_survey.catalogue(40)
    ra, dec = place(rows[np.argmin(rows["mag_r"])])
    fine = smooth_survey.cutout(ra, dec, size=128, pixel_scale=0.131)[1]
    native = smooth_survey.cutout(ra, dec, size=64, pixel_scale=0.262)[1]
    coarse = smooth_survey.cutout(ra, dec, size=32, pixel_scale=0.524)[1]
    assert fine.mean() == pytest.approx(native.mean(), rel=0.03)
    assert coarse.mean() == pytest.approx(native.mean(), rel=0.03)


def test_coarse_pixels_have_less_noise(survey):
    deviations = [
        1.4826 * np.median(np.abs(image - np.median(image)))
        for image in (survey.cutout(151.3, 3.1, size=64, pixel_scale=scale)[2] for scale in (0.262, 1.048))
    ]
    assert deviations[1] < 0.6 * deviations[0]


def test_north_is_up_and_east_is_left(smooth_survey):
    rows = smooth_survey.catalogue(40)
    ra, dec = place(rows[np.argmin(rows["mag_r"])])
    north = smooth_survey.cutout(ra, dec - 6 / 3600, size=65)[1]
    east = smooth_survey.cutout(ra - 6 / 3600 / np.cos(np.deg2rad(dec)), dec, size=65)[1]
    assert np.unravel_index(north.argmax(), north.shape)[0] > 45
    assert np.unravel_index(east.argmax(), east.shape)[1] < 20


def test_bands_come_in_the_order_asked_for(survey):
    ra, dec = place(survey.catalogue(1)[0])
    image = survey.cutout(ra, dec, size=24, bands="zgri")
    assert image.shape == (4, 24, 24)
    np.testing.assert_array_equal(image[[1, 2, 0]], survey.cutout(ra, dec, size=24))


@pytest.mark.parametrize(
    ("ra", "dec", "empty"),
    [(160.0, 10.0, "z"), (30.0, -5.0, "g"), (150.0, 50.0, "i"), (266.4, -29.0, "griz")],
)
def test_no_data_are_exact_zeros(survey, ra, dec, empty):
    image = survey.cutout(ra, dec, size=16, bands="griz")
    for band, plane in zip("griz", image, strict=True):
        assert (plane == 0).all() == (band in empty)


def test_edge_of_the_footprint_cuts_an_image():
    survey = SimulatedSurvey(seed=1, footprint=Footprint(dec_limits=(-10.0, 2.0)))
    image = survey.image(tangent_wcs(150.0, 2.0, width=20, height=20, pixel_scale=0.262))
    assert image.observed[:, :10].all()
    assert not image.observed[:, 10:].any()
    np.testing.assert_array_equal(image.pixels == 0, ~image.observed)
    np.testing.assert_array_equal(image.invvar == 0, ~image.observed)


def test_inverse_variance_is_that_of_the_noise(survey):
    image = survey.image(tangent_wcs(151.3, 3.1, width=64, height=64, pixel_scale=0.262))
    plane = image.pixels[2]
    scatter = 1.4826 * np.median(np.abs(plane - np.median(plane)))
    assert scatter == pytest.approx(np.median(image.invvar[2]) ** -0.5, rel=0.2)


def test_large_images_have_no_seams(survey):
    wcs = tangent_wcs(150.05, 2.0, width=1060, height=12, pixel_scale=0.262)
    whole = survey.image(wcs, bands="r").pixels
    part = wcs.deepcopy()
    part.wcs.crpix = wcs.wcs.crpix - [1000, 0]
    part.pixel_shape = (48, 12)
    across = survey.image(part, bands="r").pixels
    assert np.abs(whole[:, :, 1000:1048] - across).max() < 0.01


def test_missing_corners_and_bands_are_zero():
    survey = SimulatedSurvey(seed=2, mix={"artifact": 1.0})
    rows = survey.catalogue(60)
    assert set(rows["true_artifact"]) == {1, 2, 3, 4}
    for kind, smallest in ((3, 0.05), (4, 1.0)):
        missing = [
            (survey.cutout(*place(row), size=96) == 0).mean((1, 2)).max()
            for row in rows[rows["true_artifact"] == kind][:4]
        ]
        assert max(missing) >= smallest


def test_catalogue_describes_its_columns(survey):
    rows = survey.catalogue(30)
    assert type(rows) is Table
    assert len(rows) == 30
    assert all(column.description for column in rows.itercols())
    assert rows["ra"].unit == rows["dec"].unit == u.deg
    assert rows["petro_th50"].unit == rows["petro_th90"].unit == u.arcsec
    assert (rows["petro_th50"] < rows["petro_th90"]).all()
    assert len(set(rows["name"])) == 30
    assert ((rows["mag_r"] > 10) & (rows["mag_r"] < 20)).all()
    assert np.isfinite(rows["true_arm_pitch"]).tolist() == (rows["true_arms"] > 0).tolist()
    assert rows.meta["SEED"] == 3


def test_nearest_galaxies_come_first(survey):
    rows = survey.catalogue(25)
    few = survey.catalogue(5)
    assert few["name"].tolist() == rows["name"][:5].tolist()
    distance = SkyCoord(rows["ra"], rows["dec"]).separation(SkyCoord(150, 2, unit="deg"))
    assert (np.diff(distance.deg) >= 0).all()


@pytest.mark.parametrize(
    "center", [SkyCoord(0.0, 1.0, unit="deg"), SkyCoord(l=120, b=-60, unit="deg", frame="galactic")]
)
def test_region_is_complete(survey, center):
    radius = 20 * u.arcmin
    rows = survey.catalogue(center=center, radius=radius)
    separation = SkyCoord(rows["ra"], rows["dec"]).separation(center.icrs)
    assert (separation <= radius).all()
    assert 100 < len(rows) < 230  # 159 expected
    wider = survey.catalogue(center=center, radius=1.5 * radius)
    inside = SkyCoord(wider["ra"], wider["dec"]).separation(center.icrs) <= radius
    assert wider["name"][inside].tolist() == rows["name"].tolist()


@pytest.mark.parametrize("options", [{"n": 0}, {"radius": 0 * u.deg}])
def test_empty_catalogue_has_the_columns(survey, options):
    rows = survey.catalogue(**options)
    assert len(rows) == 0
    assert rows.colnames == survey.catalogue(1).colnames


def test_catalogue_lists_no_galaxy_outside_the_footprint():
    survey = SimulatedSurvey(footprint=Footprint(dec_limits=(-90.0, 2.0)))
    rows = survey.catalogue(radius=0.3 * u.deg)
    assert len(rows) > 20
    assert rows["dec"].max() <= 2.0


def test_mix_is_obeyed():
    assert set(SimulatedSurvey(mix={"ring": 1.0, "edge_on": 1.0}).catalogue(30)["true_kind"]) == {
        "ring",
        "edge_on",
    }


def galaxy(**changed):
    """One face-on galaxy of a bulge, a disk, and nothing else."""
    [one] = [draw_galaxies(1, torch.Generator().manual_seed(1), mix={"smooth": 1.0})]
    return one | {name: torch.tensor([float(value)]) for name, value in changed.items()}


@pytest.mark.parametrize(
    ("changed", "concentration", "r50"),
    [
        # exponential disk: concentration 2.3 (Strateva et al. 2001, AJ 122, 1861), half-light at 1.678 h
        ({"bulge_fraction": 0, "disk_scale": 3}, 2.3, 1.678 * 3),
        # de Vaucouleurs: 3.33 where truncated at seven effective radii, r50 = 0.7 effective radii
        ({"bulge_fraction": 1, "bulge_radius": 3, "sersic_index": 4}, 3.3, 0.71 * 3),
    ],
)
def test_petrosian_radii_of_known_profiles(changed, concentration, r50):
    inner, outer = petrosian_radii(galaxy(**changed))
    assert float(outer / inner) == pytest.approx(concentration, abs=0.3)
    assert float(inner) == pytest.approx(r50, rel=0.06)


def test_light_of_brighter_galaxies_reaches_farther():
    faint, bright = (light_reach(galaxy(flux_r=flux, r50=1.0), faintest=0.002) for flux in (100, 10_000))
    assert bright > faint


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True])
def test_bad_seed_is_refused(seed):
    with pytest.raises(ValueError, match="seed of a survey is an integer from 0 on"):
        SimulatedSurvey(seed=seed)


def test_bad_mix_is_refused():
    with pytest.raises(ValueError, match="unknown kinds of galaxy"):
        SimulatedSurvey(mix={"bagel": 1.0})


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({}, ValueError, "n=None and radius=None: give one of them"),
        ({"n": 3, "radius": 1 * u.deg}, ValueError, "n=3 and radius=.*: give one of them"),
        ({"n": -1}, ValueError, "0 or more, not -1"),
        ({"radius": 1.0}, TypeError, r"such as 1 \* u.deg"),
        ({"n": 2.5}, ValueError, "0 or more, not 2.5"),
        ({"radius": 40 * u.deg}, ValueError, "from 0 to 10 degrees"),
        ({"radius": 40 * u.kpc}, TypeError, "radius must be an angle with its unit"),
        ({"n": 3, "center": (150, 2)}, TypeError, r"center is a SkyCoord, .*not \(150, 2\)"),
    ],
)
def test_bad_regions_are_refused(survey, options, error, match):
    with pytest.raises(error, match=match):
        survey.catalogue(**options)


def test_too_few_galaxies_are_reported():
    survey = SimulatedSurvey(footprint=Footprint(dec_limits=(80.0, 80.1)))
    with pytest.raises(ValueError, match="only 0 galaxies, not 5, lie in the footprint within 10 degrees"):
        survey.catalogue(5, center=SkyCoord(150.0, 40.0, unit="deg"))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"bands": "grx"}, "bands are some of griz"),
        ({"bands": ""}, "bands are some of griz"),
        ({"size": 0}, "at least 1 pixel"),
        ({"dec": 90.5}, "declination runs from -90 to 90"),
        ({"ra": np.nan}, "no such position"),
        ({"pixel_scale": 0.0}, "positive number of arcsec"),
        ({"size": 3000, "pixel_scale": 2.0}, "ask for fewer or finer pixels"),
    ],
)
def test_bad_cutouts_are_refused(survey, options, match):
    arguments = {"ra": 150.0, "dec": 2.0, "size": 8, **options}
    with pytest.raises(ValueError, match=match):
        survey.cutout(arguments.pop("ra"), arguments.pop("dec"), **arguments)


def test_a_survey_goes_to_other_processes():
    survey = SimulatedSurvey(3, mix={"smooth": 1.0})
    again = pickle.loads(pickle.dumps(survey))
    assert (again.catalogue(5)["ra"] == survey.catalogue(5)["ra"]).all()
    assert again.footprint == survey.footprint
