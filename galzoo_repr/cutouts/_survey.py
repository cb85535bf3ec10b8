"""What the services for cutouts have in common: their settings, and asking for images of positions."""

import io
import warnings

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astroquery.exceptions import BlankResponseWarning, NoResultsWarning
from astroquery.utils import parse_coordinates
from PIL import Image

from galzoo_repr._angle import AngleLike
from galzoo_repr.catalogue import sky_positions
from galzoo_repr.cutouts._checks import check_bands, check_pixel_scale, check_size, check_text
from galzoo_repr.cutouts._coverage import Coverage
from galzoo_repr.cutouts._fetch import fetch
from galzoo_repr.cutouts._flux_scales import ZeroPoint
from galzoo_repr.cutouts._http import ThreadedRequests
from galzoo_repr.cutouts._request import Attempt, CutoutRequest, Outcome
from galzoo_repr.cutouts._settings import ServiceSettings
from galzoo_repr.cutouts._status import USABLE, error_for

__all__ = ["CutoutSurvey"]


class CutoutSurvey(ServiceSettings, ThreadedRequests):
    """
    Service that makes cutouts; `LegacySurvey`, `HipsSurvey` and `BrickSurvey` say how.

    Parameters
    ----------
    server : str, optional
        Base URL; from the configuration when not given.
    layer : str, optional
        Image layer; from the configuration when not given.
    timeout : float, optional
        Seconds for one whole exchange; ``conf.timeout`` when not given.
    rate : float, optional
        Requests per second at most; from the configuration when not given, where 0 stands for what the
        keepers of the service ask, and for no limit to a service on this machine.
    workers : int, optional
        Requests at once at most; ``conf.workers`` when not given.
    image_format : {"fits", "jpeg"}, optional
        What to ask for when a call does not say: calibrated planes, or colour pictures.
    coverage : Coverage, optional
        Where the survey has data. Positions that lie outside are not asked for when a catalogue is fetched.
    zero_point : float, Quantity or dict, optional
        AB magnitude of one count, or the flux of one, in all bands or by band; as documented for the layer when not
        given. Layers that no document is known of are refused without it where fluxes are needed.
    native_scale : Quantity, optional
        Size of the pixel that counts are per, where it is not that of the layer (0.262 arcsec if that is unknown).

    Raises
    ------
    TypeError, ValueError
        If a setting is of the wrong kind or cannot be meant.

    Notes
    -----
    Configuration is read at each call. All settings are also attributes that can be assigned.
    """

    route: str

    def __init__(
        self,
        *,
        server: str | None = None,
        layer: str | None = None,
        timeout: float | None = None,
        rate: float | None = None,
        workers: int | None = None,
        image_format: str = "fits",
        coverage: Coverage | None = None,
        zero_point: ZeroPoint | None = None,
        native_scale: u.Quantity | None = None,
    ):
        super().__init__()
        self._session.headers["User-Agent"] = f"galzoo_repr {self._session.headers['User-Agent']}"
        self.server = server
        self.layer = layer
        self.timeout = timeout
        self.rate = rate
        self.workers = workers
        self.image_format = image_format
        self.coverage = coverage
        self.zero_point = zero_point
        self.native_scale = native_scale

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.server}, layer {self.layer}>"

    def get_images(
        self,
        coordinates: SkyCoord | str,
        *,
        size: int = 256,
        pixel_scale: AngleLike = 0.262 * u.arcsec,
        bands: str = "grz",
        layer: str | None = None,
        image_format: str | None = None,
        get_query_payload: bool = False,
    ) -> list:
        """
        Images centred on one or many positions.

        Parameters
        ----------
        coordinates : `~astropy.coordinates.SkyCoord` or str
            One position, an array of positions, or the name of an object.
        size : int, optional
            Pixels on a side, 1 to 3000.
        pixel_scale : `~astropy.units.Quantity`, optional
            Angle per pixel. The native scale is 0.262 arcsec. Pixel values are those of the service: for the
            Legacy Surveys, nanomaggies per native pixel at any scale.
        bands : str, optional
            One letter per band. Services choose the colours of JPEG images themselves.
        layer : str, optional
            Image layer; the one of this object when not given.
        image_format : {"fits", "jpeg"}, optional
            Calibrated planes, or a colour picture; the format of this object when not given.
        get_query_payload : bool, optional
            Return the parameters that would be sent instead of sending them.

        Returns
        -------
        list of `~astropy.io.fits.HDUList` or of `numpy.ndarray`
            FITS images, or (size, size, 3) uint8 arrays for JPEG, north up. One element per position; for
            many positions, None where there is no image, with one `~astroquery.exceptions.NoResultsWarning`.
            With ``get_query_payload``, a dict for one position and a list of dicts for many, None where a
            position is not finite.

        Raises
        ------
        TypeError
            If ``pixel_scale`` is no angle or ``size`` no number.
        ValueError
            If ``size``, the field of view, ``bands`` or ``image_format`` is not allowed, or positions have
            several dimensions.
        astroquery.exceptions.EmptyResponseError
            If the only position lies outside the survey.
        astroquery.exceptions.InvalidQueryError
            If the only position is not finite, or asked of a layer or in bands that do not exist.
        astroquery.exceptions.TimeoutError
            If the service does not answer in time.
        astroquery.exceptions.RemoteServiceError
            If the service fails.
        """
        asked = parse_coordinates(coordinates)
        positions = sky_positions(asked)
        requests_ = [
            self.request(ra, dec, size, pixel_scale, bands=bands, layer=layer, image_format=image_format)
            if valid
            else None
            for ra, dec, valid in zip(positions.ra, positions.dec, positions.valid, strict=True)
        ]
        if asked.isscalar and requests_[0] is None:
            raise error_for("bad_position", str(positions.reason[0]))
        if get_query_payload:
            payloads = [request and self._payload(request) for request in requests_]
            return payloads[0] if asked.isscalar else payloads
        bodies: dict[bytes, bytes] = {}

        def keep(request: CutoutRequest, attempt: Attempt) -> None:
            bodies[request.key] = attempt.body

        wanted = {request.key: request for request in requests_ if request is not None}
        ended = {request.key: outcome for request, outcome in fetch(self, wanted.values(), publish=keep)}
        outcomes = [ended[request.key] if request else Outcome("bad_position") for request in requests_]
        if asked.isscalar:
            _raise_or_warn(outcomes[0])
        elif any(outcome.status not in USABLE for outcome in outcomes):
            _warn_missing(outcomes)
        return [
            _read(bodies[request.key], request.image_format) if outcome.status in USABLE else None
            for request, outcome in zip(requests_, outcomes, strict=True)
        ]

    def request(
        self,
        ra: float,
        dec: float,
        size: int,
        pixel_scale: AngleLike,
        *,
        bands: str = "grz",
        layer: str | None = None,
        image_format: str | None = None,
    ) -> CutoutRequest:
        """
        Describe one cutout, checking everything that can be checked without asking the service.

        Parameters
        ----------
        ra, dec : float
            Centre, ICRS degrees.
        size : int
            Pixels on a side, 1 to 3000.
        pixel_scale : `~astropy.units.Quantity`
            Angle per pixel.
        bands, layer, image_format : str, optional
            As for `get_images`.

        Returns
        -------
        CutoutRequest

        Raises
        ------
        TypeError
            If ``pixel_scale`` is no angle.
        ValueError
            If another argument is not allowed.
        """
        scale = check_pixel_scale(pixel_scale)
        size = check_size(
            size, scale, most=self._max_size, widest=self.max_field, service=type(self).__name__
        )
        check_bands(bands)
        image_format = self._known_format(image_format or self.image_format)
        layer = self._known_layer(check_text("layer", layer, "the name of an image layer") or self.layer)
        return CutoutRequest(
            float(ra), float(dec), size, scale, bands, layer, image_format, self.server, self.route
        )

    def attempt(self, request: CutoutRequest, *, probed: bool = False) -> Attempt:
        """Ask the service once; see `Route.attempt`."""
        raise NotImplementedError

    def arrange(self, requests: list[CutoutRequest]) -> list[CutoutRequest]:
        """Give requests in the order in which they are best asked, which is here the one they have."""
        return requests

    def _payload(self, request: CutoutRequest) -> dict[str, str | int] | list[dict] | list[str]:
        """What would be sent."""
        raise NotImplementedError


def _read(body: bytes, image_format: str) -> fits.HDUList | np.ndarray:
    if image_format == "fits":
        return fits.HDUList.fromstring(body)
    with Image.open(io.BytesIO(body)) as image:
        return np.asarray(image.convert("RGB"))


def _raise_or_warn(outcome: Outcome) -> None:
    if outcome.status not in USABLE:
        raise error_for(outcome.status, outcome.reason)
    if outcome.status == "partial":
        warnings.warn(outcome.reason, BlankResponseWarning, stacklevel=3)


def _warn_missing(outcomes: list[Outcome]) -> None:
    statuses, counts = np.unique([o.status for o in outcomes if o.status not in USABLE], return_counts=True)
    listed = ", ".join(f"{status} {count}" for status, count in zip(statuses, counts, strict=True))
    warnings.warn(
        f"No image for {counts.sum()} of {len(outcomes)} positions: {listed}.", NoResultsWarning, stacklevel=3
    )
