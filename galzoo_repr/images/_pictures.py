"""What a user gave as the pictures of a catalogue becomes one picture for each row, still to be read."""

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from astropy.table import Table
from PIL import Image

from galzoo_repr._array import is_tensor
from galzoo_repr.catalogue import texts_of
from galzoo_repr.images._colour import PixelArray, check_range, colour_last
from galzoo_repr.images._flux import scaled_key
from galzoo_repr.images._image_data import ImageData, refused
from galzoo_repr.images._read import PictureSource, read_image

__all__ = ["KEY_BYTES", "Picture", "Pictures", "flux_scales", "picture_of", "pictures_of"]

Pictures = str | Sequence[PictureSource | None] | PixelArray
"""The pictures of a catalogue: the name of a column, one picture for each row, or an array of them all."""

KEY_BYTES = 16

# Columns that hold pictures when a catalogue has no column of the name that was given.
_USUAL = ("file_loc", "cutout")
# Arrays whose range is looked at before any work begins; the others wait until they are read.
_CHECKED_AT_ONCE = 64


@dataclass(slots=True)
class Picture:
    """
    The picture of one row before it is read.

    Attributes
    ----------
    source : str, bytes, PIL.Image.Image, numpy.ndarray or None
        A file, its content, an image of Pillow, pixels of shape (H, W, 3) or (H, W, 4), or None where there
        is no picture.
    status, reason : str
        Value of ``cutout_status``, and why.
    key : bytes
        First 16 bytes of the SHA-256 of its content, and of its flux scale if that is another than 1; empty where
        only reading tells.
    flux : tuple of float or None
        What to multiply the planes of a FITS file by to have nanomaggies per pixel of 0.262 arcsec; None where the
        file itself tells. It must not change.
    """

    source: str | bytes | Image.Image | np.ndarray | None
    status: str = "ok"
    reason: str = ""
    key: bytes = b""
    flux: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        """Keep embeddings of one picture in two flux scales apart."""
        self.key = scaled_key(self.key, self.flux)

    @property
    def path(self) -> str:
        """The file, or nothing."""
        return self.source if isinstance(self.source, str) else ""

    def read(self, bands: str = "grz", *, keyed: bool = True, any_scale: bool = False) -> ImageData:
        """
        Pixels, or the status that tells why there are none.

        Parameters
        ----------
        bands : str
            Wanted from a FITS file, as for `read_image`.
        keyed : bool
            Find the key as well.
        any_scale : bool
            As for `read_image`.

        Returns
        -------
        ImageData

        Raises
        ------
        ValueError
            If floating point numbers are not in 0 to 1.
        """
        source = self.source
        if source is None:
            return refused(self.status, self.reason)
        if isinstance(source, str):
            try:
                source = Path(source).read_bytes()
            except OSError as error:
                return refused("corrupt", f"the file cannot be read: {error}")
        image = read_image(source, bands, flux=self.flux, any_scale=any_scale)
        if keyed and not self.key:
            if isinstance(source, bytes):
                self.key = scaled_key(_key_of_content(source), self.flux)
            elif image.pixels is not None:
                self.key = _key_of_pixels(image.pixels)
        return image


def _key_of_content(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:KEY_BYTES]


def _key_of_pixels(pixels: np.ndarray) -> bytes:
    digest = hashlib.sha256(repr((pixels.shape, pixels.dtype.str)).encode())
    digest.update(pixels)
    return digest.digest()[:KEY_BYTES]


def picture_of(image: PictureSource | None, where: str = "the picture") -> Picture:
    """
    Take one picture in any form.

    Parameters
    ----------
    image : str, os.PathLike, bytes, PIL.Image.Image, numpy.ndarray, torch.Tensor or None
        As for `read_image`; None, masked or an empty name where there is no picture.
    where : str
        What to call it in the messages of errors.

    Returns
    -------
    Picture

    Raises
    ------
    TypeError, ValueError
        If it is none of these, or an array that cannot be a picture.

    Examples
    --------
    >>> from galzoo_repr.images import picture_of
    >>> picture_of("galaxy.fits").path
    'galaxy.fits'
    >>> picture_of("").status
    'corrupt'
    """
    if isinstance(image, Picture):
        return image
    if image is None or image is np.ma.masked:
        image = ""
    if isinstance(image, (str, os.PathLike)):
        path = os.fspath(image)
        return Picture(path) if path else Picture(None, "corrupt", "no file is named")
    if isinstance(image, (bytes, bytearray, memoryview)):
        return Picture(bytes(image), key=_key_of_content(image))
    if isinstance(image, Image.Image):
        return Picture(image)
    return Picture(colour_last(image, where))


