"""The range of numbers is told by their type alone, by whichever way they come."""

import io
import struct

import numpy as np
import pytest
import torch
from astropy import units as u
from astropy.table import Column, Table
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp
from PIL import Image

import galzoo_repr as gzr
from galzoo_repr.images import pictures_of, read_image


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def opened(content):
    return Image.open(io.BytesIO(content))


def grey_tiff(pixels, *, bits=None, white_is_zero=False):
    """Content of a plain TIFF file of one grey plane, of any type of numbers."""
    body, (height, width) = pixels.tobytes(), pixels.shape
    form = {"u": 1, "i": 2, "f": 3}[pixels.dtype.kind]
    tags = {256: width, 257: height, 258: bits or 8 * pixels.itemsize, 259: 1, 262: int(not white_is_zero),
            273: 8 + 2 + 12 * 10 + 4, 277: 1, 278: height, 279: len(body), 339: form}  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + body


def assert_shows(image, expected, *, within=1e-6):
    """Colours of a picture in 0 to 1, whichever numbers it is made of."""
    assert image.status == "ok", image.reason
    pixels = image.pixels / 255 if image.pixels.dtype == np.uint8 else image.pixels
    expected = np.broadcast_to(expected[..., None] if expected.ndim == 2 else expected, pixels.shape)
    np.testing.assert_allclose(pixels, expected, atol=within)


SIXTEEN_BITS = {
    "array": lambda x: x,
    "big-endian array": lambda x: x.astype(">u2"),
    "array with an axis of one": lambda x: x[None],
    "array in colour": lambda x: np.stack([x] * 3),
    "opaque array": lambda x: np.stack([x, x, x, np.full_like(x, 65535)], axis=-1),
    "tensor": lambda x: torch.from_numpy(x),
    "floats": lambda x: x / 65535,
    "image of Pillow": Image.fromarray,
    "big-endian image of Pillow": lambda x: Image.fromarray(x.astype(">u2")),
    "floating image of Pillow": lambda x: Image.fromarray((x / 65535).astype(np.float32)),
    "PNG": lambda x: saved(Image.fromarray(x), "PNG"),
    "opened PNG": lambda x: opened(saved(Image.fromarray(x), "PNG")),
    "TIFF": lambda x: saved(Image.fromarray(x), "TIFF"),
    "packed TIFF": lambda x: saved(Image.fromarray(x), "TIFF", compression="tiff_deflate"),
    "TIFF in which zero is white": lambda x: grey_tiff(65535 - x, white_is_zero=True),
    "floating TIFF": lambda x: grey_tiff((x / 65535).astype(np.float32)),
    "JPEG 2000": lambda x: saved(Image.fromarray(x), "JPEG2000"),
    "PGM": lambda x: b"P5 %d %d 65535\n" % x.shape[::-1] + x.astype(">u2").tobytes(),
    "opened PGM": lambda x: opened(b"P5 %d %d 65535\n" % x.shape[::-1] + x.astype(">u2").tobytes()),
}
PICTURES = stnp.arrays(np.uint16, (33, 35), elements=st.integers(0, 65535)).map(
    lambda x: np.where(np.eye(33, 35, dtype=bool), np.uint16(40000), x)
)


@pytest.mark.parametrize("form", SIXTEEN_BITS)
@given(pixels=PICTURES, depth=st.sampled_from([8, 12, 16]))
@settings(max_examples=8, deadline=None)
def test_numbers_of_16_bits_have_the_range_of_16_bits(form, pixels, depth):
    pixels = pixels >> np.uint16(16 - depth)
    assert_shows(read_image(SIXTEEN_BITS[form](pixels)), pixels / 65535)


@pytest.mark.parametrize(
    "make", [lambda x: x, Image.fromarray, lambda x: saved(Image.fromarray(x), "PNG"), torch.from_numpy]
)
def test_truth_is_white(make):
    assert_shows(read_image(make(np.eye(9) > 0)), np.eye(9))


