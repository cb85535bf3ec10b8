"""The eight ways to look at a galaxy: a sky image has no preferred orientation."""

from galzoo_repr._array import Array, namespace_of

__all__ = ["VIEWS", "view"]

# As it is, and turned by 180 degrees, by right angles, and mirrored: groups, each within the next. An average over
# one of them is the same for every one of its views.
VIEWS = (1, 2, 4, 8)

# Quarter turns in an order whose first one, two and four members are groups.
_QUARTERS = (0, 2, 1, 3)


def view(images: Array, number: int) -> Array:
    """
    One of the eight views of a batch of square images, ``(B, C, S, S)``, numbered from 0, as they are, to 7.

    The first 2, 4 and 8 views are the groups in `VIEWS`.
    """
    xp = namespace_of(images)
    if number >= 4:
        images = xp.flip(images, axis=-1)
    return xp.rot90(images, _QUARTERS[number % 4], (-2, -1))
