"""The image recipe: how sky becomes the input of an encoder."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table

from galzoo_repr._angle import AngleLike
from galzoo_repr._array import Array, namespace_of
from galzoo_repr.catalogue import as_table
from galzoo_repr.images._any_bands import Matrix, Stretch, mixed, stretched
from galzoo_repr.images._field_of_view import checked_fov, fields_by_radius, size_and_scale
from galzoo_repr.images._image_data import ImageData
from galzoo_repr.images._prepared import prepared
from galzoo_repr.images._range import central_colours, scaled
from galzoo_repr.images._recipe_dict import digest_of, plain, read_plain
from galzoo_repr.images._recipe_fields import (
    band_names,
    channels_of,
    check_names,
    number,
    per_channel,
    whole_number,
)
from galzoo_repr.images._resize import central_crop, resize
from galzoo_repr.images._stretch import galaxy_zoo_stretch, viewer_griz_stretch, viewer_grz_stretch

if TYPE_CHECKING:
    import torch

__all__ = ["ImageRecipe"]

_STRETCHES = {
    "galaxy_zoo_decals": galaxy_zoo_stretch,
    "viewer_grz": viewer_grz_stretch,
    "viewer_griz": viewer_griz_stretch,
}


@dataclass(frozen=True, kw_only=True)
class ImageRecipe:
    """
    Everything that decides how a position on the sky becomes the input of an encoder.

    An encoder carries the recipe that it was trained with; `galzoo_repr.add_embeddings` applies it.

    Parameters
    ----------
    bands : str or sequence of str
        Bands of the FITS cutout, in the order of the planes: letters, or names such as ``("VIS", "NIR_Y")``.
    stretch : str or callable
        ``"galaxy_zoo_decals"``, ``"viewer_grz"`` or ``"viewer_griz"``, which make colours of ``grz`` or ``griz``. For
        any bands, each by itself: ``"asinh"`` or ``"log"`` (`~astropy.visualization.AsinhStretch` or
        `~astropy.visualization.LogStretch` of the middle 99.5 % of the pixels), ``"zscale"``
        (`~astropy.visualization.ZScaleInterval`), or ``"none"``, which hands the fluxes on as they are. Or a function
        that makes ``(B, planes, H, W)`` of ``(B, bands, H, W)`` arrays of numpy, first row north; such a recipe cannot
        be saved, and its embeddings are not kept. What it masks or makes infinite is NaN, and an image with NaN has no
        embedding.
    fov_rule : str
        ``"galaxy_zoo_decals"`` (from the radii in the catalogue) or ``"fixed"`` (the same `fov` for all).
    fov : float, optional
        Field of view in arcsec for ``fov_rule="fixed"``, and for no other rule.
    pixel_scale : float
        Native scale of the survey, arcsec per pixel.
    max_pixels : int
        Largest cutout asked for; a wider field gets coarser pixels.
    crop : float
        Part of each side of the field that the encoder sees, above 0 and at most 1.
    size : int
        Pixels on each side of the input of the encoder.
    channels : int or array_like
        3, or 1 for the plain mean. With ``stretch="none"``, the number of bands. Other bands than three (from blue to
        red) or one (repeated) need a matrix of shape (channels, bands): the share of each stretched band in each
        channel.
    matrix : sequence, optional
        That matrix where `channels` is a number.
    mean, std : float or sequence of float
        Taken off, and divided by, per channel. The defaults leave the range 0 to 1.
    north_up : bool
        Turn FITS cutouts, whose first row is south, over. Colour images have north up already.

    Attributes
    ----------
    digest : str
        SHA-256 of the recipe in canonical JSON: equal for equal recipes on every machine.

    Raises
    ------
    TypeError, ValueError
        If a value has the wrong type or cannot be; the message says what is allowed.

    Examples
    --------
    >>> from galzoo_repr.images import ImageRecipe
    >>> recipe = ImageRecipe(size=128, crop=0.6)
    >>> recipe == ImageRecipe.from_dict(recipe.to_dict())
    True

    Six bands in an arcsinh, two for each channel:

    >>> pairs = [[0, 0, 0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5, 0, 0], [0.5, 0.5, 0, 0, 0, 0]]
    >>> recipe = ImageRecipe(stretch="asinh", bands=("u", "g", "r", "i", "z", "y"), channels=pairs)
    >>> recipe.bands, recipe.channels, recipe.takes_fluxes, recipe.digest == ImageRecipe().digest
    ('ugrizy', 3, True, False)
    """

    bands: str | tuple[str, ...] = "grz"
    stretch: Stretch = "galaxy_zoo_decals"
    fov_rule: str = "galaxy_zoo_decals"
    fov: float | None = None
    pixel_scale: float = 0.262
    max_pixels: int = 512
    crop: float = 1.0
    size: int = 224
    channels: int | Matrix = 3
    mean: tuple[float, ...] | float = 0.0
    std: tuple[float, ...] | float = 1.0
    north_up: bool = True
    matrix: Matrix | None = None

    def __post_init__(self) -> None:
        """Check every field and bring it to one type, so that equal recipes have equal digests."""
        object.__setattr__(self, "bands", band_names(self.bands))
        check_names(self.bands, self.stretch, self.fov_rule, self.fov)
        if self.fov is not None:
            object.__setattr__(self, "fov", number("fov", self.fov, above=0, at_most=36000))
        for name, low, high in (("pixel_scale", 0, 60), ("crop", 0, 1)):
            object.__setattr__(self, name, number(name, getattr(self, name), above=low, at_most=high))
        for name, low, high in (("max_pixels", 8, 3000), ("size", 8, 4096)):
            object.__setattr__(self, name, whole_number(name, getattr(self, name), low, high))
        channels, matrix = channels_of(self.channels, self.matrix, self.bands, self.stretch)
        object.__setattr__(self, "channels", channels)
        object.__setattr__(self, "matrix", matrix)
        object.__setattr__(self, "mean", per_channel("mean", self.mean, self.channels))
        object.__setattr__(self, "std", per_channel("std", self.std, self.channels))
        if min(self.std) <= 0:
            raise ValueError(f"std must be positive, not {self.std}")
        if not isinstance(self.north_up, bool):
            raise TypeError(f"north_up must be True or False, not {self.north_up!r}")

    @property
    def _values(self) -> dict[str, object]:
        # `dataclasses.asdict` would copy a function that is an object.
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def digest(self) -> str:
        """SHA-256, in hexadecimal, of the recipe in canonical JSON."""
        return digest_of(self._values)

    @property
    def takes_fluxes(self) -> bool:
        """Whether it takes fluxes of any scale, and no colour pictures, which a stretch has made already."""
        return callable(self.stretch) or self.stretch not in _STRETCHES

    def to_dict(self) -> dict:
        """
        Recipe as plain numbers, strings and lists, ready for JSON.

        Returns
        -------
        dict
            All fields that are used, and ``recipe_version``. Of a function as stretch there is only the name.

        Examples
        --------
        >>> from galzoo_repr import ImageRecipe
        >>> ImageRecipe(size=128).to_dict()["size"]
        128
        """
        return plain(self._values)

    @classmethod
    def from_dict(cls, values: dict) -> "ImageRecipe":
        """
        Recipe out of a dictionary made by `to_dict`.

        Parameters
        ----------
        values : dict
            Fields by name, and ``recipe_version``.

        Returns
        -------
        ImageRecipe

        Raises
        ------
        ValueError
            If it was written by a later version of the package, has fields that a recipe has not, or its stretch was
            a function.

        Examples
        --------
        >>> from galzoo_repr import ImageRecipe
        >>> recipe = ImageRecipe(size=128, crop=0.6)
        >>> ImageRecipe.from_dict(recipe.to_dict()) == recipe
        True
        """
        return cls(**read_plain(values, [field.name for field in fields(cls)]))

    def fields_of_view(self, table: Table | SkyCoord, fov: AngleLike | None = None) -> u.Quantity:
        """
        Field of view of each row of a catalogue.

        Parameters
        ----------
        table : astropy.table.Table or astropy.coordinates.SkyCoord
            Catalogue. The Galaxy Zoo rule looks for radii under the names in
            `galzoo_repr.images.RADIUS_COLUMNS`.
        fov : astropy.units.Quantity or str or astropy.table.Column, optional
            One angle for all rows or one per row, instead of the rule.

        Returns
        -------
        astropy.units.Quantity
            ``(n,)`` arcsec, float64; NaN where the radius, or the row's own `fov`, is missing or not
            positive.

        Raises
        ------
        TypeError
            If it is no catalogue, or `fov` is not an angle.
        ValueError
            If the rule needs radii, and the catalogue has none.

        Examples
        --------
        >>> from astropy.table import Table
        >>> from galzoo_repr import ImageRecipe
        >>> galaxies = Table({"ra": [150.1, 150.2], "dec": [2.2, 2.3], "petro_th50": [3.2, -9999.0]})
        >>> print(ImageRecipe().fields_of_view(galaxies).round(1))
        [54.3  nan] arcsec
        """
        table = as_table(table, copy=False)
        if fov is not None:
            return checked_fov(fov, len(table))
        if self.fov_rule == "fixed":
            return np.full(len(table), self.fov) * u.arcsec
        return fields_by_radius(table)

    def request(self, fov: AngleLike) -> tuple[np.ndarray, u.Quantity]:
        """
        Size and scale of the cutout to ask for: native pixels up to `max_pixels`, coarser ones beyond.

        Parameters
        ----------
        fov : astropy.units.Quantity
            Field of view, of any shape.

        Returns
        -------
        size : numpy.ndarray or int
            Pixels on each side; 0 where `fov` is NaN.
        pixel_scale : astropy.units.Quantity
            Arcsec per pixel, of the same shape.

        Raises
        ------
        TypeError
            If `fov` is not an angle.

        Notes
        -----
        As Galaxy Zoo DECaLS asked the viewer for its FITS files (https://github.com/zooniverse/decals).

        Examples
        --------
        >>> from astropy import units as u
        >>> from galzoo_repr.images import ImageRecipe
        >>> size, scale = ImageRecipe().request([60.0, 600.0] * u.arcsec)
        >>> size
        array([230, 512])
        >>> scale
        <Quantity [0.262   , 1.171875] arcsec>
        """
        return size_and_scale(fov, self.pixel_scale, self.max_pixels)

    def from_bands(self, bands: Array) -> Array:
        """
        Model input out of calibrated bands: crop, stretch, resize, channels, range.

        Parameters
        ----------
        bands : numpy.ndarray or torch.Tensor
            ``(B, bands, H, W)`` float fluxes in the order of `bands`, nanomaggies per native pixel, first row
            south.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            ``(B, channels, size, size)`` float32, of the kind and on the device of `bands`.

        Raises
        ------
        ValueError
            If `bands` has another shape.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import ImageRecipe
        >>> sky = np.zeros((1, 3, 200, 200), np.float32)
        >>> ImageRecipe(size=64).from_bands(sky).shape
        (1, 3, 64, 64)
        """
        if bands.ndim != 4 or bands.shape[1] != len(self.bands):
            raise ValueError(
                f"bands has shape {tuple(bands.shape)}, but this recipe takes (B, {len(self.bands)}, H, W)"
            )
        xp = namespace_of(bands)
        bands = central_crop(bands, self.crop)
        if self.north_up:
            bands = xp.flip(bands, axis=-2)
        bands = xp.astype(bands, xp.float32)
        if not self.takes_fluxes:
            return self._from_colour(_STRETCHES[self.stretch](bands))
        planes = resize(stretched(bands, self.stretch), self.size)
        named = not callable(self.stretch) and self.stretch != "none"
        planes = planes.clip(0.0, 1.0) if named else planes
        return scaled(mixed(planes, self.channels, self.matrix, colour=named), self.mean, self.std)

    def from_rgb(self, images: Array) -> Array:
        """
        Model input out of colour images: crop, resize, channels, range.

        Parameters
        ----------
        images : numpy.ndarray or torch.Tensor
            ``(B, 3, H, W)`` uint8 in 0 to 255, or floating point in 0 to 1; first row north.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            ``(B, channels, size, size)`` float32, of the kind and on the device of `images`.

        Raises
        ------
        ValueError
            If `images` has another shape or reaches beyond 0 to 1, or the recipe takes fluxes.
        TypeError
            If they are numbers of another type.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import ImageRecipe
        >>> pictures = np.zeros((1, 3, 200, 200), np.uint8)
        >>> ImageRecipe(size=64).from_rgb(pictures).shape
        (1, 3, 64, 64)
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images has shape {tuple(images.shape)}, but colour images are (B, 3, H, W)")
        if self.takes_fluxes:
            raise ValueError(
                f"this recipe takes fluxes (stretch={self.stretch!r}), not colour images; give FITS cutouts"
            )
        return self._from_colour(central_colours(images, self.crop))

    def prepare(
        self,
        images: Sequence[ImageData],
        device: "torch.device | str | None" = None,
        *,
        failed: dict[int, str] | None = None,
    ) -> Array:
        """
        Model input out of images of any size and kind, in their order.

        Parameters
        ----------
        images : sequence of ImageData
            As read by `read_image`, with pixels.
        device : torch.device or str, optional
            Where torch shall stretch and resize; without it, numpy does.
        failed : dict of int to str, optional
            Takes the reason for each image, by its number, with which a function as stretch fails; the image is NaN
            then. Without it, the error of the function ends the call.

        Returns
        -------
        numpy.ndarray or torch.Tensor
            ``(B, channels, size, size)`` float32; a tensor where there is a `device`.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr.images import ImageData, ImageRecipe
        >>> pictures = [ImageData(np.zeros((side, side, 3), np.uint8), "rgb") for side in (100, 150)]
        >>> tuple(ImageRecipe(size=64).prepare(pictures).shape)
        (2, 3, 64, 64)
        """
        failed = failed if callable(self.stretch) else None
        return prepared(images, (self.channels, self.size, self.size), self._from_stack, device, failed)

    def _from_stack(self, kind: str, stack: Array) -> Array:
        if kind == "bands":
            return self.from_bands(stack)
        return self.from_rgb(namespace_of(stack).moveaxis(stack, -1, 1))

    def _from_colour(self, images: Array) -> Array:
        images = resize(images, self.size).clip(0.0, 1.0)
        if self.channels == 1:
            images = namespace_of(images).mean(images, axis=1, keepdims=True)
        return scaled(images, self.mean, self.std)