def test_colours_of_16_bits_in_a_file_are_what_pillow_makes_of_them():
    pixels = np.random.default_rng(1).integers(0, 65536, (7, 8, 3)).astype(np.uint16)
    content = b"P6 8 7 65535\n" + pixels.astype(">u2").tobytes()
    assert_shows(read_image(content), pixels / 65535, within=1.01 / 255)


def test_a_file_of_12_bits_has_the_range_of_12_bits():
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8) * 65
    low, high = pixels[:, ::2], pixels[:, 1::2]
    packed = np.stack([low >> 4, (low & 15) << 4 | high >> 8, high & 255], axis=-1).astype(np.uint8)
    content = grey_tiff(packed.reshape(8, -1), bits=12)
    content = content.replace(struct.pack("<HHII", 256, 4, 1, 12), struct.pack("<HHII", 256, 4, 1, 8))
    assert_shows(read_image(content), pixels / 4095)
    assert_shows(read_image(b"P5 8 8 4095\n" + pixels.astype(">u2").tobytes()), pixels / 4095, within=1e-5)


RAMP = np.linspace(0, 1, 63).reshape(7, 9)
UNKNOWN = {
    **{name: (RAMP * 100).astype(name) for name in ("int8", "int16", "int32", "int64", "uint32", "uint64")},
    "complex": RAMP.astype(complex),
    "objects": RAMP.astype(object),
    "texts": RAMP.astype(str),
    "floats to 255": RAMP * 255,
    "floats below zero": RAMP - 0.5,
    "infinite": np.where(RAMP == 1, np.inf, RAMP),
    "not a number": np.where(RAMP == 1, np.nan, RAMP),
    "fluxes": RAMP * u.nJy,
    "percent": RAMP * 100 * u.percent,
    "tensor of int32": torch.from_numpy((RAMP * 255).astype(np.int32)),
    "Pillow, 32 bits": Image.fromarray((RAMP * 255).astype(np.int32)),
    "Pillow, 31 bits": Image.fromarray((RAMP * (2**31 - 1)).astype(np.int32)),
    "Pillow, floats to 255": Image.fromarray((RAMP * 255).astype(np.float32)),
    "Pillow, not a number": Image.fromarray(np.where(RAMP == 1, np.nan, RAMP).astype(np.float32)),
    "TIFF of 32 bits": grey_tiff((RAMP * 2**31).astype(np.uint32)),
    "TIFF of 32 bits with a sign": grey_tiff((RAMP * 2**30).astype(np.int32)),
    "TIFF of 16 bits with a sign": grey_tiff((RAMP * 2**15 - 1).astype(np.int16)),
    "TIFF of 8 bits with a sign": grey_tiff((RAMP * 127).astype(np.int8)),
    "TIFF of floats to 1000": grey_tiff((RAMP * 1000).astype(np.float32)),
}


@pytest.mark.parametrize("form", UNKNOWN)
def test_what_has_no_known_range_is_refused(form):
    image = read_image(UNKNOWN[form])
    assert (image.status, image.pixels) == ("corrupt", None)
    assert any(word in image.reason for word in ("range", "0 to 1", "not finite", "no colours")), image.reason


@pytest.mark.parametrize("images", [RAMP[None] * u.nJy, Column(RAMP[None], unit="Jy")])
def test_fluxes_are_not_taken_for_colours(images):
    with pytest.raises(ValueError, match="Jy are no colours; give fluxes as FITS files"):
        pictures_of(Table({"id": [1]}), images)
    with pytest.raises(ValueError, match="Jy are no colours"):
        pictures_of(Table({"id": [1], "seen": images}), "seen")


