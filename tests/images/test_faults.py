"""A picture that is no good is a status in its own row, with the same reason in every way it may come."""

import bz2
import gzip
import io
import lzma
import os
import re

import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import MaskedColumn, QTable, Table
from astropy.utils.masked import Masked
from PIL import Image

import galzoo_repr as gzr
from galzoo_repr.catalogue import provenance
from galzoo_repr.images import picture_of, read_image

GOOD = np.random.default_rng(0).integers(0, 255, (20, 20, 3)).astype(np.uint8)
RECIPE = gzr.ImageRecipe(size=16)


@pytest.fixture(scope="module")
def encoder():
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())
    return gzr.Encoder(network, RECIPE, name="mirror")


@pytest.fixture
def embed(encoder):
    def embed(table, images, encoder=encoder):
        return gzr.add_embeddings(
            table, images=images, encoder=encoder, embedding_store=False, progress=False
        )

    return embed


def fits_content(*units):
    """Content of a FITS file with images, each given with its header."""
    made = [fits.ImageHDU(pixels, fits.Header(header)) for pixels, header in units]
    first = made[0]
    made[0] = fits.PrimaryHDU() if first.data is None else fits.PrimaryHDU(first.data, first.header)
    buffer = io.BytesIO()
    fits.HDUList(made).writeto(buffer, output_verify="silentfix")
    return buffer.getvalue()


