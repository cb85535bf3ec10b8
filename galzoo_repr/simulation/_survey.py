"""A survey that exists everywhere: galaxies of known morphology on a simulated sky, and cutouts of it."""

import math
import threading
from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import torch
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray
from torch import Tensor

from galzoo_repr._angle import AngleLike, read_angle
from galzoo_repr.questions import Schema
from galzoo_repr.simulation._brick_service import brick_routes
from galzoo_repr.simulation._field import FieldSources, draw_field
from galzoo_repr.simulation._footprint import Footprint
from galzoo_repr.simulation._galaxies_on_sky import GALAXY_DENSITY, GalaxiesOnSky
from galzoo_repr.simulation._hips_service import hips_routes
from galzoo_repr.simulation._instrument import NATIVE_PIXEL_SCALE, NOISE_AT_NATIVE_SCALE, blur
from galzoo_repr.simulation._noise import BANDS, sky_noise
from galzoo_repr.simulation._paint import LARGEST_REACH, PlacedGalaxies
from galzoo_repr.simulation._population import NATURAL_MIX, draw_galaxies
from galzoo_repr.simulation._service import Request, SurveyService, Writable
from galzoo_repr.simulation._sky import SkyTiling, slow_variation
from galzoo_repr.simulation._sky_image import SkyImage, tangent_wcs
from galzoo_repr.simulation._truth import light_columns, position_columns, truth_columns
from galzoo_repr.simulation._viewer import viewer_routes
from galzoo_repr.simulation._volunteers import volunteer_votes

__all__ = ["SimulatedSurvey"]

_SEEING, _DEPTH = 3, 4  # purposes of random numbers; 1 and 2 are the galaxies and the faint field
_MEDIAN_SEEING = 1.25  # arcsec, FWHM in r
_NOISE = dict(zip("grz", NOISE_AT_NATIVE_SCALE, strict=True))
_NOISE["i"] = (_NOISE["r"] + _NOISE["z"]) / 2
_MAX_FIELD = 1.0
_MAX_RADIUS = 10.0
_BLOCK = 1024
_PADDING = 4.0


