"""Stretches: calibrated fluxes become colour, as Galaxy Zoo DECaLS and the Legacy Survey viewer make it."""

import math

import numpy as np

from galzoo_repr._array import Array, is_tensor, namespace_of

__all__ = ["STRETCH_BANDS", "galaxy_zoo_stretch", "viewer_griz_stretch", "viewer_grz_stretch"]

# Bands that each stretch takes, in the order of the planes.
STRETCH_BANDS = {"galaxy_zoo_decals": "grz", "viewer_grz": "grz", "viewer_griz": "griz"}

# Galaxy Zoo DECaLS: flux of one unit of the arcsinh, nanomaggies, for red, green and blue; and the range
# shown, in units.
_GALAXY_ZOO_UNIT = (0.019, 0.014, 0.008)
_GALAXY_ZOO_RANGE = (-0.5, 300.0)
# A pixel whose strongest colour exceeds this multiple of the mean of the three turns fully grey.
_GALAXY_ZOO_SATURATION = 2.5

# As many pixels at once stay in the nearer caches of a CPU with all that is made of them.
_PIXELS_IN_CACHE = 40_000

_VIEWER_SOFTENING = 20.0
_VIEWER_PEDESTAL = 0.03


def _asinh(x: Array) -> Array:
    """Inverse hyperbolic sine; on CPUs that of numpy is up to nine times as fast as that of torch."""
    if not is_tensor(x):
        return np.arcsinh(x, out=x)
    return x.asinh()


def _checked(bands: Array, names: str) -> Array:
    bands = bands if is_tensor(bands) else np.asarray(bands)
    if bands.ndim != 4 or bands.shape[1] != len(names):
        raise ValueError(
            f"bands has shape {tuple(bands.shape)}, but this stretch takes (B, {len(names)}, H, W) "
            f"with the planes {', '.join(names)}; add a leading axis to a single image"
        )
    xp = namespace_of(bands)
    if not xp.isdtype(bands.dtype, "real floating"):
        bands = xp.astype(bands, xp.float32)
    # A billion nanomaggies are far beyond any galaxy, and leave room for the scales of the stretches.
    bands = bands.clip(-1e9, 1e9)
    bands[xp.isnan(bands)] = 0
    return bands


def galaxy_zoo_stretch(bands: Array) -> Array:
    """
    Colour images as the volunteers of Galaxy Zoo DECaLS saw them.

    Each band is divided by its own unit flux (g 0.008, r 0.014, z 0.019 nanomaggies), compressed by the
    inverse hyperbolic sine, and scaled so that -0.5 and 300 units become 0 and 1. Pixels dominated by one
    colour are then drawn towards grey, which hides the speckle of the sky: with `m` the mean of the three
    colours and `s` the strongest of them over ``2.5 m``, the weight ``w = sin(pi / 2 * (1 - min(s, 1)))``
    makes ``w c + (1 - w) m + (1 - w)^2 m c`` of the colour `c`.

    Parameters
    ----------
    bands : numpy.ndarray or torch.Tensor
        ``(B, 3, H, W)`` fluxes in g, r and z, nanomaggies per pixel of 0.262 arcsec. NaN counts as no flux.

    Returns
    -------
    numpy.ndarray or torch.Tensor
        ``(B, 3, H, W)`` red, green and blue in 0 to 1, on the device and of the floating type of `bands`.
        Galaxy Zoo made 8-bit images by multiplying with 255 and dropping the fraction.

    Raises
    ------
    ValueError
        If `bands` is not a batch of three planes.

    Notes
    -----
    Constants: Galaxy Zoo DECaLS image pipeline (https://github.com/zooniverse/decals; Walmsley et al. 2022,
    MNRAS 509, 3966, section 2).

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.images import galaxy_zoo_stretch
    >>> (255 * galaxy_zoo_stretch(np.full((1, 3, 1, 1), 0.1))).astype(int).ravel()
    array([112, 120, 136])
    """
    bands = _checked(bands, "grz")
    if not is_tensor(bands):
        return _galaxy_zoo_blocks(bands)
    if bands.device.type == "cpu" and bands.itemsize >= 4 and not bands.requires_grad:
        # numpy takes half the time of torch, in the same memory.
        _galaxy_zoo_blocks(bands.numpy())
        return bands
    return _galaxy_zoo_colour(bands)