def pictures_of(catalogue: Table, images: Pictures) -> list[Picture]:
    """
    Take the pictures of a catalogue in any form.

    Parameters
    ----------
    catalogue : astropy.table.Table
        Catalogue of n rows.
    images : str, sequence, numpy.ndarray or torch.Tensor
        Name of a column of files or of pictures; n pictures in any forms that `picture_of` takes; or all in one
        array or tensor, such as ``(n, H, W, 3)``, ``(n, 3, H, W)`` or ``(n, H, W)``. FITS files of a column with
        another one beside it whose name ends in ``_flux_scale``, as `galzoo_repr.add_cutouts` may add, are multiplied
        by it.

    Returns
    -------
    list of Picture

    Raises
    ------
    TypeError, ValueError
        If `images` is none of these, has another length, or names no column; or if a row is no picture, or
        one of the first has floating point numbers outside 0 to 1.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.images import pictures_of
    >>> table = Table({"file_loc": ["a.fits", ""]})
    >>> [picture.status for picture in pictures_of(table, "file_loc")]
    ['ok', 'corrupt']
    """
    what, scales = "images", None
    if isinstance(images, str):
        what = f"column {images!r}"
        scales = flux_scales(catalogue, images)
        images = _column(catalogue, images)
    if isinstance(images, (bytes, dict)) or not hasattr(images, "__len__"):
        raise TypeError(
            "images must name a column, or hold files or other pictures, one for each row, not "
            f"{type(images).__name__}"
        )
    if len(images) != len(catalogue):
        raise ValueError(f"{what} holds {len(images)} images, but the catalogue has {len(catalogue)} rows")
    pictures = [picture_of(image, f"{what}, row {row}") for row, image in enumerate(_rows(images))]
    for picture, flux in zip(pictures, scales or (), strict=False):
        if picture.path:
            picture.flux = flux
    arrays = (picture.source for picture in pictures if isinstance(picture.source, np.ndarray))
    for pixels in islice(arrays, _CHECKED_AT_ONCE):
        check_range(pixels)
    return pictures


def flux_scales(catalogue: Table, name: str) -> list[tuple[float, ...] | None] | None:
    """
    Flux scales of the pictures of a column, from the column beside it.

    Parameters
    ----------
    catalogue : astropy.table.Table
        Catalogue of n rows.
    name : str
        Of the column of pictures.

    Returns
    -------
    list of tuple of float, or None
        For each row as `Picture.flux`, None where unknown (NaN); None if there is no such column.
    """
    if f"{name}_flux_scale" not in catalogue.colnames:
        return None
    column = np.ma.filled(np.ma.asarray(catalogue[f"{name}_flux_scale"], dtype=float), np.nan)
    rows = column.reshape(len(column), -1).tolist()
    return [tuple(row) if all(one == one for one in row) else None for row in rows]


def _column(catalogue: Table, name: str) -> np.ndarray:
    if name in catalogue.colnames:
        return catalogue[name]
    usual = [f"images={each!r}" for each in _USUAL if each in catalogue.colnames]
    hint = f"did you mean {usual[0]}?" if usual else f"the columns are {', '.join(catalogue.colnames)}"
    raise ValueError(f"images={name!r} names no column; {hint}")


def _rows(images: Pictures) -> Iterable[PictureSource | None]:
    """Go through the rows, with texts as `str` and tensors in the memory of the processor."""
    if is_tensor(images):
        return images.detach().cpu()
    if isinstance(images, np.ndarray) and images.dtype.kind in "SU" and images.ndim == 1:
        return texts_of(images)
    return images
