"""Every verb takes pictures in the same forms, and sees the same pixels in them."""

import io

import numpy as np
import pytest
import torch
from astropy.table import Table
from PIL import Image

import galzoo_repr as gzr
from galzoo_repr.images import picture_of, pictures_of, read_image, read_pictures
from galzoo_repr.training import decode_images

RECIPE = gzr.ImageRecipe(size=32, crop=0.8)
N = 12
VERBS = ("add_embeddings", "find_similar", "finetune", "pretrain", "read_pictures")
REFUSING = ("add_embeddings", "find_similar", "finetune", "pretrain")


@pytest.fixture(scope="module")
def encoder():
    """Its embedding of a picture is what it sees of it: 16 colours of red, of green and of blue."""
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(4), torch.nn.Flatten())
    return gzr.Encoder(network, RECIPE, name="mirror")


@pytest.fixture(scope="module")
def colours():
    """Twelve pictures, uint8 of shape (12, 40, 44, 3)."""
    coarse = np.random.default_rng(3).integers(0, 255, (N, 10, 11, 3), dtype=np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


def encoded(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def files(pixels, folder):
    paths = [folder / f"{row}.png" for row in range(len(pixels))]
    for path, one in zip(paths, pixels, strict=True):
        path.write_bytes(encoded(one))
    return paths


def folder(path, name):
    made = path / str(name)
    made.mkdir()
    return made


def with_alpha(pixels):
    """Transparent in one corner, where the colours are noise, and half transparent in another."""
    alpha = np.full_like(pixels[..., :1], 255)
    alpha[..., :10, :10, :] = 0
    alpha[..., -10:, -10:, :] = 128
    return np.concatenate([pixels, alpha], axis=-1)


# One picture in each form: what it is made of, and how.
FORMS = {
    "file": ("rgb", lambda one, folder: str(files([one], folder)[0])),
    "path": ("rgb", lambda one, folder: files([one], folder)[0]),
    "bytes": ("rgb", lambda one, _: encoded(one)),
    "Pillow": ("rgb", lambda one, _: Image.fromarray(one)),
    "Pillow, not loaded": ("rgb", lambda one, _: Image.open(io.BytesIO(encoded(one)))),
    "uint8": ("rgb", lambda one, _: one),
    "colour first": ("rgb", lambda one, _: np.moveaxis(one, -1, 0)),
    "float64": ("rgb", lambda one, _: one / 255),
    "float32, big-endian": ("rgb", lambda one, _: (one / 255).astype(">f4")),
    "tensor": ("rgb", lambda one, _: torch.from_numpy(one)),
    "tensor, colour first": ("rgb", lambda one, _: torch.from_numpy(one).permute(2, 0, 1)),
    "tensor of floats": ("rgb", lambda one, _: (torch.from_numpy(one) / 255).requires_grad_()),
    "file, grey": ("grey", lambda one, folder: files([one], folder)[0]),
    "Pillow, grey": ("grey", lambda one, _: Image.fromarray(one)),
    "uint8, grey": ("grey", lambda one, _: one),
    "uint8, grey, an axis last": ("grey", lambda one, _: one[..., None]),
    "float, grey, an axis first": ("grey", lambda one, _: one[None] / 255),
    "tensor, grey": ("grey", lambda one, _: torch.from_numpy(one)),
    "file, transparent": ("rgba", lambda one, folder: files([one], folder)[0]),
    "Pillow, transparent": ("rgba", lambda one, _: Image.fromarray(one)),
    "uint8, transparent": ("rgba", lambda one, _: one),
    "float, transparent, colour first": ("rgba", lambda one, _: np.moveaxis(one, -1, 0) / 255),
}


@pytest.fixture(scope="module")
def kinds(colours):
    """Pictures as they are made, and the colours that should be seen in them."""
    grey, layered = colours[..., 1], with_alpha(colours)
    alpha = layered[..., 3:].astype(float) / 255
    return {
        "rgb": (colours, colours),
        "grey": (grey, np.repeat(grey[..., None], 3, axis=-1)),
        "rgba": (layered, (colours * alpha).round().astype(np.uint8)),
    }


class Enough(Exception):
    """What a verb would do with the pictures is of no interest here."""


@pytest.fixture
def see(encoder, monkeypatch, tmp_path):
    """Show pictures to a verb; what comes back are its embeddings, or the fields that it would train on."""
    table = Table({"embedding": np.eye(N, encoder.dim, dtype=np.float32), "label": np.arange(N) % 2})
    table["embedding"].info.meta = {"encoder_digest": encoder.digest, "encoders": [encoder.digest]}
    table["ring_yes"] = np.arange(N) % 3
    table["ring_no"] = 2 - table["ring_yes"]
    fields = []

    def decode(pictures, recipe, folder, **options):
        fields.append(decode_images(pictures, recipe, tmp_path / "decoded", progress=False).pixels / 255)
        raise Enough

    for module in ("finetuning._backbone", "pretraining._run"):
        monkeypatch.setattr(f"galzoo_repr.{module}.decode_images", decode)

    def embedded(table, images):
        options = {"encoder": encoder, "embedding_store": False, "progress": False}
        return np.asarray(gzr.add_embeddings(table, images=images, name="seen", **options)["seen"])

    def compared(table, images):
        images = table[images] if isinstance(images, str) else images
        together = gzr.add_similarity(table, list(images), encoder=encoder, combine="mean")["similarity"]
        each = [gzr.add_similarity(table, image, encoder=encoder)["similarity"] for image in images]
        np.testing.assert_allclose(together, np.mean(each, axis=0), atol=1e-4)
        return np.array(each)

    def tuned(table, images):
        with pytest.raises(Enough):
            gzr.finetune(table, "label", depth=1, images=images, encoder=encoder, progress=False)
        return fields.pop()

    def trained(table, images):
        options = {"schema": "gz_rings", "architecture": "lcnet_035", "recipe": RECIPE, "progress": False}
        with pytest.raises(Enough):
            gzr.pretrain(table, images=images, **options)
        return fields.pop()

    def shown(table, images):
        return np.array(read_pictures(table[images] if isinstance(images, str) else images, size=32)) / 255

    verbs = dict(zip(VERBS, (embedded, compared, tuned, trained, shown), strict=True))

    def see(verb, images, **columns):
        given = table.copy()
        for name, column in columns.items():
            given[name] = column
        return verbs[verb](given, images)

    return see


def assert_same(seen, expected, kind):
    """Equal; transparent numbers but for the rounding to 8 bits, which is less than what tells galaxies apart."""
    assert np.abs(np.diff(expected, axis=0)).reshape(N - 1, -1).max(axis=1).min() > 10 / 255
    np.testing.assert_allclose(seen, expected, atol=1.01 / 255 if kind == "rgba" else 1e-5)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_picture_is_the_same_to_every_verb(form, verb, kinds, see, tmp_path):
    kind, make = FORMS[form]
    given, expected = kinds[kind]
    images = [make(one, folder(tmp_path, row)) for row, one in enumerate(given)]
    assert_same(see(verb, images), see(verb, files(expected, folder(tmp_path, "expected"))), kind)


# All pictures of a catalogue: what they are made of, and how, as a value or as a column.
ALL = {
    "column of files": ("rgb", lambda all, path: {"picture": [str(one) for one in files(all, path)]}),
    "column of bytes, as FITS has it": (
        "rgb",
        lambda all, path: {"picture": np.array([str(one).encode() for one in files(all, path)])},
    ),
    "column of arrays": ("rgb", lambda all, _: {"picture": all}),
    "column of floats, colour first": ("rgb", lambda all, _: {"picture": np.moveaxis(all, -1, 1) / 255}),
    "column of objects": ("rgb", lambda all, path: {"picture": objects(mixed(all, path))}),
    "array of files": ("rgb", lambda all, path: np.array([str(one) for one in files(all, path)])),
    "forms mixed": ("rgb", lambda all, path: mixed(all, path)),
    "array, colour last": ("rgb", lambda all, _: all),
    "array, colour first": ("rgb", lambda all, _: np.moveaxis(all, -1, 1)),
    "array of floats": ("rgb", lambda all, _: (all / 255).astype(np.float32)),
    "tensor, colour first": ("rgb", lambda all, _: torch.from_numpy(all).permute(0, 3, 1, 2)),
    "tensor of floats": ("rgb", lambda all, _: torch.from_numpy(all / 255)),
    "array, grey": ("grey", lambda all, _: all),
    "array, grey, an axis last": ("grey", lambda all, _: all[..., None] / 255),
    "tensor, grey, an axis first": ("grey", lambda all, _: torch.from_numpy(all)[:, None]),
    "array, transparent": ("rgba", lambda all, _: all),
    "tensor, transparent, colour first": ("rgba", lambda all, _: torch.from_numpy(all).permute(0, 3, 1, 2)),
}


def mixed(pixels, path):
    images = [*files(pixels[:3], path), *pixels[3:]]
    images[4], images[5] = Image.fromarray(images[4]), torch.from_numpy(images[5]).permute(2, 0, 1) / 255
    images[6] = encoded(images[6])
    return images


def objects(images):
    column = np.empty(len(images), dtype=object)
    column[:] = images
    return column


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("form", ALL)
def test_every_form_of_a_catalogue_of_pictures_is_the_same_to_every_verb(form, verb, kinds, see, tmp_path):
    kind, make = ALL[form]
    given, expected = kinds[kind]
    images = make(given, folder(tmp_path, "given"))
    seen = see(verb, "picture", **images) if isinstance(images, dict) else see(verb, images)
    assert_same(seen, see(verb, files(expected, folder(tmp_path, "expected"))), kind)


@pytest.mark.parametrize("verb", REFUSING)
@pytest.mark.parametrize(
    ("pixels", "error", "message"),
    [
        (
            np.zeros((N, 9, 9, 3), int),
            TypeError,
            r"pixels must be uint8 in 0 to 255, uint16 .* not int.*become so by pixels\.astype\('uint8'\)",
        ),
        (
            np.full((N, 9, 9, 3), 200.0),
            ValueError,
            "are in 0 to 1, but those of a picture reach from 200 to 200",
        ),
        (torch.full((N, 3, 9, 9), -0.5), ValueError, "are in 0 to 1, but those of a picture reach from -0.5"),
        (np.zeros((N, 9, 9, 7)), ValueError, r"shape \(9, 9, 7\) has no axis of 3 colours; give \(H, W, 3\)"),
    ],
)
def test_what_is_no_picture_is_refused_by_every_verb_in_the_same_words(pixels, error, message, verb, see):
    with pytest.raises(ValueError if verb == "find_similar" else error, match=message):
        see(verb, list(pixels))


def test_pictures_that_cannot_be_read_are_none(colours):
    bad = [np.zeros((9, 9, 3), int), np.full((9, 9, 3), 200.0), np.zeros((9, 9, 7)), {"a": 1}, 7, None]
    assert read_pictures(bad) == [None] * len(bad)
    assert read_pictures([*bad, colours[0]])[-1] is not None


@pytest.mark.parametrize("verb", ["add_embeddings", "finetune", "pretrain"])
@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        ("nowhere", ValueError, "images='nowhere' names no column; did you mean images='file_loc'"),
        (
            ".",
            ValueError,
            "images='.' names no column; it is a folder; put the paths of its files into a column",
        ),
        (["a.png"], ValueError, f"images holds 1 images, but the catalogue has {N} rows"),
        (
            "label",
            TypeError,
            "column 'label', row 0: a picture is a file, its content as bytes, an image of Pillow",
        ),
        (
            np.zeros((N, 9)),
            TypeError,
            "images, row 0: .* array or tensor of 2 or 3 axes, not ndarray of shape",
        ),
        (7, TypeError, "one for each row, not int"),
        (b"123456789012", TypeError, "one for each row, not bytes"),
    ],
)
def test_what_are_not_the_pictures_of_a_catalogue(images, error, message, verb, see):
    with pytest.raises(error, match=message):
        see(verb, images, file_loc=[""] * N)


