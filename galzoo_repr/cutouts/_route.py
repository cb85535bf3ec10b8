"""What a service must offer to be fetched from."""

from typing import Protocol

from galzoo_repr.cutouts._coverage import Coverage
from galzoo_repr.cutouts._flux_scales import FluxScale
from galzoo_repr.cutouts._request import Attempt, CutoutRequest

__all__ = ["Route"]


class Route(Protocol):
    """
    Service that cutouts can be fetched from, such as `LegacySurvey`, `HipsSurvey` or `BrickSurvey`.

    Attributes
    ----------
    route : str
        Kind of service.
    rate : float
        Requests per second at most.
    workers : int
        Requests at once at most.
    layer : str
        Image layer asked for.
    image_format : str
        ``"fits"`` or ``"jpeg"``.
    coverage : Coverage or None
        Where there are data, if that is known.
    max_field : float
        Largest field, degrees.
    flux_scale : FluxScale or None
        What one count is, if that is known.

    Examples
    --------
    >>> from galzoo_repr.cutouts import HipsSurvey, LegacySurvey, Route
    >>> routes: list[Route] = [LegacySurvey(), HipsSurvey()]
    >>> [(one.route, one.rate, one.max_field) for one in routes]
    [('viewer', 5.0, 10.0), ('hips', 5.0, 10.0)]
    >>> routes[0].server, routes[0].flux_scale.zero_point
    ('https://www.legacysurvey.org/viewer', 22.5)
    """

    route: str
    rate: float
    workers: int
    layer: str
    image_format: str
    coverage: Coverage | None
    max_field: float

    @property
    def flux_scale(self) -> FluxScale | None:
        """What one count is."""

    @property
    def server(self) -> str:
        """Address of the service."""

    def arrange(self, requests: list[CutoutRequest]) -> list[CutoutRequest]:
        """
        Put requests into the order in which they are best asked.

        Parameters
        ----------
        requests : list of CutoutRequest
            All that a call will ask.

        Returns
        -------
        list of CutoutRequest
            The same ones.

        Examples
        --------
        >>> import astropy.units as u
        >>> from galzoo_repr import LegacySurvey
        >>> survey = LegacySurvey()
        >>> requests = [survey.request(ra, 2.0, 64, 0.262 * u.arcsec) for ra in (150.3, 150.0)]
        >>> survey.arrange(requests) == requests
        True
        """

    def attempt(self, request: CutoutRequest, *, probed: bool = False) -> Attempt:
        """
        Ask once.

        Parameters
        ----------
        request : CutoutRequest
            What to ask.
        probed : bool, optional
            Whether an earlier attempt has found that there are data here.

        Returns
        -------
        Attempt
            Whatever happened; nothing is raised for what services, networks and files do.

        Examples
        --------
        >>> import astropy.units as u
        >>> from galzoo_repr import LegacySurvey, SimulatedSurvey
        >>> with SimulatedSurvey().serve() as service:
        ...     survey = LegacySurvey(server=service.url)
        ...     attempt = survey.attempt(survey.request(150.0, 2.0, 32, 0.262 * u.arcsec))
        >>> attempt.outcome.status, attempt.body[:6]
        ('ok', b'SIMPLE')
        """
