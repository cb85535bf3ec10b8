"""Stretches agree with the images that others made, and with their published formulas."""

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from galzoo_repr.images import galaxy_zoo_stretch, read_image, viewer_griz_stretch, viewer_grz_stretch

STRETCHES = [(galaxy_zoo_stretch, 3), (viewer_grz_stretch, 3), (viewer_griz_stretch, 4)]


@pytest.mark.real_data
@pytest.mark.parametrize("galaxy", ["a", "b", "c", "e", "bad_pix"])
def test_galaxy_zoo_stretch_reproduces_galaxy_zoo_images(real_data, galaxy):
    folder = real_data / "decals_fits"
    fluxes = torch.from_numpy(read_image(folder / f"galaxy_{galaxy}.fits").pixels)[None]
    shown = read_image(folder / f"galaxy_{galaxy}.jpeg").pixels
    # Galaxy Zoo turned the image over and dropped the fraction of each count.
    counts = (255 * galaxy_zoo_stretch(fluxes)[0]).to(torch.uint8).flip(1).permute(1, 2, 0).numpy()
    difference = np.abs(counts.astype(int) - shown.astype(int))
    assert difference.mean() < 0.01
    assert difference.max() <= 1


def galaxy_zoo_in_float64(flux):
    """Galaxy Zoo's colours of (3, H, W) fluxes, in another arrangement and with numpy's functions."""
    colour = np.arcsinh(flux[::-1] / np.array([0.019, 0.014, 0.008])[:, None, None])
    colour = (colour + np.arcsinh(0.5)) / (np.arcsinh(300) + np.arcsinh(0.5))
    mean = colour.mean(axis=0)
    excess = np.clip((colour / mean).max(axis=0) / 2.5, None, 1)
    weight = np.sin(np.pi / 2 * (1 - excess))
    return np.clip(weight * colour + (1 - weight) * mean + (1 - weight) ** 2 * mean * colour, 0, 1)


def viewer_grz_in_float64(flux):
    """Colours of the viewer, pixel by pixel."""
    result = np.zeros_like(flux)
    for y, x in np.ndindex(flux.shape[1:]):
        scaled = flux[:, y, x] * [6.0, 3.4, 2.2] + 0.03
        intensity = np.clip(scaled, 0, None).mean() or 1e-6
        result[::-1, y, x] = scaled * np.arcsinh(20 * intensity) / np.sqrt(20) / intensity
    return np.clip(result, 0, 1)


@pytest.mark.parametrize(
    ("stretch", "reference"),
    [(galaxy_zoo_stretch, galaxy_zoo_in_float64), (viewer_grz_stretch, viewer_grz_in_float64)],
)
def test_stretch_is_its_formula(stretch, reference, fluxes):
    result = stretch(torch.from_numpy(fluxes)[None])[0].numpy()
    np.testing.assert_allclose(result, reference(fluxes.astype(float)), atol=2e-4)


def test_griz_stretch_mixes_four_bands():
    flux = torch.tensor([0.1, 0.2, 0.3, 0.4]).view(1, 4, 1, 1)
    scaled = np.array([0.1, 0.2, 0.3, 0.4]) * [9.0, 5.1, 4.5, 3.3] + 0.03
    gain = np.arcsinh(20 * scaled.mean()) / np.sqrt(20) / scaled.mean()
    g, r, i, z = np.clip(scaled * gain, 0, 1)
    expected = [0.25 * i + 0.75 * z, 0.5 * (r + i), 0.75 * g + 0.25 * r]
    np.testing.assert_allclose(viewer_griz_stretch(flux).flatten(), expected, rtol=1e-5)


@pytest.mark.parametrize(("stretch", "planes"), [(viewer_grz_stretch, 3), (viewer_griz_stretch, 4)])
def test_viewer_shows_missing_data_as_grey_32(stretch, planes):
    counts = (255 * stretch(torch.zeros(1, planes, 2, 2))).to(torch.uint8)
    assert (counts == 32).all()


@settings(max_examples=40, deadline=None)
@given(
    values=arrays(np.float32, (4, 5, 5), elements=st.floats(width=32, allow_nan=True, allow_infinity=True)),
    number=st.integers(0, 2),
)
@example(values=np.full((4, 5, 5), 3e38, np.float32), number=1)
@example(values=np.full((4, 5, 5), 3e38, np.float32), number=2)
def test_any_flux_gives_a_finite_colour_in_range(values, number):
    stretch, planes = STRETCHES[number]
    colour = stretch(torch.from_numpy(values[None, :planes]))
    assert colour.shape == (1, 3, 5, 5)
    assert torch.isfinite(colour).all()
    assert colour.min() >= 0
    assert colour.max() <= 1


@pytest.mark.parametrize(("stretch", "planes"), STRETCHES)
def test_batch_is_each_image_alone(stretch, planes):
    batch = torch.randn(3, planes, 8, 8, generator=torch.Generator().manual_seed(1))
    before = batch.clone()
    together = stretch(batch)
    alone = torch.cat([stretch(batch[row : row + 1]) for row in range(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-6)
    assert torch.equal(batch, before), "the input has changed"


@pytest.mark.parametrize(("stretch", "planes"), STRETCHES)
def test_wrong_number_of_planes_is_refused(stretch, planes):
    with pytest.raises(ValueError, match=rf"takes \(B, {planes}, H, W\)"):
        stretch(torch.zeros(1, planes + 1, 4, 4))
    with pytest.raises(ValueError, match="add a leading axis"):
        stretch(torch.zeros(planes, 4, 4))


@pytest.mark.gpu
def test_gpu_gives_what_the_cpu_gives():
    flux = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        galaxy_zoo_stretch(flux.cuda()).cpu(), galaxy_zoo_stretch(flux), atol=1e-4, rtol=0
    )
