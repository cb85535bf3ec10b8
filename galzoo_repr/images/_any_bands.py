"""Stretches that take any bands, each by itself, and the way from bands to the channels of an encoder."""

import inspect
import math
import uuid
from collections.abc import Callable

import numpy as np

from galzoo_repr._array import Array, is_tensor, namespace_of

__all__ = ["FLUX_STRETCHES", "Matrix", "Stretch", "mixed", "name_of", "stretched", "token_of"]

Stretch = str | Callable[[np.ndarray], np.ndarray]
"""Name of a stretch, or a function of an array of shape (B, bands, H, W) that gives another of (B, planes, H, W)."""

Matrix = tuple[tuple[float, ...], ...]
"""Shares of the bands (columns) in each channel (row)."""

FLUX_STRETCHES = ("asinh", "log", "zscale")
"""Names of the stretches that take any bands in any unit."""

# Per cent of the pixels of a band that asinh and log show between black and white; the others are cut off evenly.
_SHOWN = 99.5
# As in astropy.visualization, where AsinhStretch, LogStretch and ZScaleInterval have these by default.
_ASINH, _LOG, _SAMPLES = 0.1, 1000.0, 1000
# Nothing tells a function from another in the next run, so that each has a word of its own in this one.
_TOKENS: dict[object, str] = {}


def token_of(function: Callable) -> str:
    """Word that stands for a function in digests: no other function has it, nor the same one in another run."""
    try:
        return _TOKENS.setdefault(function, uuid.uuid4().hex)
    except TypeError:
        # What cannot be a key is known by its place, which is given to no other while it is kept here.
        return _TOKENS.setdefault(_Kept(function), uuid.uuid4().hex)


class _Kept:
    """Holds an object, and is equal to all that hold it."""

    def __init__(self, kept: object) -> None:
        self.kept = kept

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept) and other.kept is self.kept

    def __hash__(self) -> int:
        return id(self.kept)


def name_of(function: Callable) -> str:
    """Name of a function for people."""
    where = inspect.getmodule(function)
    # Functions of compiled numpy have the full name since numpy 2.2.
    names = (getattr(function, key, None) for key in ("__qualname__", "__name__"))
    name = next(filter(None, names), type(function).__qualname__)
    return f"{where.__name__}.{name}" if where is not None else name


def stretched(bands: Array, stretch: Stretch) -> Array:
    """
    Stretch every band of every image by itself.

    Parameters
    ----------
    bands : numpy.ndarray or torch.Tensor
        ``(B, n, H, W)`` float32. What is not finite does not count where the ends of a scale are looked for, and is
        no flux in the result.
    stretch : str or callable
        A name in `FLUX_STRETCHES`, ``"none"``, or a function, which gets an array of numpy.

    Returns
    -------
    numpy.ndarray or torch.Tensor
        float32; ``(B, n, H, W)``, in 0 to 1 but for ``"none"``, and ``(B, planes, H, W)`` as it comes from a function.

    Raises
    ------
    ValueError, TypeError
        If a function does not give planes of the same size.

    Notes
    -----
    ``asinh`` and ``log`` are ``astropy.visualization.simple_norm(band, stretch, percent=99.5)``, ``zscale`` is
    ``ZScaleInterval()(band)``. All three stay the same when the fluxes are multiplied by any number.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.images._any_bands import stretched
    >>> stretched(np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4), "asinh")[0, 0, 0].round(2)
    array([0.  , 0.2 , 0.36, 0.48], dtype=float32)
    """
    xp = namespace_of(bands)
    known = xp.isfinite(bands)
    given, bands = bands, xp.where(known, bands, 0.0)
    if callable(stretch):
        return _called(bands, stretch)
    if stretch == "none":
        return bands
    ends = _zscale if stretch == "zscale" else _percentiles
    low, high = ends(bands) if known.all() else _ends_of_known(given, known, ends)
    width = high - low
    share = ((bands - low) / xp.where(width > 0, width, 1.0)).clip(0.0, 1.0)
    if stretch == "asinh":
        return xp.asinh(share / _ASINH) / math.asinh(1 / _ASINH)
    if stretch == "log":
        return xp.log(_LOG * share + 1) / math.log(_LOG + 1)
    return share


def _flat(bands: Array) -> Array:
    return namespace_of(bands).reshape(bands, (*bands.shape[:2], math.prod(bands.shape[2:])))


