"""Pictures that are made when they are needed are held to the same range as all others."""

import numpy as np
import pytest
import torch

from galzoo_repr.training import RenderedImages

ROWS = np.arange(2)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (torch.full((2, 3, 8, 8), 200.0), ValueError, "from 200 to 200, but colours are in 0 to 1"),
        (torch.full((2, 3, 8, 8), -0.5), ValueError, "from -0.5 to -0.5"),
        (torch.zeros((2, 3, 8, 8), dtype=torch.int64), TypeError, "not uint8 in 0 to 255 or floating"),
        (np.zeros((2, 3, 8, 8)), TypeError, "gave ndarray, not a tensor"),
        (torch.zeros((2, 8, 8, 3)), ValueError, "not \\(b, 3, h, w\\)"),
    ],
)
def test_rendered_images_that_are_no_colours_are_refused(images, error, message):
    with pytest.raises(error, match=message):
        RenderedImages(lambda rows, device: images, 2).batch(ROWS, torch.device("cpu"))


@pytest.mark.parametrize("images", [torch.rand(2, 3, 8, 8), torch.full((2, 3, 8, 8), 200, dtype=torch.uint8)])
def test_rendered_images_in_range_are_taken(images):
    assert RenderedImages(lambda rows, device: images, 2).batch(ROWS, torch.device("cpu")) is images
