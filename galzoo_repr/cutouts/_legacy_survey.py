"""Cutouts of the DESI Legacy Imaging Surveys, from the viewer at legacysurvey.org."""

from dataclasses import replace
from typing import ClassVar
from urllib.parse import urlencode

import numpy as np
from astropy.coordinates import SkyCoord
from astroquery.query import BaseQuery

from galzoo_repr.cutouts._ask import ask
from galzoo_repr.cutouts._request import Attempt, CutoutRequest
from galzoo_repr.cutouts._survey import CutoutSurvey

__all__ = ["LegacySurvey"]


class LegacySurvey(CutoutSurvey, BaseQuery):
    """
    Query class for image cutouts of the DESI Legacy Imaging Surveys.

    Parameters
    ----------
    server : str, optional
        Base URL of the viewer; ``conf.viewer_server`` when not given.
    layer : str, optional
        Image layer, such as ``"ls-dr10"`` or ``"ls-dr9"``; ``conf.layer`` when not given.
    timeout : float, optional
        Seconds for one whole exchange; ``conf.timeout`` when not given.
    rate : float, optional
        Requests per second at most; ``conf.viewer_rate`` when not given, which stands for 5 per second, and
        no limit for a service on this machine.
    workers : int, optional
        Requests at once at most; ``conf.workers`` when not given.
    image_format : {"fits", "jpeg"}, optional
        What to ask for when a call does not say: calibrated planes, or the viewer's colour pictures.
    coverage : Coverage, optional
        Where the survey has data. Positions that lie outside are not asked for when a catalogue is fetched.
    zero_point : float, Quantity or dict, optional
        AB magnitude of one count, or the flux of one, in all bands or by band; as documented for the layer when not
        given. Layers that no document is known of are refused without it where fluxes are needed.
    native_scale : Quantity, optional
        Size of the pixel that counts are per, where it is not that of the layer (0.262 arcsec if that is unknown).

    Notes
    -----
    Configuration is read at each call. All settings are also attributes that can be assigned.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.coordinates import SkyCoord
    >>> from galzoo_repr import LegacySurvey
    >>> survey = LegacySurvey(layer="ls-dr9")
    >>> here = SkyCoord(197.614455, 18.438168, unit="deg")
    >>> payload = survey.get_images(here, size=128, pixel_scale=0.262 * u.arcsec, get_query_payload=True)
    >>> payload["layer"], payload["size"], payload["bands"]
    ('ls-dr9', 128, 'grz')
    """

    route = "viewer"

    _conf_server = "viewer_server"
    _conf_layer = "layer"
    _conf_rate = "viewer_rate"
    # The keepers publish no limit; one machine serves the world with 64 threads.
    _keepers_rate = 5.0
    # Asked for more, the viewer sends an image of this size in silence (legacysurvey/imagine,
    # map/cutouts.py).
    _max_size = 3000
    _formats: ClassVar[dict[str, str]] = {"fits": "fits-cutout", "jpeg": "jpeg-cutout"}
    redirect_hosts = ("www.legacysurvey.org", "legacysurvey.org")

    def get_image_list(self, coordinates: SkyCoord | str, **options) -> list[str]:
        """
        URLs of the images that `get_images` would fetch.

        Parameters
        ----------
        coordinates : `~astropy.coordinates.SkyCoord` or str
            As for `get_images`.
        **options
            As for `get_images`.

        Returns
        -------
        list of str

        Examples
        --------
        >>> from astropy.coordinates import SkyCoord
        >>> from galzoo_repr import LegacySurvey
        >>> LegacySurvey().get_image_list(SkyCoord("10h00m24s +2d12m"), size=128)[0].partition("?")[0]
        'https://www.legacysurvey.org/viewer/fits-cutout'
        """
        payloads = self.get_images(coordinates, **options, get_query_payload=True)
        path = self._formats[options.get("image_format") or self.image_format]
        return [f"{self.server}/{path}?{urlencode(p)}" for p in np.atleast_1d(payloads)]

    def attempt(self, request: CutoutRequest, *, probed: bool = False) -> Attempt:
        """
        Ask the service once; see `Route.attempt`.

        Examples
        --------
        >>> from galzoo_repr import LegacySurvey, SimulatedSurvey
        >>> from galzoo_repr.cutouts import CutoutRequest
        >>> with SimulatedSurvey().serve() as service:
        ...     survey = LegacySurvey(server=service.url)
        ...     request = CutoutRequest(150.0, 2.2, 64, 0.262, "grz", "ls-dr10", "fits", service.url, "viewer")
        ...     survey.attempt(request).outcome.status
        'ok'
        """
        attempt = self._ask(request)
        if attempt.outcome.http_code == 500 and request.image_format == "fits" and not probed:
            # Outside the survey the viewer fails on FITS but draws a grey JPEG.
            picture = self._ask(replace(request, image_format="jpeg")).outcome.status
            attempt.probed = picture == "ok"
            if picture == "no_coverage":
                attempt.outcome.status = "no_coverage"
                attempt.outcome.reason = "the service fails on FITS here and draws a grey JPEG"
                attempt.outcome.final = True
        return attempt

    def _ask(self, request: CutoutRequest) -> Attempt:
        url = f"{request.server}/{self._formats[request.image_format]}"
        return ask(self, request, url, self._payload(request))

    @staticmethod
    def _payload(request: CutoutRequest) -> dict:
        return {
            "ra": f"{request.ra % 360:.7f}",
            "dec": f"{request.dec:.7f}",
            "size": request.size,
            "pixscale": f"{request.pixel_scale:.6f}",
            "layer": request.layer,
            "bands": request.bands,
        }
