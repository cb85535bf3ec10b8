"""One warning for the rows of a call that have failed: how many, in which ways, and why most of them."""

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from galzoo_repr.cutouts._ask import NOT_ASKED
from galzoo_repr.cutouts._caller import level_of_the_caller
from galzoo_repr.cutouts._route import Route
from galzoo_repr.cutouts._status import STATUSES
from galzoo_repr.exceptions import GalzooWarning

__all__ = ["warn_of_failures"]

# Of rows that have them, no service was asked.
_OF_THE_ROW = frozenset({"bad_position", "missing", "ok"})
_LONGEST_REASON = 300


def warn_of_failures(
    what: str,
    statuses: Sequence[str],
    reasons: Mapping[int, str],
    failed: Iterable[int],
    surveys: Sequence[Route] = (),
) -> None:
    """
    Warn of rows that have failed, if there are any.

    Parameters
    ----------
    what : str
        What they lack, such as ``"cutout"``.
    statuses : sequence of str
        Of all rows.
    reasons : mapping of int to str
        Why, for some rows.
    failed : iterable of int
        Rows that have failed.
    surveys : sequence of Route
        Services that were asked; the reasons name them if there are several.

    Warns
    -----
    GalzooWarning
        With counts by status, and the most frequent reason within the most frequent status; where that comes from a
        service, with its name.

    Examples
    --------
    >>> import warnings
    >>> from galzoo_repr.cutouts import warn_of_failures
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_of_failures("cutout", ["ok", "missing"], {1: "no file is named"}, failed=[1])
    >>> print(caught[0].message)
    1 of 2 rows have no cutout (missing 1); most often, as in row 1: no file is named
    """
    failed = list(failed)
    if not failed:
        return
    counts = Counter(statuses[row] for row in failed).most_common()
    status = counts[0][0]
    rows = [row for row in failed if statuses[row] == status]
    # What was found out of a service before it was left alone says more.
    rows = [row for row in rows if NOT_ASKED not in reasons.get(row, "")] or rows
    reason = Counter(reasons.get(row, "") for row in rows).most_common(1)[0][0]
    row = next(row for row in rows if reasons.get(row, "") == reason)
    asked = ""
    if len(surveys) == 1 and status not in _OF_THE_ROW:
        asked = f", from {type(surveys[0]).__name__} at {surveys[0].server}"
    kinds = ", ".join(f"{name} {count}" for name, count in counts)
    warnings.warn(
        f"{len(failed)} of {len(statuses)} rows have no {what} ({kinds}); most often, as in row {row}"
        f"{asked}: {_shortened(reason or STATUSES[status])}",
        GalzooWarning,
        stacklevel=level_of_the_caller(),
    )


def _shortened(reason: str) -> str:
    words = " ".join(reason.split())
    return words if len(words) <= _LONGEST_REASON else f"{words[:_LONGEST_REASON]}..."
