"""Every file becomes finite pixels or a status."""

import gzip

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from galzoo_repr.images import read_image


def test_fits_gives_the_numbers_that_astropy_gives(fluxes, fits_bytes, tmp_path):
    path = tmp_path / "galaxy.fits"
    path.write_bytes(fits_bytes(fluxes))
    for source in (path, str(path), path.read_bytes()):
        image = read_image(source)
        assert (image.kind, image.status, image.reason) == ("bands", "ok", "")
        assert image.pixels.dtype == np.float32
        assert image.pixels.dtype.isnative
        np.testing.assert_array_equal(image.pixels, fits.getdata(path))


def test_bands_come_in_the_order_asked_for(fluxes, fits_bytes):
    content = fits_bytes(fluxes)
    np.testing.assert_array_equal(read_image(content, "zg").pixels, fluxes[[2, 0]])
    np.testing.assert_array_equal(read_image(content, "r").pixels, fluxes[[1]])


@pytest.mark.parametrize("bands", ["grz", "griz", "g"])
def test_planes_without_names_are_nobodys_bands(bands, fluxes, fits_bytes):
    image = read_image(fits_bytes(fluxes, bands=None), bands)
    assert (image.status, image.pixels) == ("band_missing", None)
    assert f"3 planes whose header does not name their bands, without {bands[0]}" in image.reason
    assert f"such as BANDS = '{bands}'" in image.reason


def test_one_plane_needs_no_name(fluxes, fits_bytes):
    np.testing.assert_array_equal(read_image(fits_bytes(fluxes[0], bands=None), "r").pixels, fluxes[:1])


@pytest.mark.parametrize("how", ["g,r,z", "g, r, z", "g|r|z", "one by one"])
def test_bands_are_named_in_several_ways(how, fluxes, fits_bytes):
    names = {"BAND0": "g", "BAND1": "r", "BAND2": "z"} if how == "one by one" else {}
    image = read_image(fits_bytes(fluxes, bands=None if names else how, **names), "zr")
    np.testing.assert_array_equal(image.pixels, fluxes[[2, 1]])


def test_single_band_is_two_dimensional(fluxes, fits_bytes):
    image = read_image(fits_bytes(fluxes[1], bands="r"), "r")
    np.testing.assert_array_equal(image.pixels, fluxes[[1]])


def test_missing_band_is_named(fluxes, fits_bytes):
    image = read_image(fits_bytes(fluxes), "griz")
    assert (image.status, image.pixels) == ("band_missing", None)
    assert "without i" in image.reason


def test_header_that_promises_more_bands_than_planes_is_corrupt(fluxes, fits_bytes):
    assert read_image(fits_bytes(fluxes[:2], bands="grz")).status == "corrupt"


@pytest.mark.parametrize("form", ["scaled", "float64", "extension", "compressed", "gzip"])
def test_unusual_fits_is_read_by_astropy(form, fluxes, fits_bytes):
    tolerance = 1e-6
    if form == "scaled":
        unit = fits.PrimaryHDU(fluxes.copy())
        unit.scale("int16", bscale=1e-3, bzero=1.0)
        content, tolerance = fits_bytes(None, unit=unit), 1e-3
    elif form == "float64":
        content = fits_bytes(fluxes.astype(float))
    elif form == "extension":
        content = fits_bytes(None, unit=fits.ImageHDU(fluxes))
    elif form == "compressed":
        unit = fits.CompImageHDU(fluxes, compression_type="RICE_1", quantize_level=64)
        content, tolerance = fits_bytes(None, unit=unit), 2e-3
    else:
        content = gzip.compress(fits_bytes(fluxes))
    image = read_image(content)
    assert image.status == "ok", image.reason
    assert image.pixels.dtype == np.float32
    np.testing.assert_allclose(image.pixels, fluxes, atol=tolerance)


@pytest.mark.parametrize("fill", [0.0, np.nan, np.inf])
@pytest.mark.parametrize(("columns", "status"), [(11, "ok"), (12, "partial"), (60, "partial")])
def test_fifth_of_a_band_missing_is_partial(fill, columns, status, fluxes, fits_bytes):
    fluxes[1, :, :columns] = fill
    image = read_image(fits_bytes(fluxes))
    assert image.status == status
    assert np.isfinite(image.pixels).all()
    assert (image.pixels[1, :, :columns] == 0).all()
    if status == "partial":
        assert "of band r has no data" in image.reason


