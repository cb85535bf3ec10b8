"""A viewer that sends recorded images: FITS and JPEG files of a folder, found by position on the sky."""

import io
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.utils.exceptions import AstropyWarning
from PIL import Image

from galzoo_repr._angle import AngleLike, read_angle
from galzoo_repr._folder import left_by_desktops
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.simulation._reply import Reply, Request, Writable, html_reply
from galzoo_repr.simulation._service import SurveyService
from galzoo_repr.simulation._sky import separation
from galzoo_repr.simulation._viewer import encode_jpeg, fits_reply, jpeg_bytes, jpeg_reply, viewer_endpoints
from galzoo_repr.simulation._viewer_request import ViewerRequest

__all__ = ["Recording", "ReplaySurvey", "replay"]

_KINDS = {".fits": "fits", ".fit": "fits", ".jpg": "jpeg", ".jpeg": "jpeg"}


@dataclass(frozen=True)
class Recording:
    """
    A recorded image.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    kind : str
        ``"fits"`` or ``"jpeg"``.
    ra, dec : float
        Position, degrees.

    Examples
    --------
    >>> from pathlib import Path
    >>> from galzoo_repr.simulation import Recording, ReplaySurvey
    >>> ReplaySurvey([Recording(Path("ring.fits"), "fits", ra=150.0, dec=2.0)])
    <ReplaySurvey of 1 FITS and 0 JPEG images>
    """

    path: Path
    kind: str
    ra: float
    dec: float


