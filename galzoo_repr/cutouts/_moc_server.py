"""The service that knows where surveys have data."""

import warnings

import requests
from astroquery.exceptions import RemoteServiceError
from astroquery.exceptions import TimeoutError as QueryTimeoutError
from astroquery.mocserver import MOCServerClass
from mocpy import MOC

from galzoo_repr._config import conf
from galzoo_repr.cutouts._ask import plain_words
from galzoo_repr.cutouts._connection import AnswerTooLarge
from galzoo_repr.cutouts._http import ThreadedRequests

__all__ = ["ask_for_map"]

_ORDER = 10
"""HEALPix order of the maps, cells of 3.4 arcmin."""


class _MocQuery(ThreadedRequests, MOCServerClass):
    """The MOC server without astroquery's cache of pickles, and with limits of time and size."""

    redirect_hosts = ("alasky.cds.unistra.fr", "alasky.unistra.fr", "alasky.u-strasbg.fr")

    def _request(self, *args, **kwargs) -> requests.Response:
        response = super()._request(*args, **kwargs)
        # Guessing it from some megabytes takes minutes, and what the service names may be anything.
        response.encoding = "utf-8"
        return response


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
        except QueryTimeoutError:
            raise
        except requests.RequestException as error:
            raise RemoteServiceError(f"the MOC server at {query.URL} does not answer: {error}") from error
        except AnswerTooLarge as error:
            raise RemoteServiceError(f"the MOC server at {query.URL} sends no map: {error}") from error
        # Whatever mocpy stumbles over.
        except Exception as error:
            words = plain_words(f"{type(error).__name__}: {error}")
            raise RemoteServiceError(f"the MOC server at {query.URL} sends no map: {words}") from error
    if moc is None or moc.empty():
        raise ValueError(
            f"the MOC server at {query.URL} knows no coverage of {identifier!r}; hips= is the identifier of a HiPS "
            f"without its band, such as {conf.hips!r}"
        )
    return moc
