"""Warnings raised by the package; errors of remote services are those of `astroquery.exceptions`."""

from astropy.utils.exceptions import AstropyUserWarning

__all__ = ["GalzooWarning"]


class GalzooWarning(AstropyUserWarning):
    """Something the user should know about her catalogue, but that did not stop the call."""
