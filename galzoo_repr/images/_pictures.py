"""What a user gave as the pictures of a catalogue becomes one picture for each row, and pixels when it is read."""

import hashlib
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from astropy.table import Table
from PIL import Image

from galzoo_repr._arguments import did_you_mean, some_of
from galzoo_repr._array import is_tensor
from galzoo_repr.catalogue import files_in, texts_of
from galzoo_repr.images._colour import (
    NOT_FINITE,
    PixelArray,
    beyond_range,
    colour_last,
    masked_part,
    read_pixels,
    refuse_unit,
)
from galzoo_repr.images._file import content_of, read_content
from galzoo_repr.images._flux import scaled_key
from galzoo_repr.images._image_data import ImageData, refused
from galzoo_repr.images._pillow import read_pillow

__all__ = [
    "KEY_BYTES",
    "Picture",
    "PictureSource",
    "Pictures",
    "flux_scales",
    "picture_column",
    "picture_of",
    "pictures_of",
    "read_image",
]

PictureSource = str | os.PathLike | bytes | Image.Image | PixelArray
"""One picture, in any form in which it may be given."""

Pictures = str | Sequence[PictureSource | None] | PixelArray
"""The pictures of a catalogue: the name of a column, one picture for each row, or an array of them all."""

KEY_BYTES = 16

# Columns that hold pictures when a catalogue has no column of the name that was given.
_USUAL = ("file_loc", "cutout")
# Arrays whose range is looked at before any work begins; the others wait until they are read.
_CHECKED_AT_ONCE = 64
_PILLOW = threading.Lock()