def _galaxy_zoo_blocks(bands: np.ndarray) -> np.ndarray:
    """Stretch bands in place, in blocks of rows."""
    height, width = bands.shape[-2:]
    rows = max(1, _PIXELS_IN_CACHE // max(width, 1))
    for image in range(len(bands)):
        for top in range(0, height, rows):
            block = bands[image : image + 1, :, top : top + rows]
            block[:] = _galaxy_zoo_colour(block)
    return bands


def _galaxy_zoo_colour(bands: Array) -> Array:
    xp = namespace_of(bands)
    low, high = (math.asinh(value) for value in _GALAXY_ZOO_RANGE)
    colour = xp.empty_like(bands)
    for plane, unit in enumerate(_GALAXY_ZOO_UNIT):
        colour[:, plane] = bands[:, 2 - plane] / unit
    colour = _asinh(colour)
    colour -= low
    colour /= high - low
    red, green, blue = (colour[:, plane] for plane in range(3))
    mean = (red + green + blue) / 3
    # Over a negative mean the lowest colour is the strongest; a mean of zero is left out of the ratio.
    scale = mean + (mean == 0)
    strongest = xp.maximum(xp.maximum(red / scale, green / scale), blue / scale)
    weight = xp.sin((1 - (strongest / _GALAXY_ZOO_SATURATION).clip(max=1.0)) * (math.pi / 2))
    grey = (1 - weight) * mean
    weight += (1 - weight) * grey
    colour *= weight[:, None]
    colour += grey[:, None]
    return colour.clip(0.0, 1.0)


def _viewer_planes(bands: Array, scales: tuple[float, ...]) -> Array:
    """Every band scaled and brightened by the common gain of its pixel, after Lupton et al. (2004)."""
    xp = namespace_of(bands)
    scales = xp.asarray(scales, dtype=bands.dtype, device=bands.device)[:, None, None]
    scaled = bands * scales + _VIEWER_PEDESTAL
    intensity = xp.mean(scaled.clip(min=0.0), axis=1, keepdims=True)
    intensity = xp.where(intensity == 0, 1e-6, intensity)
    gain = _asinh(intensity * _VIEWER_SOFTENING) / (math.sqrt(_VIEWER_SOFTENING) * intensity)
    return (scaled * gain).clip(0.0, 1.0)


def viewer_grz_stretch(bands: Array) -> Array:
    """
    Colour images as the JPEG of the Legacy Survey viewer for layers with g, r and z (DR8, DR9).

    Parameters
    ----------
    bands : numpy.ndarray or torch.Tensor
        ``(B, 3, H, W)`` fluxes in g, r and z, nanomaggies per pixel of 0.262 arcsec. NaN counts as no flux.

    Returns
    -------
    numpy.ndarray or torch.Tensor
        ``(B, 3, H, W)`` red, green and blue in 0 to 1.

    Raises
    ------
    ValueError
        If `bands` is not a batch of three planes.

    Notes
    -----
    Lupton et al. (2004, PASP 116, 133) with Q = 20, scales 6.0, 3.4 and 2.2 for g, r and z and a pedestal of
    0.03: function ``dr2_rgb`` of the viewer (https://github.com/legacysurvey/imagine).

    Examples
    --------
    A pixel without data is a uniform dark grey, 32 of 255:

    >>> import numpy as np
    >>> from galzoo_repr.images import viewer_grz_stretch
    >>> (255 * viewer_grz_stretch(np.zeros((1, 3, 1, 1)))).astype(int).ravel()
    array([32, 32, 32])
    """
    planes = _viewer_planes(_checked(bands, "grz"), (6.0, 3.4, 2.2))
    return namespace_of(planes).flip(planes, axis=1)


def viewer_griz_stretch(bands: Array) -> Array:
    """
    Colour images as the JPEG of the Legacy Survey viewer for layers with g, r, i and z (DR10 and later).

    Parameters
    ----------
    bands : numpy.ndarray or torch.Tensor
        ``(B, 4, H, W)`` fluxes in g, r, i and z, nanomaggies per pixel of 0.262 arcsec. NaN counts as no
        flux.

    Returns
    -------
    numpy.ndarray or torch.Tensor
        ``(B, 3, H, W)`` red, green and blue in 0 to 1.

    Raises
    ------
    ValueError
        If `bands` is not a batch of four planes.

    Notes
    -----
    As `viewer_grz_stretch` with scales 9.0, 5.1, 4.5 and 3.3, then red is a quarter i and three quarters z,
    green half r and half i, blue three quarters g and a quarter r: class ``LsDr10Layer`` of the viewer
    (https://github.com/legacysurvey/imagine).

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.images import viewer_griz_stretch
    >>> (255 * viewer_griz_stretch(np.zeros((1, 4, 1, 1)))).astype(int).ravel()
    array([32, 32, 32])
    """
    planes = _viewer_planes(_checked(bands, "griz"), (9.0, 5.1, 4.5, 3.3))
    g, r, i, z = (planes[:, band] for band in range(4))
    return namespace_of(planes).stack([0.25 * i + 0.75 * z, 0.5 * (r + i), 0.75 * g + 0.25 * r], axis=1)
