"""How long fetching took, and what the time went into."""

from dataclasses import dataclass

__all__ = ["FetchFigures"]


@dataclass(slots=True)
class FetchFigures:
    """
    What was asked of services in one call, added up over them.

    Attributes
    ----------
    fetched : int
        Requests that ended, well or not.
    seconds : float
        While there were some.
    asking : float
        Seconds of all threads that asked.
    waiting : float
        Those among them in which a request waited for its turn.

    Examples
    --------
    >>> from galzoo_repr.cutouts import FetchFigures
    >>> FetchFigures(fetched=20, seconds=4.0, asking=30.0, waiting=25.0).limit
    'the pace at which the survey may be asked'
    """

    fetched: int = 0
    seconds: float = 0.0
    asking: float = 0.0
    waiting: float = 0.0

    @property
    def limit(self) -> str:
        """What most of the time went into, in words."""
        if self.waiting > self.asking / 2:
            return "the pace at which the survey may be asked"
        return "the answers of the survey"

    def facts(self, seconds: float, failed: int) -> dict[str, float | str]:
        """
        Figures of a call that did nothing else, in which some rows failed, as `closing_line` takes them.

        Examples
        --------
        >>> from galzoo_repr.cutouts import FetchFigures
        >>> facts = FetchFigures(fetched=20, seconds=4.0, asking=30.0).facts(4.5, failed=1)
        >>> facts["fetching_seconds"], facts["limited_by"]
        (4.0, 'the answers of the survey')
        """
        return {
            "seconds": round(seconds, 3),
            "fetched": self.fetched,
            "fetching_seconds": round(self.seconds, 3),
            "failed": failed,
            "limited_by": self.limit if self.fetched else "",
        }
