"""Cutouts from whole coadded bricks: each is fetched once for all the galaxies in it."""

import errno
import os
import threading
import time
from collections import defaultdict
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astroquery.query import BaseQuery

from galzoo_repr._arguments import check_path, did_you_mean
from galzoo_repr._config import cache_path
from galzoo_repr._folder import publish
from galzoo_repr.cutouts._ask import ask, plain_words
from galzoo_repr.cutouts._assemble import assemble, grid_of
from galzoo_repr.cutouts._brick_grid import Brick, brick_at
from galzoo_repr.cutouts._brick_pixels import MOST_BRICK_BYTES, sample, validate_brick
from galzoo_repr.cutouts._checks import check_setting, check_text, check_url
from galzoo_repr.cutouts._coverage import Coverage
from galzoo_repr.cutouts._flux_scales import ZeroPoint
from galzoo_repr.cutouts._manifest import CutoutStoreError
from galzoo_repr.cutouts._request import Attempt, CutoutRequest, Outcome
from galzoo_repr.cutouts._survey import CutoutSurvey
from galzoo_repr.cutouts._validate import validate_body

__all__ = ["BrickSurvey"]

_SPLIT_DEC = 32.375
"""North of this declination, and of the galactic plane, the northern telescopes are shown."""
_REGIONS = {
    "ls-dr9": ("dr9/north", "dr9/south"),
    "ls-dr9-north": ("dr9/north", "dr9/north"),
    "ls-dr9-south": ("dr9/south", "dr9/south"),
    "ls-dr10": ("dr9/north", "dr10/south"),
    "ls-dr10-south": ("dr10/south", "dr10/south"),
}


