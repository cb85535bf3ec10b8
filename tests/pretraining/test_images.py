import hashlib

import numpy as np
import pytest
import torch
from astropy.table import MaskedColumn, Table
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from galzoo_repr import GalzooWarning, ImageRecipe
from galzoo_repr.images import Picture, picture_of, pictures_of
from galzoo_repr.pretraining._consistency import consistency_loss
from galzoo_repr.pretraining._inputs import identity_of_images
from galzoo_repr.training import Augmentation
from galzoo_repr.training._decoding import decode_images, field_pixels
from galzoo_repr.training._image_sources import DecodedImages

RECIPE = ImageRecipe(size=24, crop=0.75)


def _view(augmentation, fields, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    return augmentation.apply(fields, **{"size": 24, "crop": 0.75, "generator": generator, **options})


def _fields(n=6, side=32):
    return torch.rand(n, 3, side, side, generator=torch.Generator().manual_seed(1))


def test_without_augmentation_the_view_is_what_the_recipe_shows():
    fields = _fields()
    torch.testing.assert_close(_view(Augmentation.none(), fields), RECIPE.from_rgb(fields))
    whole = _view(Augmentation.none(), (fields * 255).round().to(torch.uint8), size=32, crop=1.0)
    torch.testing.assert_close(whole, fields, atol=0.5 / 255 + 1e-4, rtol=0)


def test_views_differ_from_galaxy_to_galaxy_and_follow_from_the_generator():
    fields = _fields(1).repeat(4, 1, 1, 1)
    first, again, other = (_view(Augmentation(), fields, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first[0] - first[1]).abs().mean() > 0.01
    assert first.shape == (4, 3, 24, 24)
    assert first.min() >= 0
    assert first.max() <= 1


def test_rotation_and_flips_keep_the_centre_and_the_light():
    y, x = torch.meshgrid(torch.arange(65) - 32.0, torch.arange(65) - 32.0, indexing="ij")
    lopsided = torch.exp(-((x - 6) ** 2 / 40 + y**2 / 20)).expand(40, 3, 65, 65)
    turning = Augmentation(**{**Augmentation.none().to_dict(), "rotation": True, "flip": True})
    views = _view(turning, lopsided, size=65, crop=1.0)[:, 0]
    light = views.sum((1, 2))
    torch.testing.assert_close(light, lopsided[:, 0].sum((1, 2)), rtol=0.01, atol=0)
    places = torch.stack([(views * axis).sum((1, 2)) / light for axis in (x, y)], 1)
    torch.testing.assert_close(places.norm(dim=1), torch.full((40,), 6.0), rtol=0.02, atol=0)
    angles = torch.atan2(places[:, 1], places[:, 0])
    assert angles.min() < -1.5
    assert angles.max() > 1.5


@pytest.mark.parametrize(("zoom", "bigger"), [((1.5, 1.5), True), ((0.7, 0.7), False)])
def test_zoom_magnifies(zoom, bigger):
    y, x = torch.meshgrid(torch.arange(65) - 32.0, torch.arange(65) - 32.0, indexing="ij")
    blob = torch.exp(-(x**2 + y**2) / 50).expand(2, 3, 65, 65)
    plain = Augmentation.none().to_dict()
    views = _view(Augmentation(**{**plain, "zoom": zoom}), blob, size=65, crop=1.0)
    assert (views.sum() > blob.sum()) == bigger


@pytest.mark.parametrize(
    "change", ["blur", "noise", "brightness", "colour", "background", "gamma", "greyscale", "shift"]
)
def test_each_change_can_be_had_alone(change):
    fields = _fields()
    plain = Augmentation.none()
    one = Augmentation(**{**plain.to_dict(), change: 0.3 if change != "greyscale" else 1.0})
    before, after = _view(plain, fields), _view(one, fields)
    assert (after - before).abs().max() > 0.01
    if change == "blur":
        assert after.std() < before.std()
    if change == "noise":
        assert (after - before).mean().abs() < 0.02


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"zoom": (1.2, 0.8)}, "zoom"),
        ({"zoom": (0, 1)}, "zoom"),
        ({"noise": -0.1}, "noise"),
        ({"blur": 2}, "blur"),
    ],
)
def test_impossible_augmentations_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Augmentation(**change)


@given(st.integers(8, 256), st.floats(0.3, 1.0))
def test_the_crop_of_a_decoded_field_has_exactly_the_size_of_the_recipe(size, crop):
    recipe = ImageRecipe(size=size, crop=crop)
    side = field_pixels(recipe)
    border = round(side * (1 - crop) / 2)
    assert abs(side - 2 * border - size) <= 1


def _decode(images, folder, **options):
    pictures = [picture_of(image) for image in images]
    return decode_images(pictures, RECIPE, folder, progress=False, **options)


def _png(path, image):
    Image.fromarray((image * 255).astype(np.uint8).transpose(1, 2, 0)).save(path)
    return str(path)