@pytest.mark.parametrize("mode", ["La", "RGBa", "RGBX", "YCbCr", "HSV", "LAB"])
def test_rarer_modes_of_pillow_show_what_they_are(mode):
    colours = np.random.default_rng(2).integers(0, 255, (20, 20, 3)).astype(np.uint8)
    through = {"La": ["L", "LA", "La"], "RGBa": ["RGBA", "RGBa"]}.get(mode, [mode])
    image = Image.fromarray(colours)
    if mode == "LAB":
        image = Image.merge(
            "LAB", [Image.fromarray(colours[..., 0]), *(Image.new("L", (20, 20), 0) for _ in "ab")]
        )
        expected = image.convert("RGB")
    else:
        expected = image.convert("L").convert("RGB") if mode == "La" else image
        for one in through:
            image = image.convert(one)
    assert_shows(read_image(image), np.asarray(expected) / 255, within=6 / 255)


def test_what_is_transparent_in_a_palette_is_black():
    colours = np.random.default_rng(2).integers(1, 255, (20, 20, 3)).astype(np.uint8)
    image = Image.fromarray(colours).convert("P")
    first = image.getpixel((0, 0))
    expected = np.array(image.convert("RGB")) * (np.asarray(image) != first)[..., None]
    for source in (saved(image, "PNG", transparency=first), saved(image, "GIF", transparency=first)):
        assert_shows(read_image(source), expected / 255)
        assert_shows(read_image(opened(source)), expected / 255)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP", "PNG"])
def test_of_several_frames_the_first_is_read(kind):
    first, second = (Image.new("RGB", (16, 16), colour) for colour in ("red", "blue"))
    first.putpixel((0, 0), (0, 255, 0))
    content = saved(
        first, kind, save_all=True, append_images=[second], **({"lossless": True} if kind == "WEBP" else {})
    )
    assert_shows(read_image(content), np.asarray(first) / 255)
    assert_shows(read_image(opened(content)), np.asarray(first) / 255)
    image = opened(content)
    image.seek(1)
    assert read_image(image).status == "partial", "an image of Pillow shows the frame at which it is"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_the_orientation_of_a_camera_is_obeyed(kind, orientation):
    stored = Image.fromarray(
        np.arange(20 * 24 * 3, dtype=np.uint32).reshape(20, 24, 3).astype(np.uint8)
    ).resize((48, 40))
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(
        stored, kind, exif=exif, **{"JPEG": {"quality": 100}, "WEBP": {"lossless": True}}.get(kind, {})
    )
    how = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270",
           7: "TRANSVERSE", 8: "ROTATE_90"}.get(orientation)  # fmt: skip
    expected = opened(
        saved(stored, kind, **{"JPEG": {"quality": 100}, "WEBP": {"lossless": True}}.get(kind, {}))
    )
    expected = expected.transpose(Image.Transpose[how]) if how else expected
    loaded = opened(content)
    loaded.load()
    for source in (content, opened(content), loaded):
        assert_shows(read_image(source), np.asarray(expected) / 255, within=0.51 / 255)


def test_a_picture_with_faulty_exif_is_read():
    pixels = np.random.default_rng(3).integers(0, 255, (8, 8, 3)).astype(np.uint8)
    content = saved(Image.fromarray(pixels), "PNG", exif=b"Exif\0\0nonsense")
    assert_shows(read_image(content), pixels / 255)


def test_the_bundled_encoder_sees_one_picture_in_all_of_them():
    y, x = np.mgrid[:96, :96]
    light = 0.9 * np.exp(-((x - 48) ** 2) / 200 - (y - 48) ** 2 / 60) + 0.02
    pixels = (light * 65535).astype(np.uint16)
    images = [make(pixels) for make in SIXTEEN_BITS.values()]
    table = gzr.add_embeddings(
        Table({"id": range(len(images))}), images=images, embedding_store=False, progress=False
    )
    assert set(table["cutout_status"]) == {"ok"}
    vectors = np.asarray(table["embedding"]) / np.linalg.norm(table["embedding"], axis=1, keepdims=True)
    assert (vectors @ vectors[0]).min() > 1 - 1e-5
    # An array of floats with two axes is a list of embeddings to a query.
    for image in (one for form, one in zip(SIXTEEN_BITS, images, strict=True) if form != "floats"):
        nearest = gzr.find_similar(table, image, n=1)
        assert nearest["similarity"][0] > 1 - 1e-5