def faulty(colours, path):
    """Pictures with faults, the status of each, and whether training may use them."""
    cut_off = encoded(colours[0])[:200]
    blank = np.full((9, 9, 3), 32, np.uint8)
    nan = np.where(np.arange(9) == 4, np.nan, np.full((3, 9, 9), 0.5))
    (path / "cut_off.png").write_bytes(cut_off)
    (path / "blank.png").write_bytes(encoded(blank))
    return [
        (colours[0], "ok", True),
        (path / "nowhere.png", "missing", False),
        ("", "missing", False),
        (None, "missing", False),
        (path / "cut_off.png", "truncated", False),
        (cut_off, "truncated", False),
        (Image.open(io.BytesIO(cut_off)), "truncated", False),
        (nan, "corrupt", False),
        (np.zeros((0, 9, 3)), "corrupt", False),
        (path / "blank.png", "partial", True),
        (Image.fromarray(blank), "partial", True),
        (blank / 255, "partial", True),
    ]


@pytest.mark.filterwarnings("ignore:.* rows have no ")
def test_a_row_with_a_fault_is_a_status_in_a_catalogue(colours, encoder, tmp_path):
    images, statuses, trainable = zip(*faulty(colours, tmp_path), strict=True)
    options = {"encoder": encoder, "embedding_store": False, "progress": False}
    result = gzr.add_embeddings(Table({"id": range(N)}), images=images, **options)
    assert list(result["cutout_status"]) == list(statuses)
    assert np.isfinite(result["embedding"]).all(axis=1).tolist() == [each == "ok" for each in statuses]
    pictures = pictures_of(Table({"id": range(N)}), images)
    with pytest.warns(
        gzr.GalzooWarning, match=r"8 of 12 images cannot be read; the first is row 1, .*nowhere"
    ):
        fields = decode_images(pictures, RECIPE, tmp_path / "decoded", progress=False)
    assert fields.readable.tolist() == list(trainable)
    assert [picture is not None for picture in read_pictures(images)] == list(trainable)


