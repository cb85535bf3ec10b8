"""Where a survey has data, band by band, so that what lies outside need not be asked for."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from galzoo_repr._config import cache_path, conf
from galzoo_repr._folder import published
from galzoo_repr.cutouts._checks import check_bands
from galzoo_repr.cutouts._request import CutoutRequest, Outcome

# mocpy, and astroquery's client with it, bring matplotlib along; they are imported where a map is used.
if TYPE_CHECKING:
    from mocpy import MOC

__all__ = ["Coverage"]


class Coverage:
    """
    Multi-order coverage maps (MOCs) of the bands of a survey.

    A map tells where there is some image in a band, not that a whole cutout is filled, and editions of it
    age; the service has the last word, and what a map rules out is not remembered as an answer of the
    service.

    Parameters
    ----------
    maps : mapping of str to mocpy.MOC
        Coverage of each band.

    Raises
    ------
    TypeError
        If ``maps`` is something else.

    Examples
    --------
    >>> import astropy.units as u
    >>> from mocpy import MOC
    >>> from galzoo_repr.cutouts import Coverage
    >>> cone = MOC.from_cone(lon=150 * u.deg, lat=2 * u.deg, radius=1 * u.deg, max_depth=10)
    >>> Coverage({"g": cone, "r": cone}).contains([150.0, 160.0], [2.0, 2.0], "gr").tolist()
    [[True, False], [True, False]]
    """

    def __init__(self, maps: "Mapping[str, MOC]") -> None:
        from mocpy import MOC

        if not isinstance(maps, Mapping) or not all(isinstance(moc, MOC) for moc in maps.values()):
            raise TypeError(f"a coverage has one mocpy.MOC for each band, as a dict, not {maps!r}")
        self.maps = dict(maps)

    def __repr__(self) -> str:
        areas = ", ".join(f"{band} {moc.sky_fraction * 41252.96:.0f} deg2" for band, moc in self.maps.items())
        return f"<Coverage {areas}>"

    @classmethod
    def from_files(cls, files: Mapping[str, str | os.PathLike]) -> "Coverage":
        """
        Read the maps of bands from MOC files.

        Parameters
        ----------
        files : mapping of str to path
            FITS file of each band; the key may name several bands, such as ``"grz"``.

        Returns
        -------
        Coverage

        Raises
        ------
        FileNotFoundError
            If there is no such file.

        Examples
        --------
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> import astropy.units as u
        >>> from mocpy import MOC
        >>> from galzoo_repr.cutouts import Coverage
        >>> cone = MOC.from_cone(lon=150 * u.deg, lat=2 * u.deg, radius=1 * u.deg, max_depth=10)
        >>> with TemporaryDirectory() as folder:
        ...     cone.save(Path(folder, "survey.fits"), format="fits")
        ...     Coverage.from_files({"gr": Path(folder, "survey.fits")})
        <Coverage g 3 deg2, r 3 deg2>
        """
        for path in files.values():
            if not Path(path).is_file():
                raise FileNotFoundError(f"there is no coverage map {path}; give the path of a MOC in FITS")
        from mocpy import MOC

        maps = {bands: MOC.load(Path(path), "fits") for bands, path in files.items()}
        return cls({band: moc for bands, moc in maps.items() for band in bands})

    @classmethod
    def from_server(
        cls, bands: str = "grz", *, hips: str | None = None, server: str | None = None
    ) -> "Coverage":
        """
        Get the maps of the bands of a HiPS from the MOC server of the CDS, or from the cache.

        Parameters
        ----------
        bands : str, optional
            One letter per band.
        hips : str, optional
            Identifier without the band; ``conf.hips`` when not given.
        server : str, optional
            URL of the service; ``conf.moc_server`` when not given.

        Returns
        -------
        Coverage

        Raises
        ------
        ValueError
            If the service knows no such HiPS, or ``bands`` are no bands.
        astroquery.exceptions.TimeoutError, astroquery.exceptions.RemoteServiceError
            If the service does not answer.

        Examples
        --------
        >>> from galzoo_repr import SimulatedSurvey
        >>> from galzoo_repr.cutouts import Coverage
        >>> with SimulatedSurvey().serve() as service:
        ...     base = service.url.removesuffix("/viewer")
        ...     Coverage.from_server("g", server=f"{base}/MocServer/query")
        <Coverage g 29543 deg2>
        """
        from galzoo_repr.cutouts._moc_server import ask_for_map

        check_bands(bands)
        server = server or conf.moc_server
        hips = hips or conf.hips
        files = {}
        for band in bands:
            name = re.sub(r"[^\w.-]+", "_", f"{server.split('//')[-1]} {hips} {band}")
            files[band] = cache_path("coverage") / f"{name}.fits"
            if not files[band].exists():
                moc = ask_for_map(server, f"{hips}/{band}")
                files[band].parent.mkdir(parents=True, exist_ok=True)
                with published(files[band]) as draft:
                    moc.save(draft, format="fits")
        return cls.from_files(files)

    def contains(self, ra: np.ndarray, dec: np.ndarray, bands: str) -> np.ndarray:
        """
        Whether there is an image at positions.

        Parameters
        ----------
        ra, dec : array_like
            Degrees, shape (n,).
        bands : str
            Bands of interest.

        Returns
        -------
        numpy.ndarray
            bool, shape (len(bands), n); true for a band without a map, of which nothing is known.

        Examples
        --------
        >>> import astropy.units as u
        >>> from mocpy import MOC
        >>> from galzoo_repr.cutouts import Coverage
        >>> cone = MOC.from_cone(lon=150 * u.deg, lat=2 * u.deg, radius=1 * u.deg, max_depth=10)
        >>> Coverage({"g": cone}).contains([150.0, 160.0], [2.0, 2.0], "gz")
        array([[ True, False],
               [ True,  True]])
        """
        ra, dec = np.atleast_1d(ra).astype(float), np.atleast_1d(dec).astype(float)
        inside = np.ones((len(bands), len(ra)), dtype=bool)
        answers: dict[int, np.ndarray] = {}
        for i, band in enumerate(bands):
            moc = self.maps.get(band)
            if moc is not None and len(ra):
                # Bands that share a map are looked up once.
                if id(moc) not in answers:
                    answers[id(moc)] = moc.contains_lonlat(ra * u.deg, dec * u.deg)
                inside[i] = answers[id(moc)]
        return inside

    def _in_no_band(self, ra: np.ndarray, dec: np.ndarray, bands: str) -> np.ndarray:
        """Indices of the positions for which no band has an image."""
        maps = {id(self.maps.get(band)): band for band in bands}
        out = np.arange(len(ra))
        # Most positions are decided by the first map.
        for band in maps.values():
            out = out[~self.contains(ra[out], dec[out], band)[0]]
        return out

    def outside(self, requests: list[CutoutRequest]) -> list[tuple[CutoutRequest, Outcome]]:
        """
        Those requests for which no band has an image, neither at the centre nor at a corner.

        Parameters
        ----------
        requests : list of CutoutRequest
            What is wanted, all in the same bands.

        Returns
        -------
        list of tuple
            Requests with an outcome that is not final.

        Examples
        --------
        >>> import astropy.units as u
        >>> from mocpy import MOC
        >>> from galzoo_repr.cutouts import Coverage, LegacySurvey
        >>> cone = MOC.from_cone(lon=150 * u.deg, lat=2 * u.deg, radius=1 * u.deg, max_depth=10)
        >>> survey = LegacySurvey(coverage=Coverage({"g": cone}))
        >>> requests = [survey.request(ra, 2.0, 64, 0.262 * u.arcsec, bands="g") for ra in (150.0, 160.0)]
        >>> [(request.ra, outcome.status) for request, outcome in survey.coverage.outside(requests)]
        [(160.0, 'no_coverage')]
        """
        if not requests:
            return []
        bands = requests[0].bands
        ra = np.array([request.ra for request in requests])
        dec = np.array([request.dec for request in requests])
        out = self._in_no_band(ra, dec, bands)
        half = np.array([requests[i].size * requests[i].pixel_scale / 7200 for i in out])
        for east, north in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
            corner_dec = np.clip(dec[out] + north * half, -90, 90)
            corner_ra = ra[out] + east * half / np.maximum(np.cos(np.radians(dec[out])), 1e-6)
            beyond = self._in_no_band(corner_ra % 360, corner_dec, bands)
            out, half = out[beyond], half[beyond]
        reason = "outside the coverage map; not asked"
        return [(requests[i], Outcome("no_coverage", reason)) for i in out]
