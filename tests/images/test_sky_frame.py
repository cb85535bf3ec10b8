"""How pictures lie on the sky: out of FITS headers, and out of the record of how cutouts were fetched."""

import gzip

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

import galzoo_repr as gzr
from galzoo_repr.catalogue import record_provenance
from galzoo_repr.images import ImageRecipe, on_the_sky, read_pictures, sky_frames

SCALE = 0.4  # arcsec
SIDE = 101


def turned_wcs(angle: float, mirrored: bool = False, kind: str = "ICRS") -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["GLON-TAN", "GLAT-TAN"] if kind == "galactic" else ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval, wcs.wcs.crpix = (150.0, 2.0), (51.0, 51.0)
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    wcs.wcs.cd = SCALE / 3600 * np.array([[-cos, -sin], [-sin, cos]])
    if mirrored:
        wcs.wcs.cd[:, 0] *= -1
    wcs.wcs.set()
    return wcs


def write(path, wcs: WCS | None, lit: list[tuple[int, int]] = (), shape=(SIDE, SIDE)) -> str:
    header = fits.Header() if wcs is None else wcs.to_header()
    header["BANDS"] = "grz"
    planes = np.random.default_rng(0).normal(0, 1e-3, (3, *shape)).astype("f4")
    for x, y in lit:
        planes[:, y - 2 : y + 3, x - 2 : x + 3] = 50
    fits.PrimaryHDU(planes, header).writeto(path)
    return str(path)


def direction_of_light(picture: np.ndarray) -> float:
    """Degrees counter-clockwise from up at which the brightest part of a picture is, from its middle."""
    light = picture.sum(axis=-1).astype(float) ** 4
    rows, columns = np.indices(light.shape) - (len(light) - 1) / 2
    return float(np.degrees(np.arctan2(-(light * columns).sum(), -(light * rows).sum())))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("angle", [0, 35, 160, 270])
@pytest.mark.parametrize("to", ["north", "east"])
def test_arrows_point_to_what_is_north_and_east_in_the_picture(tmp_path, angle, mirrored, to):
    wcs = turned_wcs(angle, mirrored)
    star = wcs.pixel_to_world(50, 50).directional_offset_by(
        (0 if to == "north" else 90) * u.deg, 14 * u.arcsec
    )
    x, y = (int(np.rint(value)) for value in wcs.world_to_pixel(star))
    table = Table({"cutout": [write(tmp_path / "a.fits", wcs, [(x, y)])]})
    frames = sky_frames(table, "cutout")
    seen = direction_of_light(read_pictures(table["cutout"], size=SIDE)[0])
    arrow = getattr(frames, to).to_value(u.deg)[0]
    assert abs((arrow - seen + 180) % 360 - 180) < 3
    assert frames.fov.to_value(u.arcsec)[0] == pytest.approx(SIDE * SCALE, rel=1e-3)


def test_north_is_that_of_the_equator_in_galactic_images(tmp_path):
    wcs = turned_wcs(0, kind="galactic")
    frames = sky_frames(Table({"cutout": [write(tmp_path / "a.fits", wcs)]}), "cutout")
    pole = wcs.pixel_to_world(50, 50).icrs
    assert abs(frames.north[0]) > 5 * u.deg
    higher = wcs.world_to_pixel(pole.directional_offset_by(0 * u.deg, 1 * u.arcsec))
    assert np.tan(frames.north[0]).value == pytest.approx(-(higher[0] - 50) / (higher[1] - 50), rel=1e-3)


def test_the_shorter_side_counts_and_files_may_be_compressed(tmp_path):
    file = write(tmp_path / "a.fits", turned_wcs(0), shape=(60, SIDE))
    packed = tmp_path / "a.fits.gz"
    packed.write_bytes(gzip.compress((tmp_path / "a.fits").read_bytes()))
    frames = sky_frames(Table({"cutout": [file, str(packed)]}), "cutout")
    assert frames.fov.to_value(u.arcsec) == pytest.approx(60 * SCALE, rel=1e-3)


@pytest.mark.parametrize(
    "content", [b"", b"no picture", b"SIMPLE  = nonsense", b"\x1f\x8bnothing", None, "plain"]
)
def test_what_tells_nothing_of_the_sky_is_not_known(tmp_path, content):
    path = tmp_path / "a.fits"
    if content == "plain":
        write(path, None)
    elif content is not None:
        path.write_bytes(content)
    frames = sky_frames(Table({"cutout": [str(path), ""]}), "cutout")
    assert np.isnan([frames.fov.value, frames.north.value, frames.east.value]).all()


def test_files_without_a_header_lie_as_they_were_asked_for(tmp_path):
    from PIL import Image

    Image.new("RGB", (50, 50)).save(tmp_path / "a.png")
    table = Table({"cutout": [str(tmp_path / "a.png"), ""], "petro_th50": [3.0, 3.0]})
    assert np.isnan(sky_frames(table, "cutout").fov).all()
    facts = {"survey": "one", "name": "cutout", "recipe": ImageRecipe().to_dict()}
    record_provenance(table, "add_cutouts", facts)
    frames = sky_frames(table, "cutout")
    assert frames.fov.to_value(u.arcsec) == pytest.approx([424 * 0.12, np.nan], nan_ok=True)
    assert frames.north.to_value(u.deg) == pytest.approx([0, np.nan], nan_ok=True)
    record_provenance(table, "add_cutouts", facts | {"fov": 20 * u.arcsec})
    assert sky_frames(table, "cutout").fov[0] == 20 * u.arcsec
    assert on_the_sky(table)["fov"][0] == gzr.images.CENTRE * 20 * u.arcsec
    for other in ({"fov_per_row": True}, {"name": "picture"}, {"survey": None}, {"recipe": {}}):
        record_provenance(table, "add_cutouts", facts | other)
        assert np.isnan(sky_frames(table, "cutout").fov).all()


def test_images_that_are_no_squares_are_not_squeezed():
    pixels = np.zeros((60, 120, 3), np.uint8)
    pixels[20:40, 50:70] = 250
    shown = read_pictures([pixels, pixels.swapaxes(0, 1)], size=60)
    for picture in shown:
        rows, columns = np.nonzero(picture[..., 0] > 125)
        assert np.ptp(rows) == np.ptp(columns)