class BrickSurvey(CutoutSurvey, BaseQuery):
    """
    Query class that cuts stamps out of the coadded images of the Legacy Surveys, 0.25 degrees on a side.

    A brick of three bands is as large as some 45 cutouts, and serves all its galaxies. This is the route
    for more than ten thousand positions, or more than about twenty per brick.

    Parameters
    ----------
    server : str, optional
        URL or local folder with ``dr10/south/coadd/<AAA>/<brick>/legacysurvey-<brick>-image-<band>.fits.fz``;
        ``conf.brick_server`` when not given.
    layer : str, optional
        ``"ls-dr9"``, ``"ls-dr10"`` or one of their halves, such as ``"ls-dr10-south"``; ``conf.layer`` when
        not given.
    timeout : float, optional
        Seconds for one file; 10 times ``conf.timeout`` when not given.
    rate : float, optional
        Files per second at most; ``conf.brick_rate`` when not given, which stands for 1 per second, and no
        limit for a service on this machine.
    workers : int, optional
        Files at once at most; ``conf.workers`` when not given.
    image_format : {"fits"}, optional
        There are no pictures to be cut.
    coverage : Coverage, optional
        Where the survey has data.
    zero_point : float, Quantity or dict, optional
        AB magnitude of one count, or the flux of one, in all bands or by band; as documented for the layer when not
        given. Layers that no document is known of are refused without it where fluxes are needed.
    native_scale : Quantity, optional
        Size of the pixel that counts are per, where it is not that of the layer (0.262 arcsec if that is unknown).
    folder : str or pathlib.Path, optional
        Where files that are fetched are kept; the package's cache when not given. They may be deleted at
        any time.

    Notes
    -----
    The stamp is on the grid of the viewer, by cubic spline from the grid of the brick. From twice the
    native scale on, pixels are first smoothed (Gaussian of 1 pixel) and averaged two by two, as the viewer
    does. Pixels beyond the edge of a brick come from its neighbour.

    Examples
    --------
    >>> from astropy.coordinates import SkyCoord
    >>> from galzoo_repr.cutouts import BrickSurvey
    >>> survey = BrickSurvey(server="/data/legacysurvey", layer="ls-dr10")
    >>> survey.get_images(SkyCoord(190.1086, 1.2005, unit="deg"), bands="r", get_query_payload=True)
    ['/data/legacysurvey/dr10/south/coadd/190/1901p012/legacysurvey-1901p012-image-r.fits.fz']
    >>> survey.folder.name, survey.timeout
    ('bricks', 600.0)
    """

    route = "bricks"

    _conf_server = "brick_server"
    _conf_layer = "layer"
    _conf_rate = "brick_rate"
    _keepers_rate = 1.0
    _max_size = 3000
    max_field = 1.0
    """Largest field, degrees: some twenty-five bricks."""
    _formats: ClassVar[dict[str, str]] = {"fits": "fits"}

    def __init__(
        self,
        *,
        server: str | os.PathLike | None = None,
        layer: str | None = None,
        timeout: float | None = None,
        rate: float | None = None,
        workers: int | None = None,
        image_format: str = "fits",
        coverage: Coverage | None = None,
        zero_point: ZeroPoint | None = None,
        native_scale: u.Quantity | None = None,
        folder: str | os.PathLike | None = None,
    ):
        super().__init__(
            server=None if server is None else str(server), layer=layer, timeout=timeout, rate=rate,
            workers=workers, image_format=image_format, coverage=coverage, zero_point=zero_point,
            native_scale=native_scale,
        )  # fmt: skip
        self._folder = folder and check_path(folder, "a folder of bricks")
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._absent: set[str] = set()

    @property
    def server(self) -> str:
        """URL or local folder of the bricks."""
        return super().server

    @server.setter
    def server(self, place: str | None) -> None:
        check_text("server", place, "a URL or a folder")
        if place is not None and _is_local(place):
            check_path(place, "a folder of bricks")
        self._server = place if place is None or _is_local(place) else check_url("server", place)

    @property
    def timeout(self) -> float:
        """Seconds for one file."""
        return self._timeout or 10 * super().timeout

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._timeout = check_setting("timeout", seconds)

    @property
    def folder(self) -> Path:
        """Where files that are fetched are kept."""
        return Path(self._folder or cache_path("bricks")).expanduser()

    def arrange(self, requests: list[CutoutRequest]) -> list[CutoutRequest]:
        """
        Put requests in the order of their bricks.

        Examples
        --------
        >>> import astropy.units as u
        >>> from galzoo_repr.cutouts import BrickSurvey
        >>> survey = BrickSurvey(server="/data/legacysurvey")
        >>> requests = [survey.request(ra, 2.0, 64, 0.262 * u.arcsec) for ra in (150.4, 150.0, 150.3)]
        >>> [request.ra for request in survey.arrange(requests)]
        [150.0, 150.4, 150.3]
        """
        return sorted(requests, key=lambda request: brick_at(request.ra, request.dec).name)

    def _known_layer(self, layer: str) -> str:
        _regions(layer)
        return layer

    def attempt(self, request: CutoutRequest, *, probed: bool = False) -> Attempt:
        """
        Cut a stamp, fetching the bricks it needs and that are not there yet; see `Route.attempt`.

        Examples
        --------
        >>> import astropy.units as u
        >>> from galzoo_repr.cutouts import BrickSurvey
        >>> survey = BrickSurvey(server="/no/legacysurvey")
        >>> survey.attempt(survey.request(150.0, 2.0, 64, 0.262 * u.arcsec)).outcome.reason
        'there is no folder /no/legacysurvey'
        """
        started = time.monotonic()
        if _is_local(request.server) and not Path(request.server).expanduser().is_dir():
            return Attempt(Outcome("server_error", f"there is no folder {request.server}", time=time.time()))
        planes, facts = [], {"VERSION": request.layer, "ORIGIN": "coadd bricks"}
        for band in request.bands:
            plane, trouble = self._plane(request, band, facts)
            if trouble is not None:
                trouble.outcome.reason = f"{band}: {trouble.outcome.reason}"
                return trouble
            planes.append(plane)
        body = assemble(request, planes, facts)
        outcome = validate_body(request, body)
        outcome.seconds, outcome.time = time.monotonic() - started, time.time()
        if _is_local(request.server) and outcome.status in ("no_coverage", "band_missing"):
            # Of a folder that may be filled further.
            outcome.final = False
        kept = outcome.status in ("ok", "partial", "band_missing")
        return Attempt(outcome, body if kept else b"")

    def _payload(self, request: CutoutRequest) -> list[str]:
        home = brick_at(request.ra, request.dec)
        return [f"{request.server}/{_path(request.layer, home, band)}" for band in request.bands]

    def _plane(self, request: CutoutRequest, band: str, facts: dict) -> tuple[np.ndarray, Attempt | None]:
        """One band of a stamp, from the brick of its centre and, where that ends, from its neighbours; adds facts."""
        grid = grid_of(request)
        y, x = np.mgrid[: request.size, : request.size]
        ra, dec = grid.wcs_pix2world(x.ravel(), y.ravel(), 0)
        values = np.full(ra.shape, np.nan, np.float32)
        tried: set[str] = set()
        brick: Brick | None = brick_at(request.ra, request.dec)
        while brick is not None:
            tried.add(brick.name)
            path, trouble = self._file(request, brick, band)
            if trouble is not None:
                return values, trouble
            if path is not None:
                empty = np.isnan(values)
                try:
                    values[empty], said = sample(path, ra[empty], dec[empty], request.pixel_scale)
                    facts |= said
                # Files of services, and of folders, make astropy and its C code stumble in many ways.
                except Exception as error:
                    return values, self._damaged(request, path, error)
            brick = _next_brick(ra, dec, values, tried)
        return values.reshape(x.shape), None

    def _file(self, request: CutoutRequest, brick: Brick, band: str) -> tuple[Path | None, Attempt | None]:
        """Local file of a brick, None when there is no such brick, or the trouble of getting it."""
        relative = _path(request.layer, brick, band)
        if _is_local(request.server):
            path = Path(request.server).expanduser() / relative
            plain = path.with_suffix("")  # uncompressed
            return next((p for p in (path, plain) if p.exists()), None), None
        path = self.folder / relative
        url = f"{request.server}/{relative}"
        with self._locks[relative]:
            if path.exists():
                return path, None
            if url in self._absent:
                return None, None
            attempt = ask(self, request, url, {}, validate=validate_brick, most=MOST_BRICK_BYTES)
            if attempt.outcome.http_code == 404:
                self._absent.add(url)
                return None, None
            if attempt.outcome.status != "ok":
                return None, attempt
            _save(path, attempt.body)
            return path, None

    def _damaged(self, request: CutoutRequest, path: Path, error: Exception) -> Attempt:
        local = _is_local(request.server)
        if not local:
            path.unlink(missing_ok=True)  # fetched again by the next attempt
        reason = plain_words(f"{path.name} cannot be read: {error}")
        return Attempt(Outcome("corrupt", reason, time=time.time()), lasting=local)