SKY = np.random.default_rng(1).normal(0, 0.1, (3, 20, 20)).astype(np.float32)
NAMED = {"BANDS": "grz"}
NO_PICTURES = {
    "None": (None, "missing", "no picture is given"),
    "masked": (np.ma.masked, "missing", "no picture is given"),
    "NaN": (float("nan"), "missing", "no picture is given"),
    "no name": ("", "missing", "no file is named"),
    "blanks": ("   ", "missing", "no file is named"),
    "a file that is gone": ("gone.png", "missing", "there is no file 'gone.png'"),
    "a file below a file": (__file__ + "/a.png", "missing", "there is no file"),
    "a name that cannot be": ("a\0b", "missing", "there is no file"),
    "an address": ("https://example.org/a.png", "missing", "is an address, not a file; download it first"),
    "a folder": (os.path.dirname(__file__), "corrupt", "is a folder, not a file"),
    "a device": (os.devnull, "corrupt", "is no regular file"),
    "a name that is too long": ("a" * 5000, "corrupt", "cannot be read"),
    "text": (b"<html>no", "corrupt", "neither FITS nor an image"),
    "nothing in a file": (b"", "truncated", "the file is empty"),
    "dictionary": ({"a": 1}, "corrupt", "a picture is a file, .* not dict"),
    "number": (7, "corrupt", "a picture is a file, .* not int"),
    "type": (dict, "corrupt", "a picture is a file, .* not type"),
    "ragged list": ([[1.0, 2.0], [3.0]], "corrupt", "inhomogeneous"),
    "one axis": (np.zeros(9), "corrupt", r"2 or 3 axes, not ndarray of shape \(9,\)"),
    "four axes": (np.zeros((1, 9, 9, 3)), "corrupt", "2 or 3 axes"),
    "seven colours": (np.zeros((9, 9, 7)), "corrupt", "no axis of 3 colours"),
    "0 x 0": (GOOD[:0, :0], "corrupt", "no pixels"),
    "0 x 20": (GOOD[:0], "corrupt", "no pixels"),
    "20 x 0": (GOOD[:, :0], "corrupt", "no pixels"),
    "0 x 0 of Pillow": (Image.new("RGB", (0, 0)), "corrupt", "no pixels"),
    "whole numbers": (GOOD.astype(np.int32), "corrupt", "pixels must be uint8 .* not int32"),
    "too bright": (GOOD / 200, "corrupt", "reach from 0 to 1.27"),
    "not finite": (np.where(GOOD > 250, np.nan, GOOD / 255), "corrupt", "not finite"),
    "sparse tensor": (torch.eye(9).to_sparse(), "corrupt", "[Ss]parse"),
    "junk below a mask": (np.ma.array(np.where(GOOD > 200, 1e20, GOOD / 255), mask=GOOD > 200), "partial", "masked"),
    "masked by astropy": (Masked(GOOD, mask=GOOD > 200), "partial", "of its pixels are masked"),
    "all masked": (np.ma.array(GOOD, mask=True), "missing", "100.0% of its pixels are masked"),
    "one grey": (np.full((9, 9, 3), 32, np.uint8), "partial", "every pixel of the image is the same"),
    "one blue": (np.full((9, 9, 3), [0, 0, 255], np.uint8), "partial", "every pixel of the image is the same"),
    "planes without names": (fits_content((SKY, {})), "band_missing", "3 planes whose header does not name"),
    "FITS of 4 axes": (fits_content((np.stack([SKY, SKY]), NAMED)), "corrupt", "4 axes, .2, 3, 20, 20."),
    "FITS of 1 axis": (fits_content((SKY[0, 0], NAMED)), "corrupt", "holds no image"),
    "FITS of weights alone": (fits_content((SKY, {**NAMED, "IMAGETYP": "INVVAR"})), "corrupt", "sky, but INVVAR"),
    "FITS of whole numbers": (fits_content((GOOD.T, NAMED)), "corrupt", "whole numbers .uint8. without a unit"),
    "FITS of a flat band": (fits_content((SKY * 0 + 5, NAMED)), "partial", "band g holds one value everywhere"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.* rows have no ")
@pytest.mark.parametrize("what", NO_PICTURES)
def test_one_bad_picture_is_a_status_in_its_row(what, embed, encoder):
    bad, status, reason = NO_PICTURES[what]
    image = read_image(bad)
    assert image.status == status, image.reason
    assert re.search(reason, image.reason)
    embedded = embed(Table({"id": range(3)}), [GOOD, bad, GOOD / 255])
    assert list(embedded["cutout_status"]) == ["ok", status, "ok"]
    assert np.isfinite(embedded["embedding"]).all(axis=1).tolist() == [True, False, True]
    assert provenance(embedded, "add_embeddings")["failed"] == {"1": image.reason}
    if not isinstance(bad, str):
        with pytest.raises(ValueError, match=f"cannot be used: {status}, .*{reason}"):
            gzr.find_similar(embedded, [GOOD, bad], encoder=encoder)


def test_not_one_good_picture_is_never_silent(embed):
    with pytest.warns(
        gzr.GalzooWarning, match=r"2 of 2 rows have no embedding \(missing 2\); .* in row 0: no file is named"
    ):
        assert set(embed(Table({"file": ["", "gone"]}), "file")["cutout_status"]) == {"missing"}
    with pytest.warns(
        gzr.GalzooWarning, match=r"1 of 1 rows have no embedding \(corrupt 1\); .* in row 0: neither"
    ):
        embed(Table({"id": [1]}), [b"<html>"])
    with pytest.raises(TypeError, match=r"images, row 1: .*not dict"):
        embed(Table({"id": range(3)}), [None, {"a": 1}, 7])


@pytest.mark.filterwarnings("ignore:.* rows have no ")
def test_masked_rows_of_a_column_of_pictures_are_missing(embed):
    pictures = np.stack([GOOD, GOOD[::-1], GOOD[:, ::-1]]) / 255
    pictures[1] = 1e20
    mask = np.zeros(pictures.shape, bool)
    mask[1], mask[2, 3, 4] = True, True
    for column in (
        MaskedColumn(pictures, mask=mask),
        np.ma.array(pictures, mask=mask),
        Masked(pictures, mask=mask),
    ):
        embedded = embed(QTable({"picture": column}), "picture")
        assert list(embedded["cutout_status"]) == ["ok", "missing", "partial"]
    embedded = embed(Table({"id": range(3)}), np.ma.array(pictures, mask=mask))
    assert list(embedded["cutout_status"]) == ["ok", "missing", "partial"]


def test_pictures_in_no_order_are_refused(embed):
    with pytest.raises(TypeError, match="one for each row, not set"):
        embed(Table({"id": [1, 2]}), {"a.png", "b.png"})


@pytest.mark.filterwarnings("ignore:.* rows have no ")
def test_colours_are_no_fluxes(embed, encoder):
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())
    fluxes = gzr.Encoder(network, gzr.ImageRecipe(size=16, stretch="none"), name="fluxes")
    embedded = embed(Table({"id": range(2)}), [fits_content((SKY, NAMED)), GOOD], fluxes)
    assert list(embedded["cutout_status"]) == ["ok", "band_missing"]
    with pytest.raises(ValueError, match="band_missing, fluxes are wanted"):
        gzr.find_similar(embedded, GOOD, encoder=fluxes)


def test_a_file_that_may_not_be_read_is_corrupt(tmp_path, monkeypatch):
    path = tmp_path / "mine.png"
    path.write_bytes(b"secret")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    image = read_image(path)
    assert (image.status, image.reason) == ("corrupt", "the file cannot be read: Permission denied")


WEIGHTS = [
    {"EXTNAME": name}
    for name in ("INVVAR", "ivar", "WEIGHT", "WHT", "VARIANCE", "ERR", "MASK", "DQ", "sky_mask")
]


@pytest.mark.parametrize("header", [*WEIGHTS, {"IMAGETYP": "invvar"}, {"HDUCLAS2": "ERROR"}], ids=str)
def test_extensions_that_are_no_sky_are_passed_over(header):
    weights, sky = (np.full_like(SKY, 5), {**NAMED, **header}), (SKY, {**NAMED, "EXTNAME": "IMAGE"})
    for units in ([weights, sky], [(None, {}), weights, sky], [sky, weights]):
        np.testing.assert_array_equal(read_image(fits_content(*units)).pixels, SKY)


@pytest.mark.parametrize("shape", [(1, 3, 20, 20), (3, 1, 20, 20), (1, 1, 3, 20, 20)])
def test_axes_of_length_one_are_no_more_planes(shape):
    np.testing.assert_array_equal(read_image(fits_content((SKY.reshape(shape), NAMED))).pixels, SKY)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_files_are_unpacked(pack):
    content = pack(fits_content((SKY, NAMED)))
    np.testing.assert_array_equal(read_image(content).pixels, SKY)
    assert read_image(content[: len(content) // 2]).status in ("truncated", "corrupt")


def test_whole_numbers_with_a_unit_are_fluxes():
    image = read_image(fits_content(((SKY * 1000).astype(np.int16), {**NAMED, "BUNIT": "nanomaggy"})))
    assert (image.status, image.kind) == ("ok", "bands")


def test_a_picture_of_nothing_is_missing():
    assert [picture_of(one).status for one in (None, "", np.float32("nan"))] == ["missing"] * 3
