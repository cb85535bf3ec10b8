"""How large simulated galaxies are: the Petrosian radii that catalogues list, and where their light ends."""

from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["light_reach", "petrosian_radii"]

_RATIO = 0.2
_APERTURE = 2.0


def petrosian_radii(galaxies: Mapping[str, Tensor], *, points: int = 400) -> tuple[Tensor, Tensor]:
    """
    Radii of 50 and 90 per cent of the Petrosian flux, from the circularised profile of bulge and disk.

    The definition is that of the SDSS (Strauss et al. 2002, AJ 124, 1810, sect. 3.2): the Petrosian radius is
    where the surface brightness falls to 0.2 of its mean within, the flux is that within twice this radius.

    Parameters
    ----------
    galaxies : mapping of str to torch.Tensor
        Parameters of ``n`` galaxies as `draw_galaxies` gives them.
    points : int
        Radial steps of the integration, equal in the logarithm.

    Returns
    -------
    r50, r90 : torch.Tensor
        Shape ``(n,)``, arcsec.
    """
    radius, brightness = _profile(galaxies, points)
    grown = _growth(brightness, radius)
    within = brightness * torch.pi * radius**2 / grown
    # where a bright bulge makes the ratio cross 0.2 more than once the outermost radius counts
    beyond = torch.where(within >= _RATIO, torch.arange(points), 0).amax(1, keepdim=True)
    edge = _APERTURE * torch.gather(radius, 1, beyond)
    flux = torch.gather(grown, 1, torch.searchsorted(radius, edge).clamp(max=points - 1))
    return tuple(_radius_of(share_of_light * flux, grown, radius) for share_of_light in (0.5, 0.9))


def light_reach(galaxies: Mapping[str, Tensor], *, faintest: float, points: int = 400) -> Tensor:
    """
    Radius beyond which a galaxy is fainter in r than a given surface brightness.

    Parameters
    ----------
    galaxies : mapping of str to torch.Tensor
        Parameters of ``n`` galaxies as `draw_galaxies` gives them.
    faintest : float
        Surface brightness, nanomaggies per square arcsec.
    points : int
        Radial steps, equal in the logarithm.

    Returns
    -------
    torch.Tensor
        Shape ``(n,)``, arcsec along the longest axis; at least eight half-light radii, which hold tails.
    """
    radius, brightness = _profile(galaxies, points)
    bright = brightness * galaxies["flux_r"].double()[:, None] > faintest
    last = torch.where(bright, torch.arange(points), 0).amax(1, keepdim=True)
    reach = torch.gather(radius, 1, last).squeeze(1) / torch.sqrt(galaxies["axis_ratio"])
    spikes = torch.where(galaxies["artifact"] == 1, 45.0, 8.0) * galaxies["r50"]
    return torch.maximum(reach, spikes).float()


def _profile(galaxies: Mapping[str, Tensor], points: int) -> tuple[Tensor, Tensor]:
    """Radii (n, points) and circularised surface brightness of bulge and disk, of unit flux."""
    reach = torch.maximum(galaxies["disk_scale"], galaxies["bulge_radius"]).double()[:, None]
    radius = reach * torch.logspace(-3, 1.6, points, dtype=torch.float64)
    n = galaxies["sersic_index"].double()[:, None]
    b = 2 * n - 1 / 3 + 0.009876 / n
    bulge = torch.exp(-b * ((radius / galaxies["bulge_radius"].double()[:, None]) ** (1 / n) - 1))
    disk = torch.exp(-radius / galaxies["disk_scale"].double()[:, None])
    brightness = torch.zeros_like(radius)
    share = galaxies["bulge_fraction"].double()[:, None]
    for profile, part in ((bulge, share), (disk, 1 - share)):
        brightness += part * profile / _growth(profile, radius)[:, -1:]
    return radius, brightness


def _growth(brightness: Tensor, radius: Tensor) -> Tensor:
    """Integrate the light within each radius by the trapezoid rule in log radius, with a flat core inside."""
    integrand = 2 * torch.pi * brightness * radius**2
    steps = torch.diff(torch.log(radius), dim=1) * (integrand[:, 1:] + integrand[:, :-1]) / 2
    core = torch.pi * brightness[:, :1] * radius[:, :1] ** 2
    return torch.cat([core, core + torch.cumsum(steps, 1)], 1)


def _radius_of(light: Tensor, grown: Tensor, radius: Tensor) -> Tensor:
    after = torch.searchsorted(grown.contiguous(), light).clamp(1, radius.shape[1] - 1)
    low, high = torch.gather(grown, 1, after - 1), torch.gather(grown, 1, after)
    inner, outer = torch.gather(radius, 1, after - 1), torch.gather(radius, 1, after)
    return (inner + (outer - inner) * ((light - low) / (high - low)).clamp(0, 1)).squeeze(1).float()