class ReplaySurvey:
    """
    Recorded images that answer cutout requests in place of a survey.

    A request is answered by the recording nearest to its position, of the kind asked for, byte by byte as
    it is on disk; where several are at the same place, by the one whose width is nearest to that asked for.
    A truncated file is sent as it is. Farther than the tolerance from all recordings, the answer is that of
    the viewer outside its footprint: code 500 for FITS, a uniform grey for JPEG. The layer must be one of
    the viewer's; it makes no difference which.

    Where there is a FITS but no JPEG file, a JPEG is drawn from the FITS in the viewer's stretch. Nothing
    turns a JPEG into calibrated pixels: a FITS request is answered by code 500 where there is only a JPEG.

    Parameters
    ----------
    recordings : iterable of Recording
        The images.
    tolerance : `~astropy.units.Quantity`, optional
        How far from a recording a request may be.
    resize : bool, optional
        Resample JPEG images to the size asked for, as a client that checks the size needs; right only where
        the field asked for is the one that was recorded. FITS images are never resized.

    See Also
    --------
    replay : Makes one from a folder and a table of positions.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import requests
    >>> from galzoo_repr.simulation import Recording, ReplaySurvey
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     recording = Recording(Path(folder) / "ring.fits", "fits", ra=150.0, dec=2.0)
    ...     size = recording.path.write_bytes(b"truncated")
    ...     with ReplaySurvey([recording]).serve() as service:
    ...         for dec in (2.001, 2.002):
    ...             requests.get(f"{service.url}/cutout.fits?ra=150&dec={dec}").content[:9]
    b'truncated'
    b'<!doctype'
    """

    def __init__(
        self, recordings: Iterable[Recording], *, tolerance: AngleLike = 5 * u.arcsec, resize: bool = False
    ) -> None:
        self.tolerance = read_angle(tolerance, "tolerance", example="5 arcsec").to(u.arcsec)
        self.resize = resize
        self.recordings = list(recordings)
        self._of_kind = {
            kind: [recording for recording in self.recordings if recording.kind == kind]
            for kind in ("fits", "jpeg")
        }

    def __repr__(self) -> str:
        counts = " and ".join(f"{len(found)} {kind.upper()}" for kind, found in self._of_kind.items())
        return f"<ReplaySurvey of {counts} images>"

    def serve(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        faults: Callable[[Request], Writable | None] | None = None,
    ) -> SurveyService:
        """
        Start an HTTP service that answers with the recordings.

        Parameters
        ----------
        port : int, optional
            Port to listen on; 0 takes a free one.
        host : str, optional
            Address to listen on; any but one of this machine alone gets a warning.
        faults : callable, optional
            What goes wrong, see `SurveyService`.

        Returns
        -------
        SurveyService
            It answers from now on, at ``url``, until its ``stop()`` or the end of its ``with`` block.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import requests
        >>> from PIL import Image
        >>> from galzoo_repr.simulation import Recording, ReplaySurvey
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "ring.jpg"
        ...     Image.new("RGB", (64, 64), "navy").save(path)
        ...     with ReplaySurvey([Recording(path, "jpeg", ra=150.0, dec=2.0)]).serve() as service:
        ...         for kind in ("jpg", "fits"):
        ...             answer = requests.get(f"{service.url}/cutout.{kind}?ra=150&dec=2")
        ...             print(answer.status_code, answer.headers["Content-Type"])
        200 image/jpeg
        500 text/html; charset=utf-8
        """
        routes = viewer_endpoints(self._fits_answer, self._jpeg_answer)
        return SurveyService(routes, port=port, host=host, base="/viewer", faults=faults).start()

    def _fits_answer(self, asked: ViewerRequest) -> Reply:
        found = self._nearest("fits", asked)
        if found is None:
            return html_reply(500, "Server Error (500)")
        return fits_reply(found.path.read_bytes(), asked)

    def _jpeg_answer(self, asked: ViewerRequest) -> Reply:
        found = self._nearest("jpeg", asked)
        if found is not None:
            body = found.path.read_bytes()
            return jpeg_reply(_resized(body, asked) if self.resize else body)
        found = self._nearest("fits", asked)
        if found is not None:
            planes = _planes(found.path)
            return jpeg_reply(jpeg_bytes(planes, "grz" if len(planes) == 3 else "griz"))
        return jpeg_reply(jpeg_bytes(np.zeros((3, asked.height, asked.width), np.float32), "grz"))

    def _nearest(self, kind: str, asked: ViewerRequest) -> Recording | None:
        if asked.rotate:
            raise ValueError("recordings are not turned")
        recordings = self._of_kind[kind]
        if not recordings:
            return None
        ra, dec = np.array([(recording.ra, recording.dec) for recording in recordings]).T
        distance = separation(ra, dec, asked.ra, asked.dec) * 3600
        nearest = distance.min()
        if not nearest <= self.tolerance.value:
            return None
        tied = np.flatnonzero(distance <= nearest + 0.01)
        if len(tied) == 1:
            return recordings[tied[0]]
        return min((recordings[i] for i in tied), key=lambda recording: abs(_width(recording) - asked.width))


