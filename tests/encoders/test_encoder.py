"""What an encoder makes of images."""

from functools import partial

import numpy as np
import pytest
import timm
import torch
from torch import nn

from galzoo_repr import Encoder, ImageRecipe
from galzoo_repr.encoders import choose_device


def test_embeddings_are_the_features_of_the_network(encoder, pictures):
    with torch.inference_mode():
        expected = encoder.model(pictures)
    result = encoder.embed(pictures)
    assert (result.shape, result.dtype) == ((8, encoder.dim), torch.float32)
    torch.testing.assert_close(result, expected, rtol=1e-3, atol=1e-4)
    assert result.std(dim=0).max() > 1e-3, "the untrained network does not tell images apart"


@pytest.mark.parametrize("batch_size", [1, 3, 8, 100, None])
def test_batch_size_changes_nothing(batch_size, encoder, pictures):
    torch.testing.assert_close(
        encoder.embed(pictures, batch_size=batch_size), encoder.embed(pictures), rtol=1e-3, atol=1e-4
    )


def test_no_images_give_no_embeddings(encoder):
    assert encoder.embed(torch.zeros(0, 3, 64, 64)).shape == (0, encoder.dim)


@pytest.mark.parametrize(
    "form",
    [
        lambda one: one.astype(">f4"),
        lambda one: one.astype(float),
        lambda one: np.asfortranarray(one),
        lambda one: np.ascontiguousarray(one[..., ::-1])[..., ::-1],
        lambda one: np.frombuffer(one.tobytes(), one.dtype).reshape(one.shape),
    ],
    ids=["big-endian", "double", "Fortran", "in reverse", "read-only"],
)
def test_arrays_as_they_lie_in_memory(form, encoder, pictures):
    expected = encoder.embed(pictures).numpy()
    np.testing.assert_allclose(encoder.embed(form(pictures.numpy())), expected, rtol=1e-4, atol=1e-5)


def test_whole_numbers_are_no_prepared_images(encoder, pictures):
    for counts in ((pictures * 255).to(torch.uint8), (pictures.numpy() * 255).astype(int)):
        with pytest.raises(TypeError, match=r"recipe.from_rgb\(images\)"):
            encoder.embed(counts)


def test_training_mode_of_the_network_does_not_leak_in(encoder, pictures):
    expected = encoder.embed(pictures)
    before = {name: one.clone() for name, one in encoder.model.state_dict().items()}
    encoder.model.train()
    torch.testing.assert_close(encoder.embed(pictures), expected)
    assert all(torch.equal(one, before[name]) for name, one in encoder.model.state_dict().items())


def turned(images, quarters, mirrored=False):
    return (images.flip(-1) if mirrored else images).rot90(quarters, (-2, -1))


@pytest.mark.parametrize(
    ("views", "turns"),
    [
        (2, [partial(turned, quarters=2)]),
        (4, [partial(turned, quarters=k) for k in (1, 2, 3)]),
        (8, [partial(turned, quarters=k, mirrored=m) for k in range(4) for m in (False, True)]),
    ],
)
def test_average_over_views_does_not_depend_on_them(views, turns, encoder, pictures):
    averaging = Encoder(encoder.model, encoder.recipe, name="average", views=views)
    expected = averaging.embed(pictures)
    for turn in turns:
        torch.testing.assert_close(averaging.embed(turn(pictures)), expected, rtol=1e-3, atol=1e-5)
    plain = encoder.embed(turns[-1](pictures)) - encoder.embed(pictures)
    assert plain.abs().max() > 1e-3


def test_average_is_over_all_eight_views(encoder, pictures):
    seen = []

    class Spy(nn.Module):
        def forward(self, images):
            seen.append(images.clone())
            return images.mean((2, 3))

    Encoder(Spy(), ImageRecipe(size=64), name="spy", views=8).embed(pictures[:1])
    views = torch.cat(seen[1:])
    assert len({one.numpy().tobytes() for one in views}) == 8
    corners = {tuple(one[0, [0, 0, -1, -1], [0, -1, 0, -1]].sort().values.tolist()) for one in views}
    assert len(corners) == 1


