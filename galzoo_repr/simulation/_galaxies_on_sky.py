"""Where the bright galaxies of the simulated sky are, and which of them is what."""

from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from galzoo_repr.simulation._paint import LARGEST_REACH
from galzoo_repr.simulation._population import draw_galaxies
from galzoo_repr.simulation._radii import light_reach
from galzoo_repr.simulation._sky import Cell, SkyTiling, cell_random, separation

__all__ = ["GALAXY_DENSITY", "GalaxiesOnSky"]

# 8.67 million galaxies over 19,000 square degrees: Walmsley et al. 2023, MNRAS 526, 4768
GALAXY_DENSITY = 456.0
"""Galaxies per square degree."""

_PURPOSE = 1
_FAINTEST = 0.002  # nanomaggies per square arcsec in r, where the light of a galaxy is cut off


class GalaxiesOnSky:
    """
    Bright galaxies scattered over the whole sphere, drawn where they are asked for and the same every time.

    Parameters
    ----------
    seed : int
        Another seed is another sky.
    mix : mapping of str to float
        Relative frequency of each kind, see `draw_galaxies`.
    """

    def __init__(self, seed: int, mix: Mapping[str, float]) -> None:
        self._seed, self._mix = seed, dict(mix)
        self._tiling = SkyTiling(0.25)
        self._positions_of = lru_cache(8192)(self._draw_positions)
        self._parameters_of = lru_cache(1024)(self._draw_parameters)

    def near(
        self,
        ra0: float,
        dec0: float,
        radius: float,
        *,
        observed: Callable[[NDArray, NDArray], NDArray] | None = None,
    ) -> tuple[NDArray, NDArray, dict[str, Tensor]]:
        """
        Galaxies within a radius of a position.

        Parameters
        ----------
        ra0, dec0 : float
            Position, degrees.
        radius : float
            Degrees.
        observed : callable, optional
            Says of arrays of RA and Dec which are wanted; all are unless given.

        Returns
        -------
        ra, dec : ndarray
            Positions, degrees, in order of distance.
        galaxies : dict of str to torch.Tensor
            Parameters as `draw_galaxies` gives them, and ``reach``, where the light ends, arcsec.
        """
        cells = self._tiling.cells_near(ra0, dec0, radius)
        positions = [self._positions_of(cell)[:2] for cell in cells]
        counts = [len(ra) for ra, _ in positions]
        ra, dec = (np.concatenate([position[axis] for position in positions]) for axis in (0, 1))
        cell_number = np.repeat(np.arange(len(cells)), counts)
        within_cell = np.concatenate([np.arange(count) for count in counts])
        distance = separation(ra, dec, ra0, dec0)
        order = np.argsort(distance, kind="stable")
        order = order[distance[order] <= radius]
        if observed is not None:
            order = order[observed(ra[order], dec[order])]
        drawn = {
            number: self._parameters_of(cells[number]) for number in np.unique(cell_number[order]).tolist()
        }
        if not drawn:
            drawn = {0: draw_galaxies_with_reach(1, torch.Generator(), self._mix)}
        first = dict(
            zip(drawn, np.cumsum([0] + [len(part["kind"]) for part in drawn.values()])[:-1], strict=True)
        )
        rows = torch.tensor(
            [
                first[number] + row
                for number, row in zip(cell_number[order].tolist(), within_cell[order].tolist(), strict=True)
            ],
            dtype=torch.long,
        )
        names = next(iter(drawn.values()))
        galaxies = {name: torch.cat([part[name] for part in drawn.values()])[rows] for name in names}
        return ra[order], dec[order], galaxies

    def _draw_positions(self, cell: Cell) -> tuple[NDArray, NDArray, int]:
        """Positions in a cell and the seed of what is there."""
        random = cell_random(self._seed, _PURPOSE, cell)
        n = int(random.poisson(GALAXY_DENSITY * cell.area))
        return *cell.random_positions(n, random), int(random.integers(1 << 62))

    def _draw_parameters(self, cell: Cell) -> dict[str, Tensor]:
        ra, _, seed = self._positions_of(cell)
        return draw_galaxies_with_reach(len(ra), torch.Generator().manual_seed(seed), self._mix)


def draw_galaxies_with_reach(
    n: int, generator: torch.Generator, mix: Mapping[str, float]
) -> dict[str, Tensor]:
    """Draw n galaxies as `draw_galaxies` does, with ``reach``, where their light ends, in arcsec."""
    galaxies = draw_galaxies(n, generator, mix=mix)
    galaxies["reach"] = light_reach(galaxies, faintest=_FAINTEST).clamp(max=LARGEST_REACH)
    return galaxies