def test_files_are_decoded_once_and_found_again(tmp_path, monkeypatch):
    paths = [_png(tmp_path / f"{i}.png", image) for i, image in enumerate(_fields(5).numpy())]
    first = _decode(paths, tmp_path / "cache")
    assert first.pixels.shape == (5, 3, 32, 32)
    assert first.readable.all()

    def read(*_, **__):
        raise AssertionError("decoded again")

    monkeypatch.setattr(Picture, "read", read)
    again = _decode(paths, tmp_path / "cache")
    np.testing.assert_array_equal(first.pixels, again.pixels)
    batch = again.batch(np.array([3, 1]), torch.device("cpu"))
    np.testing.assert_array_equal(batch.numpy(), first.pixels[[3, 1]])


def test_an_interrupted_decoding_goes_on(tmp_path, monkeypatch):
    paths = [_png(tmp_path / f"{i}.png", image) for i, image in enumerate(_fields(5).numpy())]
    whole = _decode(paths, tmp_path / "whole")
    from galzoo_repr.training import _decoding

    monkeypatch.setattr(_decoding, "_CHUNK", 2)
    read, seen = Picture.read, []

    def read_until_power_fails(picture, *args, **options):
        seen.append(picture.path)
        if len(seen) == 4:
            raise KeyboardInterrupt
        return read(picture, *args, **options)

    monkeypatch.setattr(Picture, "read", read_until_power_fails)
    with pytest.raises(KeyboardInterrupt):
        _decode(paths, tmp_path / "cache", workers=1)
    done = len(seen)
    resumed = _decode(paths, tmp_path / "cache", workers=1)
    assert len(seen) - done == 3, "the two images of the first chunk are not decoded again"
    np.testing.assert_array_equal(resumed.pixels, whole.pixels)


def test_a_changed_file_is_decoded_again(tmp_path):
    images = _fields(2).numpy()
    paths = [_png(tmp_path / f"{i}.png", image) for i, image in enumerate(images)]
    first = _decode(paths, tmp_path / "cache")
    _png(tmp_path / "1.png", images[1] * 0.3)
    second = _decode(paths, tmp_path / "cache")
    assert second.pixels[1].mean() < 0.5 * first.pixels[1].mean()


def test_arrays_with_broken_rows(tmp_path):
    images = _fields(4).numpy()
    images[2, 0, 0, 0] = np.nan
    with pytest.warns(GalzooWarning, match="1 of 4 images cannot be read; the first is row 2: .*not finite"):
        decoded = _decode(images, tmp_path)
    assert decoded.readable.tolist() == [True, True, False, True]


@pytest.mark.gpu
def test_images_move_to_a_gpu():
    images = DecodedImages(np.arange(48, dtype=np.uint8).reshape(4, 3, 2, 2), np.ones(4, bool))
    device = torch.device("cuda")
    near = images.near(device)
    rows = np.array([2, 0])
    assert near.batch(rows, device).device.type == "cuda"
    assert torch.equal(near.batch(rows, device).cpu(), images.batch(rows, torch.device("cpu")))


def test_consistency_likes_agreement_spread_and_independence():
    generator = torch.Generator().manual_seed(0)
    spread = torch.randn(200, 8, generator=generator, dtype=torch.float64).float() * 2
    agreeing = consistency_loss(spread, spread)
    disagreeing = consistency_loss(spread, torch.randn(200, 8, generator=generator))
    collapsed = consistency_loss(torch.zeros(200, 8), torch.zeros(200, 8))
    repeated = spread[:, :1].repeat(1, 8)
    assert agreeing < disagreeing
    assert agreeing < collapsed
    assert agreeing < consistency_loss(repeated, repeated)
    with pytest.raises(ValueError, match="at least two galaxies"):
        consistency_loss(torch.zeros(1, 8), torch.zeros(1, 8))


def test_paths_may_be_bytes_and_missing(tmp_path):
    table = Table(
        {"file_loc": np.array([b"a.jpg", b"b.jpg"]), "other": MaskedColumn(["c", "d"], mask=[1, 0])}
    )
    assert [picture.path for picture in pictures_of(table, "file_loc")] == ["a.jpg", "b.jpg"]
    assert [picture.path for picture in pictures_of(table, "other")] == ["", "d"]
    with pytest.raises(ValueError, match=r"1 of 1 images cannot be read; .*: no file is named"):
        _decode([""], tmp_path)


def test_an_array_of_images_is_known_by_its_shape_and_a_sample():
    """As runs that were begun by earlier versions of the package know it."""
    images = (_fields(5).numpy() * 255).astype(np.uint8)
    pictures = pictures_of(Table({"row": range(5)}), images)
    known = f"array {images.shape} uint8 {hashlib.sha256(images.tobytes()).hexdigest()}"
    assert identity_of_images(images, pictures) == known
    assert identity_of_images(torch.from_numpy(images), pictures) == known
    assert identity_of_images(list(images), pictures) != known
