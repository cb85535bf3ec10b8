"""The range of numbers: colour images come into 0 to 1, and leave it as an encoder takes them."""

from galzoo_repr._array import Array, namespace_of
from galzoo_repr.images._resize import central_crop

__all__ = ["central_colours", "scaled"]

# A resampled picture overshoots, but not by that much.
_DARKEST, _BRIGHTEST = -0.5, 2.0


def central_colours(images: Array, crop: float) -> Array:
    """Central part of colour images ``(B, 3, H, W)``, float32 in 0 to 1; errors as `ImageRecipe.from_rgb` has them."""
    xp = namespace_of(images)
    counts = images.dtype == xp.uint8
    if not (counts or xp.isdtype(images.dtype, "real floating")):
        raise TypeError(
            f"colour images are uint8 in 0 to 255 or floating point in 0 to 1, not {images.dtype}"
        )
    if not counts and len(images):
        low, high = float(images.min()), float(images.max())
        if low < _DARKEST or high > _BRIGHTEST:
            raise ValueError(
                f"colour images of floating point are in 0 to 1, but these reach from {low:g} to {high:g}; give "
                "uint8, or scale them"
            )
    images = xp.astype(central_crop(images, crop), xp.float32)
    return images / 255 if counts else images


def scaled(images: Array, mean: tuple[float, ...], std: tuple[float, ...]) -> Array:
    """Images ``(B, channels, H, W)`` less the mean of each channel, and divided by its standard deviation."""
    if not any(mean) and all(value == 1 for value in std):
        return images
    xp = namespace_of(images)
    off, by = (
        xp.asarray(values, dtype=images.dtype, device=images.device)[:, None, None] for values in (mean, std)
    )
    return (images - off) / by