@dataclass(slots=True)
class Picture:
    """
    The picture of one row before it is read.

    Attributes
    ----------
    source : str, bytes, PIL.Image.Image, numpy.ndarray or None
        A file, its content, an image of Pillow, pixels of shape (H, W, 3) or (H, W, 4), or None where there
        is no picture, or only the key of one that was not kept.
    status, reason : str
        Value of ``cutout_status``, and why.
    key : bytes
        First 16 bytes of the SHA-256 of its content, and of its flux scale if that is another than 1; empty where
        only reading tells.
    flux : tuple of float or None
        What to multiply the planes of a FITS file by to have nanomaggies per pixel of 0.262 arcsec; None where the
        file itself tells. It must not change.

    Examples
    --------
    >>> from galzoo_repr.images import Picture
    >>> Picture("galaxy.fits").path, Picture(None, "missing").status
    ('galaxy.fits', 'missing')
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

    def loaded(self) -> "Picture":
        """
        Give the picture with the content of its file, which tells the key without decoding it.

        Examples
        --------
        >>> Picture("gone.fits").loaded().status
        'missing'
        """
        if self.key or not isinstance(self.source, str):
            return self
        content = content_of(self.source)
        if isinstance(content, ImageData):
            return Picture(None, content.status, content.reason)
        return Picture(content, key=_key_of_content(content), flux=self.flux)

    def known_by_name(self) -> "Picture":
        """
        Give the picture with the name of its file for a key, which tells it from others of the same call.

        Examples
        --------
        >>> Picture("a.fits").known_by_name().key == Picture("b.fits").known_by_name().key
        False
        """
        if self.key or not self.path:
            return self
        return Picture(
            self.source, key=_key_of_content(self.path.encode(errors="surrogatepass")), flux=self.flux
        )

    def read(
        self, bands: str | Sequence[str] = "grz", *, keyed: bool = True, fluxes: bool = False
    ) -> ImageData:
        """
        Pixels, or the status that tells why there are none.

        Parameters
        ----------
        bands : str or sequence of str
            Wanted from a FITS file, as for `read_image`.
        keyed : bool
            Find the key as well.
        fluxes : bool
            Whether fluxes are wanted as they are: colour pictures lack the bands then, and the scale of those of a
            FITS file may be any. Pixels without data are NaN, as their scale does not tell what no flux is.

        Returns
        -------
        ImageData

        Examples
        --------
        >>> Picture(np.zeros((64, 64, 3), np.uint8)).read().pixels.shape
        (64, 64, 3)
        """
        source = content_of(self.source) if isinstance(self.source, str) else self.source
        if source is None and self.key and self.status in ("ok", "partial"):
            return refused("missing", "its cutout was not kept")
        if source is None:
            return refused(self.status, self.reason)
        if isinstance(source, ImageData):
            return source
        image = _read(source, bands, self.flux, fluxes=fluxes)
        if keyed and not self.key:
            if isinstance(source, bytes):
                self.key = scaled_key(_key_of_content(source), self.flux)
            elif image.pixels is not None:
                self.key = _key_of_pixels(image.pixels)
        if image.kind == "rgb" and fluxes:
            return refused("band_missing", "fluxes are wanted, but this is a colour picture")
        return image


def _read(
    source: bytes | Image.Image | np.ndarray,
    bands: str | Sequence[str],
    flux: Sequence[float] | None,
    *,
    fluxes: bool,
) -> ImageData:
    if isinstance(source, bytes):
        return read_content(source, bands, flux, any_scale=fluxes, gaps=fluxes)
    if isinstance(source, np.ndarray):
        return read_pixels(source)
    # Several rows may hold the same image, which Pillow cannot decode in two threads at once.
    with _PILLOW:
        return read_pillow(source)


def _key_of_content(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:KEY_BYTES]


def _key_of_pixels(pixels: np.ndarray) -> bytes:
    digest = hashlib.sha256(repr((pixels.shape, pixels.dtype.str)).encode())
    digest.update(pixels)
    return digest.digest()[:KEY_BYTES]


def read_image(
    source: PictureSource | None,
    bands: str | Sequence[str] = "grz",
    *,
    flux: Sequence[float] | None = None,
    any_scale: bool = False,
) -> ImageData:
    """
    Read one picture, in whichever form it is given.

    Numbers are scaled by their type alone: uint8 by 255, uint16 (and 16-bit grey images) by 65535, True is white;
    floating ones are in 0 to 1. Whole numbers of other types, and floating ones beyond 0 to 1, are refused, as
    nobody can know where white is.

    Parameters
    ----------
    source : str, os.PathLike, bytes, PIL.Image.Image, numpy.ndarray or torch.Tensor
        A FITS (also compressed), JPEG or PNG file, or its content; an image of Pillow; or pixels: grey, RGB
        or RGBA with colour first or last. Transparency shows black, the orientation in the EXIF of files and
        of images of Pillow is obeyed, and of several frames the first is read.
    bands : str or sequence of str
        Bands wanted from a FITS file, letters or names, in the order in which they are returned. They are found by the
        keyword BANDS (``'grz'``, ``'VIS, NIR_Y'``), or BAND0, BAND1 and so on; only a file of one plane may do without,
        when one band is wanted. Extensions of weights, variances and masks are passed over.
    flux : sequence of float, optional
        What to multiply the planes of a FITS file by to have nanomaggies per pixel of 0.262 arcsec, one number or
        one for each plane. When not given, the header tells: ``BUNIT``, if it is a flux or a surface brightness
        (nJy, MJy/sr, ...), or a zero point such as ``MAGZERO``, in AB; a file that says nothing is in nanomaggies.
    any_scale : bool
        Take fluxes as they are where their scale is unknown, instead of refusing them as ``"corrupt"``.

    Returns
    -------
    ImageData
        With finite pixels or a status: what is no picture, or a bad one, never raises.

    Examples
    --------
    >>> import numpy as np
    >>> from galzoo_repr.images import read_image
    >>> read_image(b"<html>no such layer</html>").status
    'corrupt'
    >>> read_image("gone.png").status
    'missing'
    >>> read_image(np.eye(64)).pixels.shape
    (64, 64, 3)
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        # Its key, which takes longer than reading it, is not wanted.
        return read_content(bytes(source), bands, flux, any_scale=any_scale)
    picture = picture_of(source)
    if isinstance(picture.source, str):
        content = content_of(picture.source)
        return (
            content
            if isinstance(content, ImageData)
            else read_content(content, bands, flux, any_scale=any_scale)
        )
    return picture.read(bands, keyed=False)