def test_a_fault_is_an_error_in_a_query(colours, see, tmp_path):
    for image, status, _ in faulty(colours, tmp_path)[4:]:
        with pytest.raises(ValueError, match=f"the query image .* cannot be used: {status}, "):
            see("find_similar", [image])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK"])
def test_an_image_of_pillow_is_read_as_its_file(mode, colours):
    image = Image.fromarray(colours[0])
    if mode == "RGBA":
        image = Image.fromarray(with_alpha(colours)[0])
    else:
        image = image.convert("RGBA" if mode == "PA" else mode).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, "TIFF")
    of_file, of_image = read_image(buffer.getvalue()), read_image(image)
    assert of_image.pixels.dtype == np.uint8
    assert (of_image.status, of_image.pixels.shape) == ("ok", (40, 44, 3))
    np.testing.assert_array_equal(of_file.pixels, of_image.pixels)


def test_an_image_of_pillow_may_be_in_many_rows_that_are_read_at_once(colours, tmp_path):
    shared = Image.open(io.BytesIO(encoded(colours[0].repeat(10, axis=0).repeat(10, axis=1))))
    pictures = pictures_of(Table({"id": range(64)}), [shared] * 64)
    fields = decode_images(pictures, RECIPE, tmp_path, workers=8, progress=False)
    assert fields.readable.all()
    assert (fields.pixels == fields.pixels[0]).all()


def test_numbers_a_little_beyond_the_range_are_rounding(colours):
    pixels = colours[0] / 255 * 1.002 - 5e-4
    assert read_image(pixels).status == "ok"
    assert 0 <= RECIPE.prepare([read_image(pixels)]).min() <= RECIPE.prepare([read_image(pixels)]).max() <= 1


def test_the_key_of_a_picture_is_that_of_its_content(colours, tmp_path):
    (path,) = files(colours[:1], tmp_path)
    image, tensor = Image.fromarray(colours[0]), torch.tensor(colours[0])
    pictures = [picture_of(form) for form in (path, path.read_bytes(), colours[0], image, tensor, "")]
    assert [bool(picture.key) for picture in pictures] == [False, True, False, False, False, False]
    for picture in pictures:
        picture.read()
    of_file, of_bytes, of_array, of_image, of_tensor, of_nothing = (picture.key for picture in pictures)
    assert of_file == of_bytes != of_array == of_image == of_tensor
    assert of_nothing == b""
