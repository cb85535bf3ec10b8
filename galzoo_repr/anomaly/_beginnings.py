"""What is said where ratings begin under a name that nothing is known of, beside others: it may be misspelt."""

from pathlib import Path

from astropy.table import Table

from galzoo_repr._arguments import check_path, did_you_mean, some_of
from galzoo_repr._config import log
from galzoo_repr.anomaly._ratings_file import interests_in

__all__ = ["say_what_begins"]


def say_what_begins(table: Table, interest: str, path: str | Path, rater: str = "") -> None:
    """
    Log, before a file of ratings is made, which others there are.

    Parameters
    ----------
    table : Table
        Catalogue; ratings of this name that it has are no beginning.
    interest : str
        What is rated.
    path : str or pathlib.Path
        File that is to be made, in a folder that may have others, ``*.ratings.ecsv``.
    rater : str
        Who rates, where there may be several.

    Examples
    --------
    >>> import logging, tempfile
    >>> from pathlib import Path
    >>> from astropy.table import Table
    >>> from galzoo_repr.anomaly import say_what_begins
    >>> logger = logging.getLogger("galzoo_repr")
    >>> logger.addFilter(told := lambda record: print(record.getMessage()))
    >>> cat = Table({"rings": [5.0, 0.0]})
    >>> say_what_begins(cat, "ring", Path(tempfile.mkdtemp()) / "ring.ratings.ecsv")
    'ring' begins without any rating: the catalogue has no such column; did you mean 'rings'?
    >>> logger.removeFilter(told)
    """
    path, column = check_path(path, "a file of ratings"), f"{interest}_{rater}" if rater else interest
    if path.exists() or column in table.colnames:
        return
    there = interests_in(path.parent)
    if interest in there:
        raters = [name.removeprefix(interest).removeprefix("_") for name in there[interest]]
        named = [name for name in raters if name]
        others = some_of(named + ["somebody without a name"] * ("" in raters))
        log.warning(
            "ratings of %r by %s begin, beside those by %s%s",
            interest, repr(rater) if rater else "somebody without a name", others, did_you_mean(rater, named),
        )  # fmt: skip
    elif there:
        log.warning(
            "a new interest, %r, begins beside those that are in %s: %s%s",
            interest, path.parent, some_of([repr(name) for name in there]), did_you_mean(interest, there),
        )  # fmt: skip
    elif hint := did_you_mean(column, [name for name in table.colnames if table[name].ndim == 1]):
        log.warning("%r begins without any rating: the catalogue has no such column%s", column, hint)