class SimulatedSurvey:
    """
    A simulated imaging survey, deterministic from the sky position.

    The sky holds as many bright galaxies per square degree as Galaxy Zoo DESI, each of known morphology,
    between faint galaxies and stars. A position and a seed decide everything: cutouts that overlap show the
    same galaxies and the same noise where they do, whatever was asked for before. Seeing and depth change
    slowly over the sky. Nothing is stored; a cutout is drawn when it is asked for.

    The i band, which the renderer does not know, is the mean of r and z.

    Parameters
    ----------
    seed : int, optional
        Another seed is another sky.
    footprint : Footprint, optional
        Where there is data, `Footprint` unless given; ``Footprint.everywhere()`` for the whole sky.
    mix : mapping of str to float, optional
        Relative frequency of each kind of galaxy, see `draw_galaxies`.

    Examples
    --------
    >>> from galzoo_repr.simulation import SimulatedSurvey
    >>> survey = SimulatedSurvey(seed=1)
    >>> catalogue = survey.catalogue(3)
    >>> image = survey.cutout(catalogue["ra"][0], catalogue["dec"][0], size=64, bands="grz")
    >>> image.shape, image.dtype
    ((3, 64, 64), dtype('float32'))
    """

    def __init__(
        self, seed: int = 0, *, footprint: Footprint | None = None, mix: dict[str, float] | None = None
    ) -> None:
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
            raise ValueError(f"the seed of a survey is an integer from 0 on, not {seed!r}")
        self.seed = int(seed)
        self.footprint = Footprint() if footprint is None else footprint
        self._mix = dict(NATURAL_MIX if mix is None else mix)
        # refuse a bad mix now rather than in a thread of the service
        draw_galaxies(1, torch.Generator(), mix=self._mix)
        self._galaxies = GalaxiesOnSky(self.seed, self._mix)
        self._field_tiling = SkyTiling(0.05)
        self._field_of = lru_cache(4096)(lambda cell: draw_field(self.seed, cell))
        # torch on many threads at once is slower than one after the other
        self._one_at_a_time = threading.Lock()

    def __repr__(self) -> str:
        return f"SimulatedSurvey(seed={self.seed})"

    def __reduce__(self) -> tuple:
        """In another process the same sky is drawn again."""
        return partial(type(self), footprint=self.footprint, mix=self._mix), (self.seed,)

    def catalogue(
        self,
        n: int | None = None,
        *,
        center: SkyCoord | None = None,
        radius: AngleLike | None = None,
        schema: str | Schema | None = "gz_decals_dr5",
    ) -> Table:
        """
        List the galaxies of a region, with their true morphology and the votes of simulated volunteers.

        Parameters
        ----------
        n : int, optional
            The `n` galaxies nearest to `center`.
        center : `~astropy.coordinates.SkyCoord`, optional
            Middle of the region, by default right ascension 150 and declination 2 degrees.
        radius : `~astropy.units.Quantity`, optional
            All galaxies within this angle of `center`; give either this or `n`.
        schema : str or Schema, optional
            Questions that `volunteer_votes` answers about them; None for no votes.

        Returns
        -------
        `~astropy.table.Table`
            One row per galaxy in order of distance from `center`: ``name``, ``ra``, ``dec``, Petrosian radii
            ``petro_th50`` and ``petro_th90``, magnitudes ``mag_g``, ``mag_r``, ``mag_z``, and what is true of
            it in columns that begin with ``true_``; then a column of votes for each answer of `schema`.

        Raises
        ------
        ValueError
            Both or neither of `n` and `radius` given, one out of range, or too few galaxies near `center`.
        TypeError
            `center` is no SkyCoord, or `radius` no angle.

        Examples
        --------
        >>> from galzoo_repr import SimulatedSurvey
        >>> survey = SimulatedSurvey(seed=1, mix={"ring": 1})
        >>> set(survey.catalogue(3)["true_kind"].tolist())
        {'ring'}
        """
        if center is not None and not isinstance(center, SkyCoord):
            raise TypeError(f"center is a SkyCoord, such as SkyCoord(150, 2, unit='deg'), not {center!r}")
        position = SkyCoord(150.0, 2.0, unit="deg") if center is None else center.icrs
        ra0, dec0 = float(position.ra.deg), float(position.dec.deg)
        if (n is None) == (radius is None):
            raise ValueError(
                f"n={n} and radius={radius}: give one of them, a number of galaxies or an angle around center"
            )
        if radius is not None:
            ra, dec, galaxies = self._galaxies.near(
                ra0, dec0, _checked_radius(radius), observed=self._observed
            )
            return self._table(ra, dec, galaxies, schema)
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 0:
            raise ValueError(f"n is a number of galaxies, 0 or more, not {n!r}")
        reach = math.sqrt((n + 4) / GALAXY_DENSITY / math.pi) * 1.1
        ra, dec, galaxies = self._galaxies.near(ra0, dec0, min(reach, _MAX_RADIUS), observed=self._observed)
        while len(ra) < n:
            if reach >= _MAX_RADIUS:
                raise ValueError(
                    f"only {len(ra)} galaxies, not {n}, lie in the footprint within {_MAX_RADIUS:.0f} "
                    f"degrees of RA {ra0:.3f}, Dec {dec0:.3f}; choose another center or a smaller n"
                )
            reach = min(1.4 * reach, _MAX_RADIUS)
            ra, dec, galaxies = self._galaxies.near(ra0, dec0, reach, observed=self._observed)
        first = {name: values[:n] for name, values in galaxies.items()}
        return self._table(ra[:n], dec[:n], first, schema)

    def cutout(
        self,
        ra: float,
        dec: float,
        *,
        size: int = 256,
        pixel_scale: float = NATIVE_PIXEL_SCALE,
        bands: str = "grz",
    ) -> NDArray:
        """
        Image of the sky around a position, north up (towards the last row), east left.

        Parameters
        ----------
        ra, dec : float
            Position, degrees.
        size : int, optional
            Pixels along each side.
        pixel_scale : float, optional
            Arcsec per pixel.
        bands : str, optional
            Some of g, r, i, z, in the order wanted.

        Returns
        -------
        ndarray of float32, shape (len(bands), size, size)
            Nanomaggies per native pixel of 0.262 arcsec whatever the pixel scale, as the Legacy Survey viewer
            gives them; exactly 0 outside the footprint.

        Raises
        ------
        ValueError
            A position, size, pixel scale or band that does not exist.

        Examples
        --------
        >>> from galzoo_repr import SimulatedSurvey
        >>> SimulatedSurvey(seed=1).cutout(150.0, 2.0, size=64, bands="gr").shape
        (2, 64, 64)
        """
        if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 1:
            raise ValueError(f"the size of a cutout is a whole number of at least 1 pixel, not {size!r}")
        return self.image(
            tangent_wcs(ra, dec, width=size, height=size, pixel_scale=pixel_scale), bands=bands
        ).pixels

    def image(self, wcs: WCS, *, bands: str = "grz", half: str = "") -> SkyImage:
        """
        Image of the sky on a given grid.

        Parameters
        ----------
        wcs : astropy.wcs.WCS
            Square pixels, north up and east left, with ``pixel_shape`` set, at most one degree on a side.
        bands : str, optional
            Some of g, r, i, z, in the order wanted.
        half : str, optional
            ``"north"`` or ``"south"`` for what one half of the survey observed alone.

        Returns
        -------
        SkyImage
            Pixels, inverse variance and whether there is data.

        Raises
        ------
        ValueError
            A position, pixel scale or band that does not exist, or a field larger than one degree.

        Examples
        --------
        >>> from astropy.wcs import WCS
        >>> from galzoo_repr import SimulatedSurvey
        >>> wcs = WCS(naxis=2)
        >>> wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ["RA---TAN", "DEC--TAN"], [150.0, 2.0], [32.5, 32.5]
        >>> wcs.wcs.cd, wcs.pixel_shape = [[-1e-4, 0.0], [0.0, 1e-4]], (64, 64)
        >>> SimulatedSurvey(seed=1).image(wcs, bands="r").pixels.shape
        (1, 64, 64)
        """
        width, height = wcs.pixel_shape
        pixel_scale = _checked_scale(wcs, bands)
        if max(width, height) * pixel_scale > _MAX_FIELD * 3600:
            raise ValueError(
                f"{width} x {height} pixels of {pixel_scale:g} arcsec are more than the simulated survey "
                f"draws at once, {_MAX_FIELD:g} degree along a side; ask for fewer or finer pixels"
            )
        [[ra0, dec0]] = wcs.wcs_pix2world([[(width - 1) / 2, (height - 1) / 2]], 0)
        sky = _Conditions(self.seed, float(ra0), float(dec0))
        parts = SkyImage(
            *(np.empty((len(bands), height, width), kind) for kind in (np.float32, np.float32, bool))
        )
        for top in range(0, height, _BLOCK):
            for left in range(0, width, _BLOCK):
                window = slice(top, min(top + _BLOCK, height)), slice(left, min(left + _BLOCK, width))
                with self._one_at_a_time:
                    block = self._block(wcs, window, bands, half, pixel_scale, sky)
                for name in ("pixels", "invvar", "observed"):
                    getattr(parts, name)[:, *window] = getattr(block, name)
        return parts

    def serve(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        zero_point: float = 22.5,
        faults: Callable[[Request], Writable | None] | None = None,
    ) -> SurveyService:
        """
        Start an HTTP service that answers for this survey as the Legacy Survey viewer does.

        Parameters
        ----------
        port : int, optional
            Port to listen on; 0 takes a free one.
        host : str, optional
            Address to listen on; any but one of this machine alone gets a warning.
        zero_point : float, optional
            AB magnitude of one count in the FITS files of the viewer and of the HiPS service, whose layers of the
            Legacy Surveys are in nanomaggies (22.5); the others change alike.
        faults : callable, optional
            What goes wrong, see `SurveyService`.

        Returns
        -------
        SurveyService
            It answers from now on, at ``url``, until its ``stop()`` or the end of its ``with`` block.

        Examples
        --------
        >>> from urllib.request import urlopen
        >>> from galzoo_repr.simulation import SimulatedSurvey
        >>> with SimulatedSurvey().serve() as service:
        ...     with urlopen(f"{service.url}/cutout.fits?ra=150&dec=2&layer=ls-dr9&size=8") as answer:
        ...         print(answer.status, answer.headers["Content-Type"])
        200 image/fits
        """
        routes = {
            **viewer_routes(self, zero_point=zero_point),
            **hips_routes(self, zero_point=zero_point),
            **brick_routes(self),
        }
        return SurveyService(routes, port=port, host=host, base="/viewer", faults=faults).start()

    def _observed(self, ra: NDArray, dec: NDArray) -> NDArray:
        return self.footprint.covers(ra, dec, "r")[0]

    def _table(
        self, ra: NDArray, dec: NDArray, galaxies: dict[str, Tensor], schema: str | Schema | None
    ) -> Table:
        table = Table(position_columns(ra, dec))
        table.add_columns(light_columns(galaxies))
        table.add_columns(truth_columns(galaxies))
        table.meta["SURVEY"] = "simulated"
        table.meta["SEED"] = self.seed
        if schema is None:
            return table
        sky = _Conditions(self.seed, ra, dec)
        return volunteer_votes(table, schema, seed=self.seed, seeing=sky.seeing, depth=sky.depth)

    def _block(
        self,
        wcs: WCS,
        window: tuple[slice, slice],
        bands: str,
        half: str,
        pixel_scale: float,
        sky: "_Conditions",
    ) -> SkyImage:
        """Draw a part of an image that is small enough to be drawn at once."""
        rows, columns = window
        y, x = np.mgrid[rows, columns]
        ra, dec = (angle.reshape(x.shape) for angle in wcs.wcs_pix2world(x.ravel(), y.ravel(), 0))
        observed = self.footprint.covers(ra, dec, bands, half=half)
        if not observed.any():
            zero = np.zeros(observed.shape, np.float32)
            return SkyImage(zero, zero, observed)
        light, galaxies = self._light(wcs, window, pixel_scale, sky)
        level = max(0, math.floor(math.log2(pixel_scale / NATIVE_PIXEL_SCALE) + 1e-6))
        noise = sky_noise(ra, dec, pitch=NATIVE_PIXEL_SCALE * 2**level, seed=self.seed, bands=bands)
        sigma = np.array([_NOISE[band] for band in bands], np.float32)[:, None, None] * sky.depth
        signal = np.stack([_plane(light, band) for band in bands])
        variance = (sigma**2 + 0.01 * sigma * np.maximum(signal, 0)) / 4**level
        observed &= ~galaxies.dead_pixels(x, y, bands, pixel_scale)
        pixels = np.where(observed, signal + noise * np.sqrt(variance), 0).astype(np.float32)
        return SkyImage(pixels, np.where(observed, 1 / variance, 0).astype(np.float32), observed)

    def _light(
        self, wcs: WCS, window: tuple[slice, slice], pixel_scale: float, sky: "_Conditions"
    ) -> tuple[NDArray, "PlacedGalaxies"]:
        """Noise-free g, r, z image as the camera sees it, and the galaxies in or near it."""
        rows, columns = window
        height, width = rows.stop - rows.start, columns.stop - columns.start
        pad = max(8, math.ceil(_PADDING / pixel_scale))
        side = max(height, width) + 2 * pad
        corner = columns.start - pad, rows.start - pad
        middle = corner[0] + (side - 1) / 2, corner[1] + (side - 1) / 2
        [[ra0, dec0]] = wcs.wcs_pix2world([middle], 0)
        radius = side * pixel_scale / 3600 / math.sqrt(2)
        canvas = np.zeros((3, side, side), np.float32)
        near = [self._field_of(cell) for cell in self._field_tiling.cells_near(ra0, dec0, radius)]
        field = FieldSources.joined(near)
        x, y = wcs.wcs_world2pix(field.ra, field.dec, 0)
        field.add_to(canvas, x - corner[0], y - corner[1], pixel_scale=pixel_scale)
        reach = radius + LARGEST_REACH / 3600
        ra, dec, galaxies = self._galaxies.near(ra0, dec0, reach)
        placed = PlacedGalaxies(galaxies, *wcs.wcs_world2pix(ra, dec, 0))
        placed.add_to(canvas, corner, pixel_scale)
        light = torch.from_numpy(canvas)[None] * (NATIVE_PIXEL_SCALE / pixel_scale) ** 2
        seen = blur(light, sky.seeing, pixel_scale=pixel_scale)[0].numpy()
        return seen[:, pad : pad + height, pad : pad + width], placed