def _percentiles(bands: Array) -> tuple[Array, Array]:
    """Fluxes that cut off as many of the faintest pixels as of the brightest, each of shape (B, n, 1, 1)."""
    xp = namespace_of(bands)
    ordered = xp.sort(_flat(bands), axis=-1)
    ends = []
    for percent in (50 - _SHOWN / 2, 50 + _SHOWN / 2):
        place = percent / 100 * (ordered.shape[-1] - 1)
        below, above = ordered[..., math.floor(place)], ordered[..., math.ceil(place)]
        ends.append((below + (above - below) * (place % 1))[..., None, None])
    return ends[0], ends[1]


def _ends_of_known(
    bands: Array, known: Array, ends: Callable[[Array], tuple[Array, Array]]
) -> tuple[Array, Array]:
    """Ends of the scale of each band, of the pixels that are known; zeros where there are none."""
    xp = namespace_of(bands)
    low, high = (xp.zeros_like(bands[..., :1, :1]) for _ in range(2))
    for image in range(bands.shape[0]):
        for band in range(bands.shape[1]):
            pixels = bands[image, band][known[image, band]]
            if len(pixels):
                # As an image of one line.
                one, other = ends(pixels[None, None, None])
                low[image, band], high[image, band] = one[0, 0], other[0, 0]
    return low, high


def _zscale(bands: Array) -> tuple[Array, Array]:
    """Ends of the scale of IRAF, which needs no more of a band than some pixels."""
    # It imports matplotlib, which takes a while.
    from astropy.visualization import ZScaleInterval

    xp = namespace_of(bands)
    flat = _flat(bands)
    some = flat[..., :: max(1, flat.shape[-1] // _SAMPLES)][..., :_SAMPLES]
    some = some.detach().cpu().numpy() if is_tensor(some) else some
    interval = ZScaleInterval()
    limits = np.array([interval.get_limits(band) for image in some for band in image], np.float32)
    limits = xp.asarray(limits.reshape(*flat.shape[:2], 2, 1), dtype=bands.dtype, device=bands.device)
    return limits[..., :1, :], limits[..., 1:, :]


def _called(bands: Array, function: Callable[[np.ndarray], np.ndarray]) -> Array:
    """What a function makes of bands, brought back to where they came from."""
    given = bands.detach().cpu().numpy() if is_tensor(bands) else bands
    answer = function(given)
    made = np.ma.getdata(answer) if isinstance(answer, np.ma.MaskedArray) else np.asarray(answer)
    sides = (len(given), *given.shape[2:])
    if made.dtype.kind not in "fiub" or made.ndim != 4 or (len(made), *made.shape[2:]) != sides:
        raise ValueError(
            f"the stretch {name_of(function)} made an array of {made.dtype} and shape {made.shape} of one of shape "
            f"{given.shape}; it must give numbers of shape (B, planes, H, W)"
        )
    xp = namespace_of(bands)
    # A function may give a part of what it got, turned over, which torch does not take; and numbers beyond float32.
    with np.errstate(over="ignore"):
        made = np.array(made, dtype=np.float32, order="C")
    made[~np.isfinite(made) | np.ma.getmaskarray(answer)] = np.nan
    return xp.asarray(made, device=bands.device)


def mixed(planes: Array, channels: int, matrix: Matrix | None, *, colour: bool) -> Array:
    """
    Make channels out of planes, shapes ``(B, planes, H, W)`` and ``(B, channels, H, W)``.

    By the matrix if there is one. Otherwise one plane is repeated, one channel is the mean, and as many planes as
    channels stay as they are; but for `colour` three become red, green and blue, from the last to the first.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.images._any_bands import mixed
    >>> bands = np.arange(4.0).reshape(1, 4, 1, 1)
    >>> mixed(bands, 2, ((1, 0, 0, 0), (0, 0, 0.5, 0.5)), colour=True).ravel()
    array([0. , 2.5])
    """
    xp = namespace_of(planes)
    count = planes.shape[1]
    if matrix is not None:
        if len(matrix[0]) != count:
            raise ValueError(
                f"the matrix of the channels takes {len(matrix[0])} planes, but there are {count}"
            )
        shares = xp.asarray(matrix, dtype=planes.dtype, device=planes.device)
        made = shares @ _flat(planes)
        return xp.reshape(made, (len(planes), channels, *planes.shape[2:]))
    if channels == 1:
        return xp.mean(planes, axis=1, keepdims=True)
    if count == 1:
        return xp.concat([planes] * channels, axis=1)
    if count != channels:
        raise ValueError(f"the stretch made {count} planes, but the recipe has {channels} channels")
    return xp.flip(planes, axis=1) if colour and count == 3 else planes
