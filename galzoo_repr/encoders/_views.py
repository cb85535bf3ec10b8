"""The eight ways to look at a galaxy: a sky image has no preferred orientation."""

import torch

__all__ = ["VIEWS", "view"]

# Groups, each within the next: an average over one of them is the same for every one of its views.
VIEWS = {1: "as it is", 2: "and turned by 180 degrees", 4: "turned by right angles", 8: "and mirrored"}

# Quarter turns in an order whose first one, two and four members are groups.
_QUARTERS = (0, 2, 1, 3)


def view(images: torch.Tensor, number: int) -> torch.Tensor:
    """
    One of the eight views of a batch of square images, ``(B, C, S, S)``, numbered from 0, as they are, to 7.

    The first 2, 4 and 8 views are the groups in `VIEWS`.
    """
    if number >= 4:
        images = images.flip(-1)
    return torch.rot90(images, _QUARTERS[number % 4], (-2, -1))