class _Conditions:
    """Seeing (FWHM in r, arcsec) and depth (noise over its median) at places on the sky."""

    def __init__(self, seed: int, ra: float | NDArray, dec: float | NDArray) -> None:
        self.seeing = np.maximum(0.8, _MEDIAN_SEEING * np.exp(0.12 * slow_variation(seed, _SEEING, ra, dec)))
        self.depth = np.exp(0.2 * slow_variation(seed, _DEPTH, ra, dec))


def _plane(light: NDArray, band: str) -> NDArray:
    """One band of a g, r, z image; i, between r and z, is their mean."""
    return (light[1] + light[2]) / 2 if band == "i" else light["grz".index(band)]


def _checked_scale(wcs: WCS, bands: str) -> float:
    """Arcsec per pixel of a grid, after checking that there is such a grid and such bands."""
    unknown = sorted(set(bands) - set(BANDS))
    if unknown or not bands:
        raise ValueError(f"bands are some of {BANDS}, such as 'grz', not {bands!r}")
    ra, dec = wcs.wcs.crval
    pixel_scale = wcs.wcs.cd[1][1] * 3600
    if not (np.isfinite(ra) and -90 <= dec <= 90):
        raise ValueError(f"no such position: RA {ra}, Dec {dec} degrees; declination runs from -90 to 90")
    if not (0 < pixel_scale < np.inf):
        raise ValueError(f"the pixel scale is a positive number of arcsec, not {pixel_scale}")
    return float(pixel_scale)


def _checked_radius(radius: AngleLike) -> float:
    radius = read_angle(radius, "radius", example="1 deg")
    degrees = float(radius.to_value(u.deg))
    if not 0 <= degrees <= _MAX_RADIUS:
        raise ValueError(f"radius is from 0 to {_MAX_RADIUS:.0f} degrees, not {radius}")
    return degrees
