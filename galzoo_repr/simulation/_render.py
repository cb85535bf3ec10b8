"""Galaxies drawn as they would be seen from above the atmosphere, in g, r and z, many at a time.

A galaxy is the sum of its components. Each component function returns surface brightness in nanomaggies per square
arcsecond, one image for every galaxy that has the component; colour is put on where components are added.
"""

import math
from collections.abc import Mapping
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["render_galaxies"]

_TEXTURES, _TEXTURE_SIZE = 128, 48
_TAIL_POINTS = 20
_DUST_EXTINCTION = (
    1.2,
    0.85,
    0.5,
)  # relative optical depth in g, r, z, after Cardelli, Clayton & Mathis (1989)


def render_galaxies(
    galaxies: Mapping[str, Tensor],
    *,
    size: int,
    pixel_scale: float | Tensor,
    x_offset: float | Tensor = 0.0,
    y_offset: float | Tensor = 0.0,
) -> Tensor:
    """
    Draw one noise-free image per galaxy, before the point spread function.

    Parameters
    ----------
    galaxies : mapping of str to torch.Tensor
        Parameters of ``n`` galaxies as `draw_galaxies` gives them.
    size : int
        Pixels along each side.
    pixel_scale : float or torch.Tensor of shape (n,)
        Arcseconds per pixel.
    x_offset, y_offset : float or torch.Tensor of shape (n,)
        Place of the galaxy's centre relative to the image centre, in arcsec, along increasing column and row.

    Returns
    -------
    torch.Tensor
        Shape ``(n, 3, size, size)``, float32, bands g, r, z, nanomaggies per pixel.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.simulation import draw_galaxies, render_galaxies
    >>> galaxies = draw_galaxies(2, torch.Generator().manual_seed(1))
    >>> render_galaxies(galaxies, size=32, pixel_scale=1.0).shape
    torch.Size([2, 3, 32, 32])
    """
    n = len(galaxies["kind"])
    scale = _column(pixel_scale, n)
    steps = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
    x = (steps.view(1, 1, size) * scale - _column(x_offset, n)).expand(n, size, size)
    y = (steps.view(1, size, 1) * scale - _column(y_offset, n)).expand(n, size, size)
    image = torch.zeros(n, 3, size, size)
    pixel = scale.flatten()
    for chosen, draw in (
        (galaxies["axis_ratio"] >= 0, _body),
        ((galaxies["companion_ratio"] > 0) | (galaxies["tail_light"] > 0), _interaction),
        (galaxies["arc_light"] > 0, _arcs),
        (galaxies["artifact"] == 1, _spiked_star),
    ):
        rows = torch.nonzero(chosen).flatten()
        if len(rows):
            part = {name: values[rows] for name, values in galaxies.items()}
            image[rows] += draw(part, x[rows], y[rows], pixel[rows].view(-1, 1, 1))
    return image * (scale**2).unsqueeze(1)


def _column(value: float | Tensor, n: int) -> Tensor:
    return torch.as_tensor(value, dtype=torch.float32).expand(n).reshape(n, 1, 1)


def _of(p: Mapping[str, Tensor], name: str) -> Tensor:
    return p[name].float().view(-1, 1, 1)