@pytest.mark.parametrize("form", ["plain", "compressed"])
@pytest.mark.parametrize("part", [0.02, 0.3, 0.9])
def test_cut_off_fits_is_no_image(form, part, fluxes, fits_bytes):
    unit = fits.CompImageHDU(fluxes) if form == "compressed" else None
    content = fits_bytes(fluxes, unit=unit)
    image = read_image(content[: int(part * len(content))])
    assert image.status in ("truncated", "corrupt")
    assert image.pixels is None
    assert image.reason
    if form == "plain":
        assert image.status == "truncated"


def test_unpadded_fits_is_complete(fluxes, fits_bytes):
    content = fits_bytes(fluxes)
    padding = -fluxes.nbytes % 2880
    np.testing.assert_array_equal(read_image(content[: len(content) - padding]).pixels, fluxes)


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", "truncated"),
        (b"<html><h1>Server Error (500)</h1></html>", "corrupt"),
        (b"no such layer", "corrupt"),
        (b"SIMPLE  =                    T", "truncated"),
        (b"\x1f\x8b" + bytes(40), "corrupt"),
        (gzip.compress(bytes(10_000), mtime=0)[:20], "truncated"),
        (b"\xff\xd8\xff\xe0" + bytes(100), "corrupt"),
    ],
)
def test_what_is_no_image_is_said(content, status):
    image = read_image(content)
    assert (image.status, image.pixels, image.kind) == (status, None, "")


@pytest.mark.parametrize("card", ["NAXIS1  = 'wide'", "NAXIS1  =                   -4"])
def test_header_without_sense_is_corrupt(card, fluxes, fits_bytes):
    content = fits_bytes(fluxes)
    start = content.index(b"NAXIS1")
    broken = content[:start] + card.ljust(80).encode() + content[start + 80 :]
    assert read_image(broken).status == "corrupt"


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_colour_image_is_rgb(kind, picture_bytes):
    pixels = np.linspace(0, 255, 40 * 30 * 3).reshape(40, 30, 3).astype(np.uint8)
    image = read_image(picture_bytes(pixels, kind=kind))
    assert (image.kind, image.status, image.pixels.dtype) == ("rgb", "ok", np.uint8)
    np.testing.assert_allclose(image.pixels.astype(int), pixels.astype(int), atol=0 if kind == "PNG" else 12)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_every_mode_becomes_three_colours(mode, picture_bytes):
    pixels = np.random.default_rng(0).integers(0, 255, (20, 20, 3), dtype=np.uint8)
    kind = "TIFF" if mode == "CMYK" else "PNG"
    image = read_image(picture_bytes(pixels, mode=mode, kind=kind))
    assert (image.pixels.shape, image.status) == ((20, 20, 3), "ok")


def test_opaque_rgba_keeps_its_colours_and_transparency_is_black(picture_bytes):
    pixels = np.random.default_rng(0).integers(1, 255, (20, 20, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    pixels[5, 5, 3] = 0
    shown = read_image(picture_bytes(pixels)).pixels
    assert (shown[5, 5] == 0).all()
    pixels[5, 5, :3] = 0
    np.testing.assert_array_equal(shown, pixels[..., :3])


def test_sixteen_bit_grey_keeps_its_range(picture_bytes):
    pixels = np.linspace(0, 65535, 400).reshape(20, 20).astype(np.uint16)
    image = read_image(picture_bytes(Image.fromarray(pixels)))
    np.testing.assert_allclose(image.pixels, np.repeat(pixels[..., None] / 65535, 3, axis=-1), atol=1e-6)


def test_cut_off_jpeg_is_truncated(picture_bytes):
    pixels = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    content = picture_bytes(pixels, kind="JPEG")
    assert read_image(content[: len(content) // 2]).status == "truncated"


def test_blank_picture_is_partial(picture_bytes):
    blank = np.full((20, 20, 3), 32, dtype=np.uint8)
    image = read_image(picture_bytes(blank))
    assert (image.status, image.reason) == ("partial", "every pixel of the image is the same")


def test_picture_too_large_to_be_true_is_corrupt(picture_bytes, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    pixels = np.random.default_rng(0).integers(0, 255, (20, 20, 3), dtype=np.uint8)
    assert read_image(picture_bytes(pixels)).status == "corrupt"


@pytest.mark.real_data
def test_real_cutouts_are_finite_or_have_a_status(real_data):
    expected = {"truncated.fits": "truncated", "galaxy_bad_pix.fits": "partial"}
    paths = sorted((real_data / "decals_fits").iterdir())
    assert len(paths) > 10
    for path in paths:
        image = read_image(path)
        assert image.status == expected.get(path.name, "ok"), path.name
        if image.status != "truncated":
            assert np.isfinite(image.pixels).all()
        if path.suffix == ".fits" and image.status == "ok":
            np.testing.assert_array_equal(image.pixels, fits.getdata(path))
