"""What is asked of a service, in a canonical form, and what came of it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

__all__ = ["Attempt", "CutoutRequest", "Enough", "Outcome"]


@dataclass(frozen=True, slots=True)
class CutoutRequest:
    """
    One cutout of one service, in the form that is sent and that keys the store.

    Parameters
    ----------
    ra, dec : float
        Centre, ICRS degrees. Seven decimals (0.4 mas) are sent and keyed.
    size : int
        Pixels on a side.
    pixel_scale : float
        Arcsec per pixel. Six decimals are sent and keyed.
    bands : str
        One letter per band, in the order of the planes.
    layer : str
        Image layer or HiPS of the service.
    image_format : str
        ``"fits"`` or ``"jpeg"``.
    server : str
        Base URL (or folder) of the service, so that a test service never answers for the real one.
    route : str
        Kind of service.

    Examples
    --------
    >>> from galzoo_repr.cutouts import CutoutRequest
    >>> rest = (2.2, 256, 0.262, "grz", "ls-dr10", "fits", "https://example.org/viewer", "viewer")
    >>> here, there = CutoutRequest(150.0, *rest), CutoutRequest(150.00000001, *rest)
    >>> here.key == there.key, here.text[-22:]
    (True, '150.0000000 +2.2000000')
    """

    ra: float
    dec: float
    size: int
    pixel_scale: float
    bands: str
    layer: str
    image_format: str
    server: str
    route: str
    _key: bytes = field(default=b"", init=False, repr=False, compare=False)

    @property
    def text(self) -> str:
        """Canonical form: equal for requests that the service answers alike."""
        return (
            f"{self.route} {self.server} {self.layer} {self.image_format} {self.bands} "
            f"{self.size:d} {self.pixel_scale:.6f} {self.ra % 360:.7f} {self.dec:+.7f}"
        )

    @property
    def key(self) -> bytes:
        """First 16 bytes of the SHA-256 of the canonical form."""
        # Kept: a row of a catalogue is looked up by it again and again.
        if not self._key:
            object.__setattr__(self, "_key", hashlib.sha256(self.text.encode()).digest()[:16])
        return self._key


@dataclass(slots=True)
class Outcome:
    """
    How a request ended.

    Parameters
    ----------
    status : str
        One of `~galzoo_repr.cutouts.STATUSES`.
    reason : str
        What happened, in words; empty when all is well.
    http_code : int
        Code of the last answer, 0 when there was none.
    attempts : int
        Times the service was asked.
    n_bytes : int
        Length of the stored body, 0 when there is none.
    digest : str
        SHA-256 of the stored body, empty when there is none.
    zero_fraction : float
        Largest fraction of one band without data (exactly zero or not finite); NaN when unknown.
    seconds : float
        Time the last attempt took.
    time : float
        When it ended, seconds since 1970 UTC.
    final : bool
        Whether asking again would bring the same.

    Examples
    --------
    >>> from galzoo_repr.cutouts import Outcome
    >>> outcome = Outcome("timeout", "no answer within 5 s", attempts=4)
    >>> outcome.status, outcome.final
    ('timeout', False)
    """

    status: str
    reason: str = ""
    http_code: int = 0
    attempts: int = 0
    n_bytes: int = 0
    digest: str = ""
    zero_fraction: float = float("nan")
    seconds: float = 0.0
    time: float = 0.0
    final: bool = False


@dataclass(slots=True)
class Attempt:
    """
    One exchange with a service.

    Parameters
    ----------
    outcome : Outcome
        How it ended.
    body : bytes
        The answer as the server sent it; empty when it is not to be kept.
    asked : bool
        Whether anything was sent. It is not when the service is down, or asked to be left alone for long.
    probed : bool
        Whether the service was found to have data here, so that its failure is no sign of their absence.
    lasting : bool
        Whether asking again at once would bring the same, as of an answer that broke a bound.

    Examples
    --------
    >>> from galzoo_repr.cutouts import Attempt, Outcome
    >>> attempt = Attempt(Outcome("no_coverage", "a grey picture", http_code=200, final=True))
    >>> attempt.outcome.status, attempt.body
    ('no_coverage', b'')
    """

    outcome: Outcome
    body: bytes = b""
    asked: bool = True
    probed: bool = False
    lasting: bool = False


Enough = Callable[[Sequence[tuple[CutoutRequest, Outcome]]], Sequence[bool]]
"""Which of some requests need no body any more, because what was to be made of it is there."""