def _rotate(x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    cosine, sine = torch.cos(angle), torch.sin(angle)
    return x * cosine + y * sine, y * cosine - x * sine


def _band_fluxes(gr: Tensor, rz: Tensor) -> Tensor:
    """Fluxes in g, r, z relative to r from the colours g - r and r - z in magnitudes; shape (n, 3, 1, 1)."""
    bands = torch.stack([10 ** (-0.4 * gr), torch.ones_like(gr), 10 ** (0.4 * rz)], 1)
    return bands.view(-1, 3, 1, 1)


def _sersic(r2: Tensor, radius: Tensor, n: Tensor, axis_ratio: Tensor, softening: Tensor) -> Tensor:
    """
    Sersic profile of unit total flux, its cusp softened over a fraction of a pixel.

    ``b(n)`` after Ciotti & Bertin (1999, A&A 352, 447), total flux after Graham & Driver (2005, PASA 22, 118, eq. 4).
    """
    b = 2 * n - 1 / 3 + 0.009876 / n
    total = (
        2 * math.pi * radius**2 * axis_ratio * n * torch.exp(b + torch.lgamma(2 * n) - 2 * n * torch.log(b))
    )
    u = torch.log((r2 + softening) / radius**2) * (0.5 / n)
    return torch.exp(-b * (torch.exp(u) - 1)) / total


@cache
def _texture_bank() -> Tensor:
    """Periodic smooth random fields, the same in every process: what makes no two disks alike."""
    generator = torch.Generator().manual_seed(20220101)
    field = torch.randn(_TEXTURES, 1, _TEXTURE_SIZE, _TEXTURE_SIZE, generator=generator)
    blur = torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0])
    kernel = (blur[:, None] * blur).view(1, 1, 5, 5) / blur.sum() ** 2
    field = F.conv2d(F.pad(field, (2, 2, 2, 2), mode="circular"), kernel)
    return field / field.std()


def _texture(index: Tensor, u: Tensor, v: Tensor, cell: Tensor | float) -> Tensor:
    """Sample each galaxy's random field, unit variance, whose grain is `cell` (the unit of `u` and `v`)."""
    extent = _TEXTURE_SIZE / 2 * cell
    grid = torch.stack([u / extent, v / extent], -1)
    grid = (torch.remainder(grid + 1, 4) - 2).abs() - 1  # mirrored, so that the field has no seam
    return F.grid_sample(_texture_bank()[index % _TEXTURES], grid, align_corners=True)[:, 0]


