"""Which galaxies there are: random physical parameters of galaxies of known morphology.

Every galaxy is one row of a dictionary of equally long tensors. Lengths are arcseconds, fluxes nanomaggies,
angles radians; the distributions are wide on purpose, because an encoder that has seen more than nature offers
is not surprised by nature. Sizes, magnitudes and colours cover those of the Galaxy Zoo DECaLS selection
(Walmsley et al. 2022, MNRAS 509, 3966: r < 17.77, Petrosian radius above 3 arcsec).
"""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from galzoo_repr._arguments import did_you_mean

__all__ = ["KINDS", "NATURAL_MIX", "draw_galaxies", "light_radii"]

KINDS = ("smooth", "disk", "spiral", "ring", "edge_on", "merger", "irregular", "lens", "artifact")

NATURAL_MIX: Mapping[str, float] = {
    "smooth": 0.36,
    "disk": 0.13,
    "spiral": 0.25,
    "ring": 0.03,
    "edge_on": 0.12,
    "merger": 0.03,
    "irregular": 0.05,
    "lens": 0.0,
    "artifact": 0.03,
}
"""Share of each kind in a simulated patch of sky: a rounded Galaxy Zoo mix; lenses only where they are asked for."""


class _Draw:
    """Random numbers of one generator, `n` at a time."""

    def __init__(self, n: int, generator: torch.Generator) -> None:
        self.n, self.generator = n, generator

    def uniform(self, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(self.n, generator=self.generator)

    def log_uniform(self, low: float, high: float) -> Tensor:
        return torch.exp(self.uniform(math.log(low), math.log(high)))

    def normal(self, mean: float, sigma: float) -> Tensor:
        return mean + sigma * torch.randn(self.n, generator=self.generator)

    def log_normal(self, median: float, dex: float) -> Tensor:
        return median * 10 ** (dex * torch.randn(self.n, generator=self.generator))

    def chance(self, probability: float | Tensor) -> Tensor:
        return torch.rand(self.n, generator=self.generator) < probability

    def choice(self, weights: Sequence[float]) -> Tensor:
        w = torch.tensor(weights, dtype=torch.float32)
        return torch.multinomial(w, self.n, replacement=True, generator=self.generator)


def draw_galaxies(
    n: int, generator: torch.Generator, *, mix: Mapping[str, float] = NATURAL_MIX
) -> dict[str, Tensor]:
    """
    Draw the physical parameters of `n` galaxies.

    Parameters
    ----------
    n : int
        How many.
    generator : torch.Generator
        Source of randomness (on the CPU); the same state gives the same galaxies.
    mix : mapping of str to float
        Relative frequency of each kind; kinds that are left out do not occur.

    Returns
    -------
    dict of str to torch.Tensor
        Tensors of shape ``(n,)``: ``kind`` (int64, index into `KINDS`) and float32 parameters of the components.

    Raises
    ------
    ValueError
        If `mix` names an unknown kind or holds no positive weight.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.simulation import draw_galaxies
    >>> galaxies = draw_galaxies(5, torch.Generator().manual_seed(1), mix={"ring": 1})
    >>> bool((galaxies["ring_contrast"] > 0).all())
    True
    """
    unknown = sorted(set(mix) - set(KINDS))
    if unknown:
        hint = did_you_mean(unknown[0], KINDS)
        raise ValueError(f"unknown kinds of galaxy {unknown}; the kinds are {', '.join(KINDS)}{hint}")
    weights = [float(mix.get(kind, 0.0)) for kind in KINDS]
    if min(weights) < 0 or sum(weights) <= 0:
        raise ValueError(
            f"the mix of kinds needs at least one positive weight and no negative one, not {mix}"
        )
    draw = _Draw(n, generator)
    kind = draw.choice(weights)
    is_kind = {name: kind == i for i, name in enumerate(KINDS)}
    p = {"kind": kind}
    p |= _shape_and_light(draw, is_kind)
    p |= _bar(draw, is_kind)
    p |= _arms(draw, is_kind, p)
    p |= _rings(draw, is_kind, p)
    p |= _dust_clumps_and_disturbance(draw, is_kind)
    p |= _companion_and_tides(draw, is_kind)
    p |= _lensed_arcs(draw, is_kind)
    p |= _artifact(draw, is_kind)
    return _to_sky(p, draw)


def _where(condition: Tensor, yes: Tensor, no: Tensor | float) -> Tensor:
    return torch.where(condition, yes, torch.as_tensor(no, dtype=yes.dtype))


def _shape_and_light(draw: _Draw, is_kind: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Disk and bulge, with lengths still in units of the disk scale length (bulge radius for smooth galaxies)."""
    smooth = is_kind["smooth"] | is_kind["lens"] | (is_kind["artifact"] & draw.chance(0.6))
    edge_on = is_kind["edge_on"]
    irregular = is_kind["irregular"]
    q_disk = torch.sqrt(
        draw.uniform(0.1, 1.0)
    )  # random inclinations: uniform cosine, tilted against thin disks
    q_smooth = 1 - 0.72 * draw.uniform(0.0, 1.0) ** 1.7
    bulge_shape = draw.choice([0.35, 0.5, 0.15])
    bulge_fraction = draw.log_uniform(0.02, 0.55)
    # ringed galaxies are early-type disks with marked bulges
    bulge_fraction = _where(is_kind["ring"], draw.log_uniform(0.08, 0.6), bulge_fraction)
    bulge_fraction = _where(irregular, 0.1 * bulge_fraction, bulge_fraction)
    bulge_fraction = _where(edge_on, (bulge_shape > 0) * draw.uniform(0.1, 0.5), bulge_fraction)
    # an S0-like half of the smooth galaxies keeps an outer disk that nobody would call featured
    bulge_fraction = _where(smooth, _where(draw.chance(0.5), draw.uniform(0.4, 0.9), 1.0), bulge_fraction)
    age = draw.uniform(0.0, 1.0)
    redness = _where(smooth, 0.55 + 0.45 * age, 0.15 + 0.6 * age)
    redness = _where(is_kind["spiral"], 0.1 + 0.55 * age, redness)
    redness = _where(is_kind["ring"], 0.2 + 0.7 * age, redness)
    redness = _where(irregular, 0.25 * age, redness)
    bulge_red = torch.clamp(
        redness + _where(smooth, draw.uniform(0.0, 0.06), draw.uniform(0.05, 0.5)), max=1.05
    )
    return {
        "smooth": smooth.float(),
        "position_angle": draw.uniform(0, math.pi),
        "axis_ratio": _where(edge_on, draw.uniform(0.05, 0.2), _where(smooth, q_smooth, q_disk)),
        "bulge_fraction": bulge_fraction,
        "bulge_shape": _where(edge_on, bulge_shape, 0),
        "sersic_index": _where(smooth, draw.log_uniform(1.0, 6.0), draw.log_uniform(0.8, 4.0)),
        "bulge_radius": _where(smooth, torch.ones(draw.n), draw.log_uniform(0.12, 0.6)),
        "bulge_axis_ratio": _where(edge_on, draw.uniform(0.55, 1.0), torch.ones(draw.n)),
        "disk_scale": _where(smooth, draw.uniform(0.9, 1.7), torch.ones(draw.n)),
        "disk_height": draw.uniform(0.08, 0.22),
        "lens_plateau": _where(~smooth & ~edge_on & draw.chance(0.35), draw.log_uniform(0.1, 1.2), 0.0),
        "lens_radius": draw.uniform(0.9, 2.2),
        "disk_break": _where(~smooth & draw.chance(0.4), draw.uniform(2.0, 4.5), 99.0),
        "disk_gr": 0.30 + 0.55 * redness + draw.normal(0, 0.05),
        "disk_rz": 0.22 + 0.50 * redness + draw.normal(0, 0.05),
        "bulge_gr": 0.30 + 0.58 * bulge_red + draw.normal(0, 0.04),
        "bulge_rz": 0.22 + 0.53 * bulge_red + draw.normal(0, 0.04),
    }


def _bar(draw: _Draw, is_kind: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """0 no, 1 weak, 2 strong, as Galaxy Zoo DECaLS asks; rings are barred more often than other disks."""
    barred = draw.choice([0.5, 0.25, 0.25])
    barred = _where(is_kind["ring"], draw.choice([0.3, 0.3, 0.4]), barred)
    barred = _where(is_kind["irregular"], draw.choice([0.7, 0.2, 0.1]), barred)
    hosts = is_kind["disk"] | is_kind["spiral"] | is_kind["ring"] | is_kind["irregular"]
    barred = _where(hosts, barred, 0)
    strong = barred == 2
    return {
        "bar": barred,
        "bar_length": _where(strong, draw.uniform(1.1, 2.2), draw.uniform(0.5, 1.1)),
        "bar_axis_ratio": draw.uniform(0.2, 0.4),
        "bar_angle": draw.uniform(0, math.pi),
        "bar_fraction": (barred > 0) * _where(strong, draw.uniform(0.12, 0.3), draw.uniform(0.04, 0.11)),
        "bar_boxiness": draw.uniform(2.0, 3.2),
    }


def _arms(draw: _Draw, is_kind: Mapping[str, Tensor], p: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Logarithmic spirals; tight, medium and loose winding are pitch angles of about 8, 18 and 30 degrees."""
    spiral = is_kind["spiral"] | (is_kind["merger"] & draw.chance(0.3))
    number = 1 + draw.choice([0.08, 0.55, 0.16, 0.1, 0.05, 0.06])
    winding = draw.choice([0.35, 0.4, 0.25])
    low, high = torch.tensor([6.0, 13.0, 23.0])[winding], torch.tensor([13.0, 23.0, 42.0])[winding]
    strong_bar = p["bar"] == 2
    return {
        "arm_number": _where(spiral, number, 0),
        "arm_winding": winding,
        "arm_pitch": torch.deg2rad(low + (high - low) * draw.uniform(0, 1)),
        "arm_sense": torch.where(draw.chance(0.5), 1.0, -1.0),
        "arm_contrast": spiral * draw.log_uniform(0.4, 5.0),
        "arm_sharpness": draw.log_uniform(0.8, 4.5),
        "arm_inner": _where(strong_bar, p["bar_length"] * 0.85, draw.uniform(0.15, 0.7)),
        "arm_outer": draw.uniform(2.2, 5.0),
        "arm_wander": draw.log_uniform(0.1, 1.2),
        "arm_clumpiness": draw.uniform(0.0, 1.0),
        "arm_phase": _where(strong_bar, torch.zeros(draw.n), draw.uniform(0, 2 * math.pi)),
    }


def _rings(draw: _Draw, is_kind: Mapping[str, Tensor], p: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An inner or outer ring, sometimes both; contrast is against the disk at the ring's radius."""
    ring = is_kind["ring"]
    inner = draw.chance(0.45)
    radius = _where(inner, draw.uniform(0.9, 1.8), draw.uniform(1.8, 3.8))
    at_bar_end = (p["bar"] == 2) & draw.chance(0.7) & inner
    radius = _where(at_bar_end, p["bar_length"] * draw.uniform(1.0, 1.15), radius)
    return {
        "ring_contrast": ring * draw.log_uniform(0.3, 4.0) * torch.exp(0.35 * (radius - 1.5)).clamp(0.7, 3.0),
        "ring_radius": radius,
        "ring_width": draw.log_uniform(0.08, 0.35) * (0.6 + 0.4 * radius),
        "ring_gap": ring * draw.uniform(0.0, 0.75),
        "ring_axis_ratio": draw.uniform(0.8, 1.0),
        "ring_patchiness": draw.uniform(0.0, 0.7),
        "ring_blueness": draw.uniform(-0.1, 0.45),
        "second_ring": ring * draw.chance(0.25) * draw.log_uniform(0.4, 3.0),
        "second_ring_radius": radius * draw.uniform(1.6, 2.3),
    }


def _dust_clumps_and_disturbance(draw: _Draw, is_kind: Mapping[str, Tensor]) -> dict[str, Tensor]:
    edge_on, irregular, merger = is_kind["edge_on"], is_kind["irregular"], is_kind["merger"]
    warp = draw.log_uniform(0.02, 0.25)
    return {
        "dust": _where(edge_on, draw.chance(0.55) * draw.uniform(0.2, 0.8), 0.0),
        "dust_offset": draw.normal(0, 0.35),
        "clumpiness": _where(irregular, draw.uniform(0.3, 1.3), draw.log_uniform(0.01, 0.5)),
        "lopsidedness": _where(irregular | merger, draw.uniform(0.1, 0.7), draw.log_uniform(0.01, 0.3)),
        "lopsided_angle": draw.uniform(0, 2 * math.pi),
        "warp": _where(irregular, 1.6 * warp + 0.1, _where(merger, 1.5 * warp + 0.1, 0.35 * warp)),
        "texture": torch.randint(0, 1 << 30, (draw.n,), generator=draw.generator),
    }


def _companion_and_tides(draw: _Draw, is_kind: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tails are quadratic Bezier arcs that start at the two centres; post-mergers keep tails but lose the companion."""
    merger = is_kind["merger"]
    post = draw.chance(0.25)
    return {
        "companion_ratio": merger * ~post * draw.log_uniform(0.15, 1.0),
        "companion_separation": draw.log_uniform(0.7, 3.6),
        "companion_angle": draw.uniform(0, 2 * math.pi),
        "companion_size": draw.uniform(0.4, 1.1),
        "companion_axis_ratio": draw.uniform(0.35, 1.0),
        "companion_position_angle": draw.uniform(0, math.pi),
        "companion_sersic": draw.log_uniform(0.9, 3.5),
        "tail_light": merger * _where(draw.chance(0.85), draw.log_uniform(0.03, 0.4), 0.0),
        "second_tail": draw.chance(0.55) * draw.log_uniform(0.2, 1.0),
        "tail_length": draw.uniform(1.8, 5.5),
        "tail_bend": torch.where(draw.chance(0.5), 1.0, -1.0) * draw.uniform(0.3, 1.3),
        "tail_width": draw.log_uniform(0.15, 0.6),
        "bridge_light": merger * ~post * draw.chance(0.5) * draw.log_uniform(0.01, 0.08),
    }


def _lensed_arcs(draw: _Draw, is_kind: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        "arc_light": is_kind["lens"] * draw.log_uniform(0.04, 0.3),
        "arc_radius": draw.uniform(1.2, 2.6),
        "arc_width": draw.uniform(0.07, 0.2),
        "arc_angle": draw.uniform(0, 2 * math.pi),
        "arc_extent": draw.uniform(0.25, 1.4),
        "counter_arc": draw.uniform(0.1, 0.7),
    }


def _artifact(draw: _Draw, is_kind: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """0 none, 1 star with spikes, 2 satellite trail in one band, 3 missing corner, 4 one band missing."""
    kind = 1 + draw.choice([0.5, 0.2, 0.15, 0.15])
    return {
        "artifact": _where(is_kind["artifact"], kind, 0),
        "artifact_angle": draw.uniform(0, math.pi),
        "artifact_offset": draw.normal(0, 1.5),
        "artifact_band": torch.randint(0, 3, (draw.n,), generator=draw.generator),
        "artifact_light": draw.log_uniform(0.5, 40.0),
    }


_LENGTHS = {
    "bulge_radius", "disk_scale", "lens_radius", "disk_break", "bar_length", "arm_inner", "arm_outer", "ring_radius",
    "ring_width", "second_ring_radius", "companion_separation", "companion_size", "tail_length", "tail_width",
    "arc_radius", "arc_width", "artifact_offset",
}  # fmt: skip


def _to_sky(p: dict[str, Tensor], draw: _Draw) -> dict[str, Tensor]:
    """Give every galaxy its apparent size and brightness: half-light radius in arcsec, r-band flux in nanomaggies."""
    r50, r90 = light_radii(p)
    size = torch.clamp(draw.log_normal(4.4, 0.22), 1.8, 20.0)
    for name in _LENGTHS:
        p[name] = p[name] * size / r50
    surface_brightness = torch.clamp(draw.normal(21.1, 0.75), 18.9, 23.6)  # r, mag per arcsec2 within r50
    irregular = p["kind"] == KINDS.index("irregular")
    surface_brightness = _where(irregular, surface_brightness + 0.9, surface_brightness)
    magnitude = surface_brightness - 2.5 * torch.log10(2 * math.pi * size**2)
    p["flux_r"] = 10 ** (-0.4 * (torch.clamp(magnitude, 12.5, 18.2) - 22.5))
    p["r50"], p["r90"] = size, r90 * size / r50
    return p


def light_radii(p: Mapping[str, Tensor], *, points: int = 256) -> tuple[Tensor, Tensor]:
    """
    Radii that hold 50 and 90 per cent of the light of bulge and disk, circularised.

    Parameters
    ----------
    p : mapping of str to torch.Tensor
        Parameters as `draw_galaxies` gives them.
    points : int
        Radial steps of the integration.

    Returns
    -------
    r50, r90 : torch.Tensor
        Shape ``(n,)``, in the unit of ``disk_scale``.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.simulation import draw_galaxies, light_radii
    >>> galaxies = draw_galaxies(1, torch.Generator().manual_seed(1))
    >>> pure_disk = {"bulge_fraction": torch.zeros(1), "bulge_radius": torch.tensor([0.1])}
    >>> galaxies |= pure_disk | {"disk_scale": torch.ones(1)}
    >>> [round(radius.item(), 1) for radius in light_radii(galaxies)]
    [1.7, 3.9]
    """
    scale = torch.maximum(p["disk_scale"], p["bulge_radius"])
    x = torch.logspace(-2.5, 1.4, points)
    r = scale[:, None] * x
    n = p["sersic_index"][:, None]
    b = 2 * n - 1 / 3 + 0.009876 / n
    bulge = torch.exp(-b * ((r / p["bulge_radius"][:, None]) ** (1 / n) - 1))
    disk = torch.exp(-r / p["disk_scale"][:, None])
    ring_area = r * torch.gradient(x, dim=0)[0] * scale[:, None]
    light = torch.zeros_like(r)
    for profile, share in ((bulge, p["bulge_fraction"]), (disk, 1 - p["bulge_fraction"])):
        grown = torch.cumsum(profile * ring_area, 1)
        light += share[:, None] * grown / grown[:, -1:]
    index50 = torch.searchsorted(light.contiguous(), torch.full_like(light[:, :1], 0.5))
    index90 = torch.searchsorted(light.contiguous(), torch.full_like(light[:, :1], 0.9))
    last = points - 1
    return (
        torch.gather(r, 1, index50.clamp(max=last)).squeeze(1),
        torch.gather(r, 1, index90.clamp(max=last)).squeeze(1),
    )