def test_digest_follows_everything_that_decides(encoder, make_network):
    recipe = encoder.recipe
    others = [
        Encoder(make_network(seed=1), recipe, name="tiny"),
        Encoder(make_network(), ImageRecipe(size=64), name="tiny"),
        Encoder(make_network(), recipe, name="tiny", views=8),
    ]
    assert len({encoder.digest, *(other.digest for other in others)}) == 4
    assert Encoder(make_network(), recipe, name="another name").digest == encoder.digest
    with torch.no_grad():
        next(encoder.model.parameters()).add_(1e-6)
    assert encoder.digest != Encoder(make_network(), recipe, name="tiny").digest


@pytest.mark.parametrize("shape", [(3, 64, 64), (1, 1, 64, 64), (1, 3, 32, 32)])
def test_images_of_another_shape_are_refused(shape, encoder):
    with pytest.raises(ValueError, match=r"tiny takes \(B, \*\(3, 64, 64\)\)"):
        encoder.embed(torch.zeros(shape))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"model": "resnet18"}, TypeError, "model must be a torch module, not str"),
        ({"recipe": {"size": 64}}, TypeError, "recipe must be an ImageRecipe, not dict"),
        ({"name": ""}, ValueError, "name must be some text"),
        ({"views": 3}, ValueError, "views must be one of 1, 2, 4, 8"),
        ({"recipe": ImageRecipe(channels=1)}, ValueError, "does not take images of shape"),
        ({"model": nn.Conv2d(3, 4, 3)}, ValueError, r"must pool, without head, to \(1, dim\)"),
    ],
)
def test_impossible_encoders_are_refused(change, error, message, encoder):
    arguments = {"model": encoder.model, "recipe": encoder.recipe, "name": "tiny", **change}
    with pytest.raises(error, match=message):
        Encoder(arguments.pop("model"), arguments.pop("recipe"), **arguments)


def test_batch_size_below_one_is_refused(encoder, pictures):
    with pytest.raises(ValueError, match="batch_size must be a whole number from 1"):
        encoder.embed(pictures, batch_size=0)


def test_device_is_chosen_or_refused(encoder):
    assert choose_device() in ("cpu", "cuda")
    assert encoder.to("cpu") is encoder
    for name in ("auto", "AUTO", None):
        assert choose_device(name) == choose_device()
    for name in ("warp", "meta", "cuda:99", "gpu:99", "mps:7", "cpu:x", "", 1.5):
        with pytest.raises(
            ValueError, match=f"device {name!r} cannot be used: .*; there is cpu.* or leave it out"
        ):
            choose_device(name)


@pytest.mark.parametrize(
    ("name", "meant"), [("gpu", "cuda"), ("GPU", "cuda"), ("gpu:0", "cuda:0"), ("cuda:0", "cuda:0")]
)
def test_a_gpu_is_a_cuda_gpu(name, meant, encoder):
    if torch.cuda.is_available():
        assert choose_device(name) == str(torch.device(meant))
    else:
        with pytest.raises(
            ValueError, match=f"device '{name}' cannot be used: .*; there is cpu, or leave it out"
        ):
            encoder.to(name)


@pytest.mark.gpu
def test_gpu_agrees_with_the_cpu(encoder, pictures):
    expected = encoder.embed(pictures)
    result = encoder.to("cuda").embed(pictures)
    assert result.device.type == "cuda"
    cosine = torch.nn.functional.cosine_similarity(result.cpu(), expected)
    assert cosine.min() > 0.999


def test_greyscale_network_takes_one_channel():
    network = timm.create_model("lcnet_035", num_classes=0, in_chans=1)
    encoder = Encoder(network, ImageRecipe(size=64, channels=1), name="grey")
    assert encoder.embed(torch.zeros(2, 1, 64, 64)).shape == (2, encoder.dim)
    assert np.isfinite(encoder.embed(torch.rand(2, 1, 64, 64)).numpy()).all()