def replay(
    folder: str | Path,
    positions: Table | str | Path | None = None,
    *,
    file_column: str = "file",
    tolerance: AngleLike = 5 * u.arcsec,
    resize: bool = False,
) -> ReplaySurvey:
    """
    Serve the images of a folder as a survey would.

    Parameters
    ----------
    folder : str or pathlib.Path
        Where the images are, ``.fits`` or ``.jpg``.
    positions : `~astropy.table.Table`, str or pathlib.Path, optional
        Table, or a file that holds one, with a position in columns ``ra`` and ``dec`` (degrees) and the
        name of an image file in each row. Without it positions are those in the headers of the FITS files,
        and a JPEG file has the position of the FITS file of the same name.
    file_column : str, optional
        Column with the names of the files, relative to `folder` or to the folder it is in.
    tolerance : `~astropy.units.Quantity`, optional
        How far from an image's position a request may be.
    resize : bool, optional
        Resample JPEG images to the size asked for, see `ReplaySurvey`.

    Returns
    -------
    ReplaySurvey
        What ``serve()`` makes an HTTP service of.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    ValueError
        The table lacks a column, or no image has a position.

    Examples
    --------
    >>> import tempfile, urllib.request
    >>> from pathlib import Path
    >>> from astropy.table import Table
    >>> from PIL import Image
    >>> from galzoo_repr.simulation import replay
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (32, 32), "navy").save(Path(folder) / "one.jpg")
    ...     table = Table({"file": ["one.jpg"], "ra": [150.0], "dec": [2.0]})
    ...     with replay(folder, table).serve() as service:
    ...         url = f"{service.url}/cutout.jpg?ra=150&dec=2"
    ...         with urllib.request.urlopen(url) as answer:
    ...             print(Image.open(answer).size)
    (32, 32)
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}; give the one that holds the images")
    if positions is None:
        recordings = _from_headers(folder)
        hint = "its FITS files have no position in their headers; give a table of positions"
    else:
        table = positions if isinstance(positions, Table) else Table.read(positions)
        recordings = _from_table(folder, table, file_column)
        hint = f"none of the files named in column {file_column!r} is there"
    if not recordings:
        raise ValueError(f"no image of {folder} can be served: {hint}")
    return ReplaySurvey(recordings, tolerance=tolerance, resize=resize)


def _from_table(folder: Path, table: Table, file_column: str) -> list[Recording]:
    lacking = [name for name in (file_column, "ra", "dec") if name not in table.colnames]
    if lacking:
        raise ValueError(
            f"the table of positions has no column {', '.join(lacking)}; it has {table.colnames}"
        )
    recordings, missing = [], []
    for name, ra, dec in zip(table[file_column], table["ra"], table["dec"], strict=True):
        path = next(
            (base / str(name) for base in (folder, folder.parent) if (base / str(name)).is_file()), None
        )
        kind = _KINDS.get(Path(str(name)).suffix.lower())
        if path is None or kind is None or not np.isfinite([ra, dec]).all():
            missing.append(str(name))
        else:
            recordings.append(Recording(path, kind, float(ra), float(dec)))
    if missing and recordings:
        warnings.warn(
            f"{len(missing)} rows without an image file or a position are left out, such as {missing[0]}",
            GalzooWarning,
            stacklevel=3,
        )
    return recordings


def _from_headers(folder: Path) -> list[Recording]:
    files = sorted(
        path for path in folder.iterdir() if path.suffix.lower() in _KINDS and not left_by_desktops(path.name)
    )
    recordings = []
    for path in files:
        if _KINDS[path.suffix.lower()] == "fits":
            position = _header_position(path)
            if position is not None:
                recordings.append(Recording(path, "fits", *position))
    place = {recording.path.stem: (recording.ra, recording.dec) for recording in recordings}
    jpegs = [path for path in files if _KINDS[path.suffix.lower()] == "jpeg" and path.stem in place]
    return recordings + [Recording(path, "jpeg", *place[path.stem]) for path in jpegs]


def _header(path: Path) -> fits.Header:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)  # a truncated file is a recording like others
        return fits.getheader(path)


def _header_position(path: Path) -> tuple[float, float] | None:
    """Position that a FITS image is centred on."""
    try:
        header = _header(path)
        return float(header["CRVAL1"]), float(header["CRVAL2"])
    except (OSError, KeyError, TypeError, ValueError):
        return None


def _width(recording: Recording) -> int:
    if recording.kind == "fits":
        return int(_header(recording.path).get("NAXIS1", 0))
    with Image.open(recording.path) as picture:
        return picture.width


def _planes(path: Path) -> np.ndarray:
    """Read the g, r, z planes of a FITS image."""
    planes = np.asarray(fits.getdata(io.BytesIO(path.read_bytes())), np.float32)
    if planes.ndim != 3 or len(planes) not in (3, 4):
        raise ValueError(f"{path} does not hold the bands of a colour image")
    return planes


def _resized(body: bytes, asked: ViewerRequest) -> bytes:
    with Image.open(io.BytesIO(body)) as picture:
        if picture.size == (asked.width, asked.height):
            return body
        return encode_jpeg(picture.resize((asked.width, asked.height), Image.Resampling.LANCZOS))
