"""How many galaxies of the kind wanted were found, in numbers and in words that follow from these alone."""

from collections import Counter
from dataclasses import dataclass
from math import comb

import numpy as np

__all__ = ["Tally", "figure", "listed", "one", "several"]

NOUNS = {
    "smooth": ("a smooth galaxy", "smooth galaxies"),
    "disk": ("a disk", "disks"),
    "spiral": ("a spiral", "spirals"),
    "ring": ("a ringed galaxy", "ringed galaxies"),
    "edge_on": ("an edge-on disk", "edge-on disks"),
    "merger": ("a merger", "mergers"),
    "irregular": ("an irregular galaxy", "irregular galaxies"),
    "lens": ("a lens", "lenses"),
    "artifact": ("an artifact", "artifacts"),
}
OFTEN = 0.05  # share of random draws that do as well, from which on a finding is said to be no surprise


@dataclass(frozen=True)
class Tally:
    """
    Galaxies of each kind among those shown, and what a random draw from the same galaxies would give.

    Attributes
    ----------
    wanted : str
        The true kind that was asked for.
    kinds : dict of str to int
        How many of each true kind are shown.
    pool : int
        How many galaxies those shown were chosen from.
    to_find : int
        How many of these are of the kind wanted.

    Examples
    --------
    >>> from galzoo_repr.demo import Tally
    >>> tally = Tally(wanted="ring", kinds={"ring": 6, "disk": 4}, pool=99, to_find=11)
    >>> tally.headline, round(tally.by_chance, 1), tally.listing
    ('6 of 10 are ringed galaxies', 1.1, '6 ringed galaxies and 4 disks')
    >>> tally.shown, tally.found, f"{tally.luck:.1e}", tally.sentence[:51]
    (10, 6, '7.2e-05', '6 of these 10 are ringed galaxies (green frames); o')
    """

    wanted: str
    kinds: dict[str, int]
    pool: int
    to_find: int

    @classmethod
    def of(cls, kinds: np.ndarray, shown: np.ndarray, pool: np.ndarray, wanted: str) -> "Tally":
        """
        Count true kinds, shape (n,), of the rows `shown`, which were chosen among those of the mask `pool`.

        Examples
        --------
        >>> import numpy as np
        >>> from galzoo_repr import SimulatedSurvey
        >>> from galzoo_repr.demo import Tally
        >>> kinds = np.asarray(SimulatedSurvey(seed=1).catalogue(20)["true_kind"])
        >>> shown = np.flatnonzero(kinds == "spiral")[:3]
        >>> tally = Tally.of(kinds, shown, pool=np.ones(20, bool), wanted="spiral")
        >>> tally.found, tally.shown, tally.pool
        (3, 3, 20)
        """
        counts = dict(Counter(map(str, kinds[shown])).most_common())
        return cls(wanted, counts, int(pool.sum()), int((kinds[pool] == wanted).sum()))

    @property
    def shown(self) -> int:
        return sum(self.kinds.values())

    @property
    def found(self) -> int:
        return self.kinds.get(self.wanted, 0)

    @property
    def by_chance(self) -> float:
        """Mean number found when as many galaxies are drawn at random."""
        return self.shown * self.to_find / max(self.pool, 1)

    @property
    def luck(self) -> float:
        """Share of such draws that find as many or more."""
        ways = sum(
            comb(self.to_find, found) * comb(self.pool - self.to_find, self.shown - found)
            for found in range(self.found, min(self.shown, self.to_find) + 1)
        )
        return ways / comb(self.pool, self.shown)

    @property
    def headline(self) -> str:
        """The result in a few words."""
        return _are(self.found, self.wanted, f"of {self.shown}")

    @property
    def sentence(self) -> str:
        """The result beside chance, for a caption."""
        text = _are(self.found, self.wanted, f"of these {self.shown}")
        text = text[0].upper() + text[1:] + (" (green frames)" if self.found else "")
        text += f"; of the {self.pool} that they were chosen from, "
        if not self.to_find:
            return text + "none is."
        text += (
            f"{self.to_find} {'is' if self.to_find == 1 else 'are'}, so {self.shown} taken at random would have "
            f"{figure(self.by_chance)} on average."
        )
        if self.found < self.by_chance:
            text += " That is fewer than chance gives."
        elif self.found * self.pool == self.shown * self.to_find:
            text += " That is what chance gives."
        elif self.luck >= OFTEN:
            text += f" Chance alone gives as many in {self.luck:.0%} of such draws."
        return text

    @property
    def listing(self) -> str:
        """All kinds shown with their numbers, for those who do not see the picture."""
        return listed([_counted(number, kind) for kind, number in self.kinds.items()]) or "none"


def one(kind: str) -> str:
    """Name a galaxy of a kind, with its article."""
    return NOUNS[kind][0]


def several(kind: str) -> str:
    """Name galaxies of a kind."""
    return NOUNS[kind][1]


def listed(words: list[str]) -> str:
    """Join words as in a sentence."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def figure(value: float) -> str:
    """Write a count, or a mean of counts to two or three digits."""
    if value == round(value):
        return f"{value:.0f}"
    return f"{value:.2g}" if value < 10 else f"{value:.1f}"


def _counted(number: int, kind: str) -> str:
    return f"1 {one(kind).split(' ', 1)[1]}" if number == 1 else f"{number} {several(kind)}"


def _are(number: int, kind: str, among: str) -> str:
    if number > 1:
        return f"{number} {among} are {several(kind)}"
    return f"{number or 'none'} {among} is {one(kind)}"
