"""Where the image of each row comes from: files or arrays."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table

from galzoo_repr.catalogue import texts_of
from galzoo_repr.images import ImageData, read_image

__all__ = ["KEY_BYTES", "Picture", "in_batches", "pictures_of"]

KEY_BYTES = 16


@dataclass(slots=True)
class Picture:
    """
    The image of one row before it is read.

    Attributes
    ----------
    source : str, numpy.ndarray or None
        A file, pixels of shape (H, W, 3), or None where there is none.
    status, reason : str
        Value of ``cutout_status``, and why.
    key : bytes
        First 16 bytes of the SHA-256 of its content; empty where only reading tells.
    """

    source: str | np.ndarray | None
    status: str = "ok"
    reason: str = ""
    key: bytes = b""

    @property
    def path(self) -> str:
        """The file, or nothing."""
        return self.source if isinstance(self.source, str) else ""

    def read(self, bands: str) -> ImageData:
        """Pixels and key, or the status that tells why there are none."""
        if isinstance(self.source, np.ndarray):
            image = _checked_array(self.source)
            self.key = _key_of_array(image.pixels) if image.status == "ok" else b""
            return image
        try:
            content = Path(self.source).read_bytes()
        except OSError as error:
            return ImageData(None, "", "corrupt", f"the file cannot be read: {error}")
        self.key = self.key or hashlib.sha256(content).digest()[:KEY_BYTES]
        return read_image(content, bands)


def pictures_of(catalogue: Table, images: object) -> list[Picture]:
    """
    Pictures that the user gave.

    Parameters
    ----------
    catalogue : astropy.table.Table
        Catalogue of n rows.
    images : str, sequence of str, os.PathLike or array, or array
        Name of a column; n files; n arrays; or one array or tensor of shape ``(n, H, W, 3)`` or ``(n, 3, H,
        W)``.

    Returns
    -------
    list of Picture

    Raises
    ------
    TypeError, ValueError
        If `images` is none of these, or has another length.
    """
    what = "images"
    if isinstance(images, str):
        if images not in catalogue.colnames:
            raise ValueError(
                f"images={images!r} names no column; the columns are {', '.join(catalogue.colnames)}"
            )
        what = f"column {images!r}"
        images = catalogue[images]
        if images.dtype.kind in "OSU" and images.ndim == 1:
            images = texts_of(images)
    if isinstance(images, (bytes, dict)) or not hasattr(images, "__len__"):
        raise TypeError(
            f"images must name a column of files, or hold files or arrays, not {type(images).__name__}"
        )
    if len(images) != len(catalogue):
        raise ValueError(f"{what} holds {len(images)} images, but the catalogue has {len(catalogue)} rows")
    return [_picture(image, what, row) for row, image in enumerate(images)]


def _picture(image: object, what: str, row: int) -> Picture:
    if isinstance(image, (str, os.PathLike)):
        path = os.fspath(image)
        return Picture(path) if path else Picture(None, "corrupt", "no file is named")
    if hasattr(image, "convert"):
        image = image.convert("RGB")
    elif hasattr(image, "detach"):
        image = image.detach().cpu()
    pixels = np.asarray(image)
    where = f"{what}, row {row}"
    if pixels.ndim not in (2, 3):
        raise TypeError(f"{where}: an image is an array of 2 or 3 axes, not of shape {pixels.shape}")
    if pixels.dtype != np.uint8 and pixels.dtype.kind != "f":
        raise TypeError(
            f"{where}: pixels must be uint8 in 0 to 255 or floating in 0 to 1, not {pixels.dtype}"
        )
    return Picture(_colour_last(pixels, where))


def _colour_last(pixels: np.ndarray, where: str) -> np.ndarray:
    """View of shape (H, W, 3) of grey, RGB or RGBA pixels with colour first or last."""
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    elif pixels.shape[-1] not in (1, 3, 4) and pixels.shape[0] in (1, 3, 4):
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.shape[-1] == 1:
        return np.broadcast_to(pixels, (*pixels.shape[:2], 3))
    if pixels.shape[-1] in (3, 4):
        return pixels[..., :3]
    raise ValueError(f"{where}: shape {pixels.shape} has no axis of 3 colours; give (H, W, 3) or (3, H, W)")


def _checked_array(pixels: np.ndarray) -> ImageData:
    """Pixels of an image that the user gave as an array."""
    if pixels.dtype.kind != "f":
        return ImageData(np.ascontiguousarray(pixels), "rgb")
    if not np.isfinite(pixels).all():
        return ImageData(None, "", "corrupt", "the image has pixels that are not finite")
    if pixels.size and (pixels.min() < 0 or pixels.max() > 1):
        raise ValueError(
            f"images of floating point numbers are in 0 to 1, but one is in {pixels.min():g} to "
            f"{pixels.max():g}; divide by 255, or give fluxes as FITS files"
        )
    return ImageData(np.ascontiguousarray(pixels, dtype=np.float32), "rgb")


def _key_of_array(pixels: np.ndarray) -> bytes:
    digest = hashlib.sha256(repr((pixels.shape, pixels.dtype.str)).encode())
    digest.update(pixels)
    return digest.digest()[:KEY_BYTES]


def in_batches(pictures: Sequence[Picture], size: int) -> Iterator[list[tuple[int, Picture]]]:
    """Rows with their pictures, in order."""
    rows = list(enumerate(pictures))
    yield from (rows[start : start + size] for start in range(0, len(rows), size))