def _is_local(server: str) -> bool:
    return "://" not in server


def _regions(layer: str) -> tuple[str, str]:
    if layer not in _REGIONS:
        raise ValueError(
            f"layer={layer!r} has no bricks here; use one of {', '.join(_REGIONS)}{did_you_mean(layer, _REGIONS)}"
        )
    return _REGIONS[layer]


@lru_cache(10_000)
def _region(layer: str, brick: Brick) -> str:
    """Folder of the release and the telescopes that show a brick."""
    north, south = _regions(layer)
    if brick.dec < _SPLIT_DEC or north == south:
        return south
    return north if SkyCoord(brick.ra, brick.dec, unit="deg").galactic.b.deg > 0 else south


def _path(layer: str, brick: Brick, band: str) -> str:
    folder = f"{_region(layer, brick)}/coadd/{brick.name[:3]}/{brick.name}"
    return f"{folder}/legacysurvey-{brick.name}-image-{band}.fits.fz"


def _next_brick(ra: np.ndarray, dec: np.ndarray, values: np.ndarray, tried: set[str]) -> Brick | None:
    """A brick not yet tried that holds a pixel still without value."""
    for i in np.flatnonzero(np.isnan(values)):
        brick = brick_at(ra[i], dec[i])
        if brick.name not in tried:
            return brick
    return None


def _save(path: Path, body: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        publish(path, body, sync=False)
    except OSError as error:
        raise CutoutStoreError(
            error.errno or errno.EIO, f"the brick {path} cannot be kept: {error}; give another folder="
        ) from error
