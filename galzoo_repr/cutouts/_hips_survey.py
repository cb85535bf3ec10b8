"""Cutouts from the HiPS of the Legacy Surveys, through the hips2fits service of the CDS."""

import json
from dataclasses import replace
from typing import ClassVar

import numpy as np
from astropy.io import fits
from astroquery.hips2fits import hips2fitsClass

from galzoo_repr.cutouts._ask import ask, plain_words
from galzoo_repr.cutouts._assemble import assemble, grid_of, said_of_flux
from galzoo_repr.cutouts._request import Attempt, CutoutRequest
from galzoo_repr.cutouts._survey import CutoutSurvey
from galzoo_repr.cutouts._validate import validate_body

__all__ = ["HipsSurvey"]


class HipsSurvey(CutoutSurvey, hips2fitsClass):
    """
    Query class for cutouts resampled from progressive surveys (HiPS), on the grid of the viewer.

    Each band is a request of its own; the planes come back as one FITS image laid out as the viewer's.
    Pixels are interpolated from HEALPix tiles, not from the bricks: images are a little smoother than the
    viewer's, so do not mix both in one analysis.

    Parameters
    ----------
    server : str, optional
        URL of the service; ``conf.hips_server`` when not given.
    layer : str, optional
        Identifier of the HiPS without the band at its end, such as ``"CDS/P/DESI-Legacy-Surveys/DR10"``;
        ``conf.hips`` when not given.
    timeout : float, optional
        Seconds for one whole exchange; ``conf.timeout`` when not given.
    rate : float, optional
        Requests per second at most; ``conf.hips_rate`` when not given, which stands for 5 per second, and
        no limit for a service on this machine.
    workers : int, optional
        Requests at once at most; ``conf.workers`` when not given.
    image_format : {"fits"}, optional
        Pictures of this service are stretched one by one and of no use here.
    coverage : Coverage, optional
        Where the survey has data.
    zero_point : float, Quantity or dict, optional
        AB magnitude of one count, or the flux of one, in all bands or by band; as documented for the layer when not
        given. Layers that no document is known of are refused without it where fluxes are needed.
    native_scale : Quantity, optional
        Size of the pixel that counts are per, where it is not that of the layer (0.262 arcsec if that is unknown).

    Examples
    --------
    >>> from astropy.coordinates import SkyCoord
    >>> from galzoo_repr.cutouts import HipsSurvey
    >>> here = SkyCoord(150, 2, unit="deg")
    >>> payload = HipsSurvey().get_images(here, size=64, get_query_payload=True)
    >>> len(payload), payload[0]["hips"]
    (3, 'CDS/P/DESI-Legacy-Surveys/DR10/g')
    """

    route = "hips"

    _conf_server = "hips_server"
    _conf_layer = "hips"
    _conf_rate = "hips_rate"
    # SIMBAD and VizieR, of the same house, ask for no more than 5 to 6 requests per second.
    _keepers_rate = 5.0
    # 50 million pixels on a side by side.
    _max_size = 7000
    _formats: ClassVar[dict[str, str]] = {"fits": "fits"}
    redirect_hosts = (
        "alasky.cds.unistra.fr", "alaskybis.cds.unistra.fr", "alasky.unistra.fr", "alaskybis.unistra.fr",
        "alasky.u-strasbg.fr", "alaskybis.u-strasbg.fr",
    )  # fmt: skip

    def attempt(self, request: CutoutRequest, *, probed: bool = False) -> Attempt:
        """
        Ask the service once for each band; see `Route.attempt`.

        The planes come as one image, or else what went wrong with the first band that failed.

        Examples
        --------
        >>> import astropy.units as u
        >>> from galzoo_repr import SimulatedSurvey
        >>> from galzoo_repr.cutouts import HipsSurvey
        >>> with SimulatedSurvey().serve() as service:
        ...     base = service.url.removesuffix("/viewer")
        ...     survey = HipsSurvey(server=f"{base}/hips-image-services/hips2fits")
        ...     survey.attempt(survey.request(150.0, 2.0, 32, 0.262 * u.arcsec)).outcome.status
        'ok'
        """
        planes: list[bytes] = []
        seconds = 0.0
        for band, payload in zip(request.bands, self._payload(request), strict=True):
            attempt = ask(self, replace(request, bands=band), request.server, payload)
            seconds += attempt.outcome.seconds
            if attempt.body:
                planes.append(attempt.body)
            elif attempt.outcome.status == "no_coverage":
                planes.append(b"")
            else:
                attempt.outcome.reason = f"{band}: {attempt.outcome.reason}"
                return attempt
        # Only the cards that matter have been looked at, and astropy stumbles over others in many ways.
        try:
            body = _together(request, planes)
        except Exception as error:
            reason = plain_words(f"not a readable FITS file: {error}")
            return Attempt(replace(attempt.outcome, status="corrupt", reason=reason, final=False))
        outcome = validate_body(request, body)
        outcome.http_code, outcome.seconds, outcome.time = 200, seconds, attempt.outcome.time
        kept = outcome.status in ("ok", "partial", "band_missing")
        return Attempt(outcome, body if kept else b"")

    def _payload(self, request: CutoutRequest) -> list[dict]:
        return [
            self.query_with_wcs_async(
                hips=f"{request.layer}/{band}", wcs=grid_of(request), format="fits", get_query_payload=True
            )
            for band in request.bands
        ]

    def _args_to_payload(self, **kwargs) -> dict:
        """Leave out what only pictures need; astroquery sends it always, and imports matplotlib for it."""
        if kwargs.get("format") != "fits" or "wcs" not in kwargs:
            return super()._args_to_payload(**kwargs)
        wcs = kwargs["wcs"]
        header = dict(wcs.to_header().items())
        header["NAXIS1"], header["NAXIS2"] = map(int, wcs.pixel_shape)
        return {"hips": kwargs["hips"], "wcs": json.dumps(header), "format": "fits"}


def _together(request: CutoutRequest, bodies: list[bytes]) -> bytes:
    """Write planes that came as files of their own, empty where there are no data, as one image."""
    planes, said = [], []
    for body in bodies:
        if not body:
            planes.append(np.zeros((request.size, request.size), np.float32))
            continue
        plane = fits.HDUList.fromstring(body)[0]
        planes.append(plane.data)
        said.append(said_of_flux(plane.header))
    # One header speaks for all planes: what differs between them is left out.
    common = {
        key: one
        for key, one in (said[0] if said else {}).items()
        if all(each.get(key) == one for each in said)
    }
    facts = {"VERSION": request.layer.rsplit("/", 1)[-1], "ORIGIN": "hips2fits"}
    return assemble(request, planes, facts | common)