def picture_of(image: PictureSource | None) -> Picture:
    """
    Take one picture in any form.

    Parameters
    ----------
    image : str, os.PathLike, bytes, PIL.Image.Image, numpy.ndarray, torch.Tensor or None
        As for `read_image`; None, NaN, masked or an empty name where there is no picture.

    Returns
    -------
    Picture
        With a status, if it is none of these, or pixels that cannot be a picture.

    Examples
    --------
    >>> from galzoo_repr.images import picture_of
    >>> picture_of("galaxy.fits").path
    'galaxy.fits'
    >>> picture_of("").status
    'missing'
    """
    if isinstance(image, Picture):
        return image
    if (
        image is None
        or image is np.ma.masked
        or (isinstance(image, (float, np.floating)) and np.isnan(image))
    ):
        return Picture(None, "missing", "no picture is given")
    if isinstance(image, (str, os.PathLike)):
        path = os.fsdecode(image)
        return Picture(path) if path.strip() else Picture(None, "missing", "no file is named")
    if isinstance(image, (bytes, bytearray, memoryview)):
        return Picture(bytes(image), key=_key_of_content(image))
    if isinstance(image, Image.Image):
        return Picture(image)
    if masked := masked_part(image):
        return Picture(
            None, "missing" if masked == 1 else "partial", f"{masked:.1%} of its pixels are masked"
        )
    try:
        return Picture(colour_last(image))
    # Objects of any kind may be in a list, and fail in ways of their own.
    except Exception as error:
        return Picture(None, "corrupt", str(error))


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
        Those that are none have a status.

    Raises
    ------
    TypeError, ValueError
        If `images` is none of these, has another length, or names no column; or if it holds no picture, but
        arrays that cannot be one.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.images import pictures_of
    >>> table = Table({"file_loc": ["a.fits", ""]})
    >>> [picture.status for picture in pictures_of(table, "file_loc")]
    ['ok', 'missing']
    """
    what, scales = "images", None
    if isinstance(images, str):
        what = f"column {images!r}"
        scales = flux_scales(catalogue, images)
        images = files_in(_column(catalogue, images))
    if isinstance(images, (bytes, dict, set, frozenset)) or not hasattr(images, "__len__"):
        raise TypeError(
            "images must name a column, or hold files or other pictures, one for each row, not "
            f"{type(images).__name__}"
        )
    if len(images) != len(catalogue):
        raise ValueError(f"{what} holds {len(images)} images, but the catalogue has {len(catalogue)} rows")
    refuse_unit(images)
    rows = list(_rows(images))
    pictures = [picture_of(image) for image in rows]
    for picture, flux in zip(pictures, scales or (), strict=False):
        if picture.path:
            picture.flux = flux
    _refuse_if_none_is_one(pictures, rows, what)
    return pictures


def picture_column(catalogue: Table) -> str:
    """
    Column of the pictures of a catalogue: ``cutout``, or ``file_loc``; empty where it has neither.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from galzoo_repr.images import picture_column
    >>> picture_column(Table({"name": ["a"], "file_loc": ["a.jpg"]}))
    'file_loc'
    """
    return next((name for name in reversed(_USUAL) if name in catalogue.colnames), "")


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

    Examples
    --------
    >>> from galzoo_repr.images import flux_scales
    >>> flux_scales(Table({"cutout": ["a.fits", ""], "cutout_flux_scale": [0.5, np.nan]}), "cutout")
    [(0.5,), None]
    """
    if f"{name}_flux_scale" not in catalogue.colnames:
        return None
    column = np.ma.filled(np.ma.asarray(catalogue[f"{name}_flux_scale"], dtype=float), np.nan)
    rows = column.reshape(len(column), -1).tolist()
    return [tuple(row) if all(one == one for one in row) else None for row in rows]


def _refuse_if_none_is_one(pictures: list[Picture], images: list, what: str) -> None:
    """Say before any work begins that an argument is wrong altogether: no pictures, or numbers of another scale."""
    given = ((row, one) for row, one in enumerate(pictures) if one.status != "missing")
    faults = [(row, _fault(one)) for row, one in islice(given, _CHECKED_AT_ONCE)]
    if not faults or not all(fault for _, fault in faults):
        return
    row, fault = faults[0]
    try:
        colour_last(images[row])
    except TypeError as error:
        raise TypeError(f"{what}, row {row}: {error}") from None
    except Exception:
        pass
    raise ValueError(f"{what}, row {row}: {fault}")


def _fault(picture: Picture) -> str:
    """Why it is no picture, as far as that is known without reading files."""
    if isinstance(picture.source, np.ndarray):
        fault = beyond_range(picture.source)
        return "" if fault == NOT_FINITE else fault
    return picture.reason if picture.status == "corrupt" else ""


def _column(catalogue: Table, name: str) -> np.ndarray:
    if name in catalogue.colnames:
        return catalogue[name]
    usual = [f"images={each!r}" for each in _USUAL if each in catalogue.colnames]
    columns = f"the columns are {some_of(catalogue.colnames)}{did_you_mean(name, catalogue.colnames)}"
    make = "; galzoo_repr.add_cutouts makes it" if name == "cutout" else ""
    hint = f"did you mean {usual[0]}?" if usual else columns + make
    if os.path.isdir(name):
        hint = "it is a folder; put the paths of its files into a column, one for each row, and name that"
    raise ValueError(f"images={name!r} names no column; {hint}")


def _rows(images: Pictures) -> Iterable[PictureSource | None]:
    """Go through the rows, with texts as `str` and tensors in the memory of the processor."""
    if is_tensor(images):
        return images.detach().cpu()
    if isinstance(images, np.ndarray) and images.dtype.kind in "SU" and images.ndim == 1:
        return texts_of(images)
    return images
