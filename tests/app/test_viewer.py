"""Fluxes look in the browser as galzoo_repr makes them look."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from galzoo_repr.images import galaxy_zoo_stretch

from .conftest import galaxies, until

SIDE = 40


@pytest.fixture
def fluxes() -> np.ndarray:
    """Planes with bright, faint, negative and strongly coloured pixels, first row south."""
    generator = np.random.default_rng(3)
    scale = 10.0 ** generator.uniform(-4, 1.5, (3, SIDE, SIDE))
    return (scale * generator.choice([1, 1, 1, -0.1], (3, SIDE, SIDE))).astype("float32")


@pytest.fixture
def catalogue(fluxes, tmp_path):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ("RA---TAN", "DEC--TAN"), (15, 0), (20, 20)
    wcs.wcs.cdelt = (-0.5 / 3600, 0.5 / 3600)
    header = wcs.to_header()
    header.update({"BANDS": "grz", "BAND0": "g", "BAND1": "r", "BAND2": "z"})
    path = tmp_path / "one.fits"
    fits.writeto(path, fluxes, header)
    table = galaxies()
    table["file_loc"] = str(path)
    return table


def open_viewer(page, one):
    page.goto(one.url)
    page.locator("figure.here").wait_for()
    page.keyboard.press("v")
    page.locator(".fluxes[data-shown]").wait_for()


def pixels_shown(page) -> np.ndarray:
    """What the viewer made of the fluxes, uint8 of shape (H, W, 3)."""
    values = page.evaluate("""() => {
      const find = (root) => {
        for (const node of root.querySelectorAll("*")) {
          if (node.viewer) return node.viewer
          const inner = node.shadowRoot && find(node.shadowRoot)
          if (inner) return inner
        }
      }
      const { source } = find(document)
      return [...source.getContext("2d").getImageData(0, 0, source.width, source.height).data]
    }""")
    return np.array(values, "uint8").reshape(SIDE, SIDE, 4)[..., :3]


def test_the_stretch_in_the_browser_is_that_of_galaxy_zoo_to_a_count(served, page, catalogue, fluxes):
    open_viewer(page, served(catalogue))
    expected = 255 * galaxy_zoo_stretch(fluxes[None].astype(float))[0, :, ::-1].transpose(1, 2, 0)
    assert expected.std() > 30
    difference = np.abs(pixels_shown(page) - expected)
    assert difference.max() <= 1


def test_settings_change_the_picture_and_all_brings_it_back(served, page, catalogue):
    open_viewer(page, served(catalogue))
    first = pixels_shown(page)
    page.get_by_label("Invert", exact=True).check()
    until(lambda: np.abs(pixels_shown(page).astype(int) - (255 - first.astype(int))).max() <= 1)
    page.get_by_label("Invert", exact=True).uncheck()
    page.get_by_label("Brightness", exact=True).fill("2")
    until(lambda: pixels_shown(page).mean() > first.mean() + 5)
    page.get_by_label("Bands", exact=True).select_option("r")
    until(lambda: np.ptp(pixels_shown(page), axis=-1).max() == 0)
    for stretch in ("asinh", "log", "square root", "linear"):
        page.get_by_label("Stretch", exact=True).select_option(stretch)
        until(lambda: pixels_shown(page).std() > 1)
    page.get_by_role("button", name="Show all").click()
    until(lambda: np.array_equal(pixels_shown(page), first))


def test_there_is_a_scale_bar_of_a_round_angle(served, page, catalogue):
    open_viewer(page, served(catalogue))
    # The field is 20 arcsec wide, and the bar at most a third of it.
    assert page.locator(".fluxes").get_attribute("data-bar") == "5″"
    page.locator(".fluxes canvas").focus()
    for _ in range(4):
        page.keyboard.press("+")
    until(lambda: page.locator(".fluxes").get_attribute("data-bar") == "1″")


def test_the_viewer_follows_the_galaxy_and_says_where_there_are_no_fluxes(served, page, tmp_path):
    table = galaxies(folder=tmp_path)
    table["file_loc"][::2] = ""
    open_page = served(table)
    page.goto(open_page.url)
    page.locator("figure.here").wait_for()
    page.keyboard.press("v")
    notes = set()
    for _ in range(8):
        row = int(page.locator(".rate").get_attribute("data-row"))
        wanted = "There is no picture" if row % 2 == 0 else "No fluxes"
        until(lambda wanted=wanted: page.locator(".fluxes .note").inner_text().startswith(wanted))
        until(lambda row=row: page.locator(".fluxes h2").inner_text() == f"galaxy {row}")
        notes.add(wanted)
        page.keyboard.press("ArrowRight")
    assert len(notes) == 2


def test_a_wider_field_comes_from_the_survey_when_asked_for(served, page, tmp_path):
    from galzoo_repr.simulation import SimulatedSurvey

    sky = SimulatedSurvey(seed=1)
    where = sky.catalogue(60)
    table = galaxies(folder=tmp_path)
    table["ra"], table["dec"] = where["ra"], where["dec"]
    with sky.serve() as service:
        one = served(table, "--server", service.url)
        page.goto(one.url)
        page.locator("figure.here").wait_for()
        page.keyboard.press("v")
        page.get_by_role("button", name="wider field").click()
        until(lambda: (page.locator(".fluxes").get_attribute("data-shown") or "").startswith("wide"))
        assert page.locator(".fluxes").get_attribute("data-bar") == "1′"
    page.get_by_role("button", name="Fetch a wider field").click()
    until(lambda: not page.locator(".fluxes").get_attribute("data-shown").startswith("wide"))
