"""The service that knows where surveys have data."""

import warnings

import requests
from astroquery.exceptions import RemoteServiceError
from astroquery.mocserver import MOCServerClass
from mocpy import MOC

from galzoo_repr._config import conf
from galzoo_repr.cutouts._http import ThreadedRequests

__all__ = ["ask_for_map"]

_ORDER = 10
"""HEALPix order of the maps, cells of 3.4 arcmin."""


class _MocQuery(ThreadedRequests, MOCServerClass):
    """The MOC server without astroquery's cache of pickles, and with a deadline."""


def ask_for_map(server: str, identifier: str) -> MOC:
    """
    Ask for the coverage of a HiPS.

    A `ValueError` if the service knows none; a `RemoteServiceError` if it does not answer.
    """
    query = _MocQuery()
    query.URL = server
    query.TIMEOUT = conf.timeout
    with warnings.catch_warnings():
        # A HiPS that does not exist gives an empty map and a warning.
        warnings.simplefilter("ignore")
        try:
            moc = query.query_region(criteria=f"ID={identifier}", return_moc=True, max_norder=_ORDER)
        except requests.RequestException as error:
            raise RemoteServiceError(f"the MOC server at {query.URL} does not answer: {error}") from error
    if moc is None or moc.empty():
        raise ValueError(
            f"the MOC server at {query.URL} knows no coverage of {identifier!r}; hips= is the identifier of a HiPS "
            f"without its band, such as {conf.hips!r}"
        )
    return moc
