"""Columns of a simulated survey's catalogue: where its galaxies are, how they look, what they are."""

import numpy as np
import torch
from astropy import units as u
from astropy.coordinates import SkyCoord
from astropy.table import Column
from numpy.typing import NDArray
from torch import Tensor

from galzoo_repr.simulation._population import KINDS
from galzoo_repr.simulation._radii import petrosian_radii

__all__ = ["light_columns", "position_columns", "truth_columns"]


def position_columns(ra: NDArray, dec: NDArray) -> list[Column]:
    coords = SkyCoord(ra, dec, unit="deg")
    names = [
        f"SIM J{east}{north}"
        for east, north in zip(
            coords.ra.to_string(u.hourangle, sep="", precision=2, pad=True),
            coords.dec.to_string(u.deg, sep="", precision=1, pad=True, alwayssign=True),
            strict=True,
        )
    ]
    return [
        Column(np.array(names, "U32"), "name", description="Name after the position"),
        Column(ra, "ra", unit="deg", description="Right ascension, ICRS"),
        Column(dec, "dec", unit="deg", description="Declination, ICRS"),
    ]


def light_columns(galaxies: dict[str, Tensor]) -> list[Column]:
    """
    Give the radii and magnitudes that catalogues list, in a column each.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.simulation import draw_galaxies, light_columns
    >>> columns = light_columns(draw_galaxies(3, torch.Generator().manual_seed(1)))
    >>> [column.name for column in columns]
    ['petro_th50', 'petro_th90', 'mag_g', 'mag_r', 'mag_z']
    """
    r50, r90 = (radius.numpy() for radius in petrosian_radii(galaxies))
    columns = [
        Column(r50, "petro_th50", unit="arcsec", description="Radius of half of the Petrosian flux in r"),
        Column(
            r90, "petro_th90", unit="arcsec", description="Radius of 90 per cent of the Petrosian flux in r"
        ),
    ]
    bulge, flux = galaxies["bulge_fraction"], galaxies["flux_r"]
    for band, sign, color in (("g", -0.4, "gr"), ("r", 0.0, "gr"), ("z", 0.4, "rz")):
        relative = bulge * 10 ** (sign * galaxies[f"bulge_{color}"])
        relative = relative + (1 - bulge) * 10 ** (sign * galaxies[f"disk_{color}"])
        magnitude = (22.5 - 2.5 * torch.log10(flux * relative)).numpy()
        columns.append(
            Column(
                magnitude, f"mag_{band}", unit="mag", description=f"AB magnitude of bulge and disk in {band}"
            )
        )
    return columns


def truth_columns(galaxies: dict[str, Tensor]) -> list[Column]:
    """
    Say what is true of the shape of each galaxy, in columns that begin with ``true_``.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.simulation import draw_galaxies, truth_columns
    >>> kind, *others = truth_columns(draw_galaxies(2, torch.Generator().manual_seed(1), mix={"ring": 1}))
    >>> kind.name, kind.tolist(), len(others)
    ('true_kind', ['ring', 'ring'], 19)
    """
    kind = np.array(KINDS)[galaxies["kind"].numpy()]
    arms = galaxies["arm_number"].numpy().astype(int)
    pitch = np.where(arms > 0, np.rad2deg(galaxies["arm_pitch"].numpy()), np.nan)
    bulge_shape = np.where(kind == "edge_on", galaxies["bulge_shape"].numpy().astype(int), -1)
    truths = (
        ("kind", kind, None, "Kind of galaxy: " + ", ".join(KINDS)),
        ("axis_ratio", galaxies["axis_ratio"].numpy(), None, "Minor over major axis"),
        ("bulge_fraction", galaxies["bulge_fraction"].numpy(), None, "Share of the light in the bulge"),
        ("sersic_index", galaxies["sersic_index"].numpy(), None, "Sersic index of the bulge"),
        ("bar", galaxies["bar"].numpy().astype(int), None, "0 no bar, 1 weak, 2 strong"),
        ("arms", arms, None, "Number of spiral arms"),
        ("arm_pitch", pitch.astype(np.float32), u.deg, "Pitch angle of the arms, NaN without arms"),
        ("arm_contrast", galaxies["arm_contrast"].numpy(), None, "Brightness of the arms over the disk"),
        ("ring", galaxies["ring_contrast"].numpy() > 0, None, "Whether it has a ring"),
        ("ring_contrast", galaxies["ring_contrast"].numpy(), None, "Brightness of the ring over the disk"),
        ("edge_on_bulge", bulge_shape, None, "Of edge-on disks: 0 no bulge, 1 round, 2 boxy; -1 for others"),
        ("merger", kind == "merger", None, "Whether it is merging or has just merged"),
        ("lens", kind == "lens", None, "Whether it is a gravitational lens"),
        ("arc_light", galaxies["arc_light"].numpy(), None, "Light of the lensed arc over the galaxy's"),
        ("companion_ratio", galaxies["companion_ratio"].numpy(), None, "Companion over galaxy, in light"),
        ("tail_light", galaxies["tail_light"].numpy(), None, "Light of tidal tails over the galaxy's"),
        ("lopsidedness", galaxies["lopsidedness"].numpy(), None, "How lopsided the disk is"),
        ("clumpiness", galaxies["clumpiness"].numpy(), None, "Amplitude of clumps in the disk"),
        ("dust", galaxies["dust"].numpy(), None, "Depth of the dust lane of edge-on disks"),
        ("artifact", galaxies["artifact"].numpy().astype(int), None,
         "0 none, 1 star with spikes, 2 satellite trail, 3 missing corner, 4 missing band"),
    )  # fmt: skip
    return [
        Column(values, f"true_{name}", unit=unit, description=text) for name, values, unit, text in truths
    ]