def _body(p: Mapping[str, Tensor], x: Tensor, y: Tensor, pixel: Tensor) -> Tensor:
    """Bulge and disk with everything that lives in the disk."""
    scale = _of(p, "disk_scale")
    strength = _of(p, "warp") * scale
    x, y = (
        x + strength * _texture(p["texture"] // 7, x, y, 1.6 * scale),
        y + strength * _texture(p["texture"] // 13, x, y, 1.6 * scale),
    )
    u, v = _rotate(x, y, _of(p, "position_angle"))
    flux = _of(p, "flux_r")
    bulge_share = _of(p, "bulge_fraction")
    softening = (0.35 * pixel) ** 2
    image = (flux * bulge_share * _bulge(p, u, v, softening)).unsqueeze(1) * _band_fluxes(
        p["bulge_gr"], p["bulge_rz"]
    )
    disk_bands = _band_fluxes(p["disk_gr"], p["disk_rz"])
    edge_on = p["kind"] == 4
    rows = torch.nonzero(~edge_on).flatten()
    if len(rows):
        part = {name: values[rows] for name, values in p.items()}
        image[rows] += _face_on(part, u[rows], v[rows], disk_bands[rows])
    rows = torch.nonzero(edge_on).flatten()
    if len(rows):
        part = {name: values[rows] for name, values in p.items()}
        light = flux[rows] * (1 - bulge_share[rows]) * _edge_on_disk(part, u[rows], v[rows], pixel[rows])
        image[rows] += light.unsqueeze(1) * disk_bands[rows]
        image[rows] *= _dust_lane(part, u[rows], v[rows], pixel[rows])
    return image


def _bulge(p: Mapping[str, Tensor], u: Tensor, v: Tensor, softening: Tensor) -> Tensor:
    smooth = _of(p, "smooth")
    inclination = _of(p, "axis_ratio")
    round_bulge = torch.where(
        p["kind"].view(-1, 1, 1) == 4, _of(p, "bulge_axis_ratio"), 0.45 + 0.55 * inclination
    )
    q = smooth * inclination + (1 - smooth) * round_bulge
    r2 = u**2 * q + v**2 / q
    boxy = p["bulge_shape"] == 2
    if boxy.any():
        power = 3.6
        box = (u.abs() ** power + (v.abs() / q) ** power) ** (2 / power) * q
        r2 = torch.where(boxy.view(-1, 1, 1), box, r2)
    return _sersic(r2, _of(p, "bulge_radius"), _of(p, "sersic_index"), torch.ones_like(q), softening)


def _face_on(p: Mapping[str, Tensor], u: Tensor, v: Tensor, bands: Tensor) -> Tensor:
    """A disk seen at some inclination, in its own plane: exponential, with bar, arms, rings, plateau and clumps."""
    q, h = _of(p, "axis_ratio"), _of(p, "disk_scale")
    v = v / q
    r = torch.sqrt(u**2 + v**2 + (0.15 * h) ** 2)
    angle = torch.atan2(v, u)
    total = _of(p, "flux_r") * (1 - _of(p, "bulge_fraction"))
    beyond = F.relu(r - _of(p, "disk_break"))
    disk = total * torch.exp(-(r + 1.3 * beyond) / h) / (2 * math.pi * h**2 * q)
    lopsided = 1 + _of(p, "lopsidedness") * torch.tanh(r / (2 * h)) * torch.cos(
        angle - _of(p, "lopsided_angle")
    )
    grain = 0.3 + 0.35 * (p["texture"] % 97).view(-1, 1, 1) / 97
    clumps = _texture(p["texture"], u, v, grain * h)
    disk = disk * lopsided * torch.exp((_of(p, "clumpiness") * clumps).clamp(max=2.5))
    edge = torch.exp(-((r / _of(p, "lens_radius")) ** 6))
    plateau = (
        disk * _of(p, "lens_plateau") * edge * torch.exp(0.6 * (r - _of(p, "lens_radius")).clamp(max=0) / h)
    )
    old, young = disk + plateau, torch.zeros_like(disk)
    has_arms = p["arm_contrast"] > 0
    if has_arms.any():
        arms, between = _spiral_arms(p, r, angle, clumps, h)
        young = young + disk * arms
        old = old * between
    if (p["ring_contrast"] > 0).any():
        bright, hole = _ring(p, u, v, r, clumps, h)
        old = old * hole
        young = young + disk * bright
    image = old.unsqueeze(1) * bands
    if (p["bar_fraction"] > 0).any():
        bar = total * _of(p, "bar_fraction") * _bar(p, u, v) / q
        image = image + bar.unsqueeze(1) * _band_fluxes(p["bulge_gr"], p["bulge_rz"])
    blue = torch.where(has_arms, torch.full_like(p["ring_blueness"], 0.22), p["ring_blueness"])
    return image + young.unsqueeze(1) * _band_fluxes(p["disk_gr"] - blue, p["disk_rz"] - 0.8 * blue)


def _bar(p: Mapping[str, Tensor], u: Tensor, v: Tensor) -> Tensor:
    """Boxy bar of about unit flux in the disk plane."""
    along, across = _rotate(u, v, _of(p, "bar_angle"))
    length, q = _of(p, "bar_length"), _of(p, "bar_axis_ratio")
    shape = (along.abs() / length) ** _of(p, "bar_boxiness") + (across.abs() / (length * q)) ** 2
    return torch.exp(-2.0 * shape.clamp(max=30) ** 1.2) / (1.55 * length**2 * q)


def _spiral_arms(
    p: Mapping[str, Tensor], r: Tensor, angle: Tensor, clumps: Tensor, h: Tensor
) -> tuple[Tensor, Tensor]:
    """Brightness of logarithmic arms relative to the disk, and what is left of the disk between them."""
    number, sense = _of(p, "arm_number"), _of(p, "arm_sense")
    wander = _of(p, "arm_wander") * _texture(
        p["texture"] // 3, r * torch.cos(angle), r * torch.sin(angle), 1.3 * h
    )
    start = _of(p, "bar_angle") + _of(p, "arm_phase") / number.clamp(min=1)
    log_r = torch.log(r / _of(p, "arm_inner").clamp(min=1e-3))
    phase = number * (sense * (angle - start) - log_r / torch.tan(_of(p, "arm_pitch"))) + wander
    crest = torch.exp(_of(p, "arm_sharpness") * (torch.cos(phase) - 1))
    inner, outer = _of(p, "arm_inner"), _of(p, "arm_outer")
    envelope = torch.sigmoid((r - inner) / (0.2 * h)) * torch.sigmoid((outer - r) / (0.5 * h))
    knots = torch.exp(_of(p, "arm_clumpiness") * clumps.clamp(-2, 2) * 0.6)
    contrast = _of(p, "arm_contrast")
    between = 1 - 0.35 * envelope * (1 - crest) * contrast / (1 + contrast)
    return contrast * crest * envelope * knots, between


def _ring(
    p: Mapping[str, Tensor], u: Tensor, v: Tensor, r: Tensor, clumps: Tensor, h: Tensor
) -> tuple[Tensor, Tensor]:
    """Brightness of one or two rings relative to the disk, and the fainter zone inside the ring."""
    along, across = _rotate(u, v, _of(p, "bar_angle"))
    oval = torch.sqrt(along**2 + (across / _of(p, "ring_axis_ratio")) ** 2 + 1e-6)
    radius, width = _of(p, "ring_radius"), _of(p, "ring_width")
    patches = torch.exp(_of(p, "ring_patchiness") * clumps.clamp(-2, 2) * 0.7)
    bright = _of(p, "ring_contrast") * torch.exp(-0.5 * ((oval - radius) / width) ** 2) * patches
    second = _of(p, "second_ring_radius")
    bright = bright + _of(p, "second_ring") * torch.exp(
        -0.5 * ((r - second) / (1.3 * width)) ** 2
    ) * torch.exp(0.4 * (second - radius) / h)
    hollow = torch.exp(-0.5 * ((oval - 0.72 * radius) / (0.2 * radius + width)) ** 2)
    return bright, 1 - _of(p, "ring_gap") * hollow


def _edge_on_disk(p: Mapping[str, Tensor], u: Tensor, v: Tensor, pixel: Tensor) -> Tensor:
    """Exponential along, sech squared across (van der Kruit & Searle 1981, A&A 95, 105), unit flux, slightly warped."""
    h = _of(p, "disk_scale")
    height = torch.maximum(h * _of(p, "disk_height"), 0.3 * pixel)
    bend = 0.02 * _of(p, "lopsidedness") * u * torch.tanh(u / (3 * h))
    z = ((v - bend) / height).clamp(-12, 12)
    beyond = F.relu(u.abs() - _of(p, "disk_break"))
    return torch.exp(-(u.abs() + 1.5 * beyond) / h) / torch.cosh(z) ** 2 / (4 * h * height)


def _dust_lane(p: Mapping[str, Tensor], u: Tensor, v: Tensor, pixel: Tensor) -> Tensor:
    height = _of(p, "disk_scale") * _of(p, "disk_height")
    offset = _of(p, "dust_offset") * height
    lane = torch.exp(-0.5 * ((v - offset) / (0.35 * height + 0.4 * pixel)) ** 2)
    along = torch.exp(-0.5 * (u / (2.5 * _of(p, "disk_scale"))) ** 2)
    depth = (_of(p, "dust") * lane * along).unsqueeze(1)
    return (1 - depth * torch.tensor(_DUST_EXTINCTION).view(1, 3, 1, 1)).clamp(min=0.05)


def _arc_curve(x: Tensor, y: Tensor, start: tuple, middle: tuple, end: tuple, width: Tensor) -> Tensor:
    """Light along a quadratic Bezier curve, fading and widening to its end; the peak is one."""
    light = torch.zeros_like(x)
    for i in range(_TAIL_POINTS):
        t = i / (_TAIL_POINTS - 1)
        px = (1 - t) ** 2 * start[0] + 2 * t * (1 - t) * middle[0] + t**2 * end[0]
        py = (1 - t) ** 2 * start[1] + 2 * t * (1 - t) * middle[1] + t**2 * end[1]
        spread = width * (0.7 + 0.9 * t)
        light = torch.maximum(
            light, (1 - 0.6 * t) * torch.exp(-0.5 * ((x - px) ** 2 + (y - py) ** 2) / spread**2)
        )
    return light


def _interaction(p: Mapping[str, Tensor], x: Tensor, y: Tensor, pixel: Tensor) -> Tensor:
    """A companion, the bridge to it and tidal tails."""
    separation, angle = _of(p, "companion_separation"), _of(p, "companion_angle")
    ux, uy = torch.cos(angle), torch.sin(angle)
    cx, cy = separation * ux, separation * uy
    flux = _of(p, "flux_r")
    u, v = _rotate(x - cx, y - cy, _of(p, "companion_position_angle"))
    q = _of(p, "companion_axis_ratio")
    body = _sersic(
        u**2 * q + v**2 / q,
        _of(p, "companion_size"),
        _of(p, "companion_sersic"),
        torch.ones_like(q),
        (0.35 * pixel) ** 2,
    )
    image = (flux * _of(p, "companion_ratio") * body).unsqueeze(1) * _band_fluxes(
        p["bulge_gr"], p["bulge_rz"]
    )
    length, bend, width = _of(p, "tail_length"), _of(p, "tail_bend"), _of(p, "tail_width")
    nx, ny = -uy, ux
    origin = torch.zeros_like(cx)
    first = _arc_curve(
        x, y, (origin, origin), (-0.7 * length * ux, -0.7 * length * uy),
        (length * (bend * nx - 0.7 * ux), length * (bend * ny - 0.7 * uy)), width,
    )  # fmt: skip
    second = _arc_curve(
        x, y, (cx, cy), (cx + 0.5 * length * ux, cy + 0.5 * length * uy),
        (cx + length * (0.5 * ux - bend * nx), cy + length * (0.5 * uy - bend * ny)), width,
    )  # fmt: skip
    clumps = torch.exp(0.5 * _texture(p["texture"], x, y, 1.5 * width).clamp(-2, 2))
    tails = _of(p, "tail_light") * (first + _of(p, "second_tail") * second) * clumps / (length * width * 3)
    bridge = _arc_curve(
        x, y, (origin, origin), (0.5 * cx + 0.2 * separation * nx, 0.5 * cy), (cx, cy), 0.7 * width
    )
    tails = tails + _of(p, "bridge_light") * bridge / (separation * width)
    return image + (flux * tails).unsqueeze(1) * _band_fluxes(p["disk_gr"], p["disk_rz"])


def _arcs(p: Mapping[str, Tensor], x: Tensor, y: Tensor, pixel: Tensor) -> Tensor:
    """A blue gravitationally lensed arc and its counter-image around a red galaxy."""
    r = torch.sqrt(x**2 + y**2 + 1e-9)
    radius, width = _of(p, "arc_radius"), torch.maximum(_of(p, "arc_width"), 0.3 * pixel)
    turn = torch.remainder(torch.atan2(y, x) - _of(p, "arc_angle") + math.pi, 2 * math.pi) - math.pi
    extent = _of(p, "arc_extent")
    arc = torch.exp(-0.5 * ((r - radius) / width) ** 2) * torch.exp(-((turn / extent) ** 4))
    opposite = torch.remainder(turn + 2 * math.pi, 2 * math.pi) - math.pi
    counter = torch.exp(-0.5 * ((r - 0.75 * radius) / width) ** 2) * torch.exp(
        -((opposite / (0.3 * extent)) ** 2)
    )
    light = _of(p, "flux_r") * _of(p, "arc_light") * (arc + _of(p, "counter_arc") * counter)
    light = light / (4.5 * radius * width * extent)
    blue = torch.full_like(p["disk_gr"], 0.1)
    return light.unsqueeze(1) * _band_fluxes(blue, blue)


def _spiked_star(p: Mapping[str, Tensor], x: Tensor, y: Tensor, pixel: Tensor) -> Tensor:
    """A saturated star's halo and diffraction spikes."""
    offset = _of(p, "artifact_offset")
    u, v = _rotate(x - offset, y + 0.6 * offset, _of(p, "artifact_angle"))
    halo = (1 + (u**2 + v**2) / 2.0) ** -1.6
    reach = 6 * _of(p, "r50")
    spikes = torch.exp(-u.abs() / reach) / (1 + (v / 0.5) ** 2) + torch.exp(-v.abs() / reach) / (
        1 + (u / 0.5) ** 2
    )
    light = _of(p, "artifact_light") * _of(p, "flux_r") * (0.02 * halo + 0.004 * spikes)
    return light.unsqueeze(1) * _band_fluxes(p["disk_gr"], p["disk_rz"])
