"""What reading a picture gives: its pixels, or why there are none."""

from dataclasses import dataclass

import numpy as np

__all__ = ["ImageData", "refused"]


@dataclass(frozen=True)
class ImageData:
    """
    What a picture holds, or why it cannot be used.

    Attributes
    ----------
    pixels : numpy.ndarray or None
        For ``kind="bands"``, ``(bands, H, W)`` float32 fluxes, first row south, zero where there is no data;
        for ``kind="rgb"``, ``(H, W, 3)``, uint8 or float32 in 0 to 1, first row north. Always finite, but for fluxes
        of any scale, which are NaN where there is no data. None where nothing could be read.
    kind : str
        ``"bands"``, ``"rgb"``, or ``""`` where nothing could be read.
    status : str
        ``"ok"``; ``"partial"`` (a fifth or more of a band is missing, from which on there is no embedding; some
        pixels are masked; or all are the same);
        ``"truncated"``; ``"corrupt"``; ``"band_missing"``; or ``"missing"`` where there is no picture.
    reason : str
        One sentence, empty where the status is ``"ok"``.

    Examples
    --------
    >>> import galzoo_repr as gzr
    >>> picture = gzr.images.read_image(b"<html>Bad Gateway</html>")
    >>> picture.status, picture.pixels is None
    ('corrupt', True)
    """

    pixels: np.ndarray | None
    kind: str
    status: str = "ok"
    reason: str = ""


def refused(status: str, reason: str) -> ImageData:
    """Nothing but the reason why a picture cannot be used."""
    return ImageData(None, "", status, reason)
