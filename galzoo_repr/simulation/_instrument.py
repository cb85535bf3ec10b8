"""What atmosphere, camera and chance do to a perfect image: point spread function, neighbours, sky noise, defects."""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

__all__ = ["add_field_objects", "add_noise", "apply_defects", "blur"]

NOISE_AT_NATIVE_SCALE = (0.0042, 0.0070, 0.0160)
"""Median sky noise of DECaLS g, r, z coadds, nanomaggies in a pixel of 0.262 arcsec, measured on real cutouts."""

NATIVE_PIXEL_SCALE = 0.262
_MOFFAT_BETA = 3.0
_BAND_SEEING = (1.07, 1.0, 0.93)  # sharper in red light: seeing goes as wavelength to the power -1/5


def blur(images: Tensor, fwhm: Tensor | float, *, pixel_scale: Tensor | float) -> Tensor:
    """
    Convolve with a Moffat point spread function, a little sharper in z than in g.

    Parameters
    ----------
    images : torch.Tensor
        Shape ``(n, 3, size, size)``.
    fwhm : float or torch.Tensor of shape (n,)
        Full width at half maximum in r, arcsec.
    pixel_scale : float or torch.Tensor of shape (n,)
        Arcseconds per pixel.

    Returns
    -------
    torch.Tensor
        Same shape. Flux is conserved but for what leaves the image.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.simulation import blur
    >>> star = torch.zeros(1, 3, 65, 65)
    >>> star[:, :, 32, 32] = 1
    >>> seen = blur(star, 1.3, pixel_scale=0.262)
    >>> [round(peak, 3) for peak in seen.amax((2, 3))[0].tolist()]
    [0.023, 0.027, 0.031]
    """
    n, _, size, _ = images.shape
    padded = size + 2 * min(size // 4, 16)
    width = torch.as_tensor(fwhm / pixel_scale, dtype=torch.float32).expand(n).view(n, 1, 1, 1)
    alpha = width * torch.tensor(_BAND_SEEING).view(1, 3, 1, 1) / (2 * math.sqrt(2 ** (1 / _MOFFAT_BETA) - 1))
    steps = torch.fft.fftfreq(padded, 1 / padded)
    r2 = steps.view(1, 1, 1, -1) ** 2 + steps.view(1, 1, -1, 1) ** 2
    psf = (1 + r2 / alpha**2) ** -_MOFFAT_BETA
    psf = psf / psf.sum((2, 3), keepdim=True)
    edge = (padded - size) // 2
    framed = torch.nn.functional.pad(images, (edge, padded - size - edge) * 2, mode="replicate")
    blurred = torch.fft.irfft2(torch.fft.rfft2(framed) * torch.fft.rfft2(psf), s=(padded, padded))
    return blurred[:, :, edge : edge + size, edge : edge + size]


def add_field_objects(
    images: Tensor,
    generator: torch.Generator,
    *,
    pixel_scale: Tensor,
    density: float = 14.0,
    avoid: Tensor | float = 0,
) -> Tensor:
    """
    Add faint galaxies and stars at random places, as they stand around any galaxy on the sky.

    Parameters
    ----------
    images : torch.Tensor
        Shape ``(n, 3, size, size)``, nanomaggies per pixel, before `blur`; changed in place.
    generator : torch.Generator
        Source of randomness.
    pixel_scale : torch.Tensor
        Shape ``(n,)``, arcsec per pixel.
    density : float
        Mean number of objects in a square arcminute.
    avoid : float or torch.Tensor of shape (n,)
        No object nearer to the centre than this, arcsec.

    Returns
    -------
    torch.Tensor
        The same tensor.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.simulation import add_field_objects
    >>> sky = torch.zeros(2, 3, 128, 128)
    >>> scale = torch.full((2,), 0.262)
    >>> seen = add_field_objects(sky, torch.Generator().manual_seed(1), pixel_scale=scale, density=100)
    >>> bool((seen.amax((1, 2, 3)) > 0).all()), seen is sky
    (True, True)
    """
    n, _, size, _ = images.shape
    field = size * pixel_scale
    count = torch.poisson(density * (field / 60) ** 2, generator=generator).long().clamp(max=60)
    which = torch.repeat_interleave(torch.arange(n), count)
    m = len(which)
    if not m:
        return images

    def uniform(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(m, generator=generator)

    x0, y0 = uniform(0, size), uniform(0, size)
    scale = pixel_scale[which]
    distance = torch.hypot(x0 - size / 2, y0 - size / 2) * scale
    star = uniform(0, 1) < 0.35
    magnitude = 23.2 - 1.45 * torch.empty(m).exponential_(1.0, generator=generator)
    flux = 10 ** (-0.4 * (magnitude.clamp(min=14.0) - 22.5)) * (
        distance > torch.as_tensor(avoid).expand(n)[which]
    )
    radius = torch.where(star, 0.12 * torch.ones(m), 10 ** (-0.1 + 0.2 * torch.randn(m, generator=generator)))
    radius = torch.maximum(radius, 0.45 * scale) / scale
    gr, rz = uniform(0.0, 1.3), uniform(0.0, 1.1)
    bands = torch.stack([10 ** (-0.4 * gr), torch.ones(m), 10 ** (0.4 * rz)], 1) * flux[:, None]
    q, angle = torch.where(star, torch.ones(m), uniform(0.35, 1)), uniform(0, math.pi)
    half = 12
    steps = torch.arange(-half, half + 1)
    column, row = x0.long()[:, None] + steps, y0.long()[:, None] + steps
    dx = (column - x0[:, None]).unsqueeze(1)
    dy = (row - y0[:, None]).unsqueeze(2)
    c, s = torch.cos(angle).view(-1, 1, 1), torch.sin(angle).view(-1, 1, 1)
    u, v = dx * c + dy * s, (dy * c - dx * s) / q.view(-1, 1, 1)
    r2 = (u**2 + v**2) / radius.view(-1, 1, 1) ** 2
    stamp = torch.where(star.view(-1, 1, 1), torch.exp(-0.5 * r2), torch.exp(-1.2 * torch.sqrt(r2 + 0.05)))
    stamp = stamp / stamp.sum((1, 2), keepdim=True)
    inside = ((column >= 0) & (column < size)).unsqueeze(1) & ((row >= 0) & (row < size)).unsqueeze(2)
    place = (row.clamp(0, size - 1).unsqueeze(2) * size + column.clamp(0, size - 1).unsqueeze(1)).view(m, -1)
    light = (stamp * inside).view(m, 1, -1) * bands.unsqueeze(2)
    flat = images.view(n, 3, size * size)
    for band in range(3):
        index = which.view(-1, 1) * (size * size) + place
        plane = flat[:, band].reshape(-1)
        plane.index_add_(0, index.view(-1), light[:, band].reshape(-1))
        flat[:, band] = plane.view(n, -1)
    return images


def add_noise(
    images: Tensor, generator: torch.Generator, *, pixel_scale: Tensor, depth: Tensor | float = 1.0
) -> Tensor:
    """
    Add sky noise, and photon noise where there is light.

    Parameters
    ----------
    images : torch.Tensor
        Shape ``(n, 3, size, size)``, nanomaggies per pixel.
    generator : torch.Generator
        Source of randomness.
    pixel_scale : torch.Tensor
        Shape ``(n,)``, arcsec per pixel: noise in a larger pixel is that of the native pixels it holds.
    depth : float or torch.Tensor of shape (n,)
        Noise in units of the median DECaLS noise.

    Returns
    -------
    torch.Tensor
        A new tensor of the same shape.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.simulation import add_noise
    >>> sky = torch.zeros(1, 3, 256, 256)
    >>> noisy = add_noise(sky, torch.Generator().manual_seed(1), pixel_scale=torch.tensor([0.262]))
    >>> [round(std, 3) for std in noisy[0].std((1, 2)).tolist()]
    [0.004, 0.007, 0.016]
    """
    n = len(images)
    sigma = torch.tensor(NOISE_AT_NATIVE_SCALE).view(1, 3, 1, 1)
    sigma = sigma * torch.as_tensor(depth, dtype=torch.float32).expand(n).view(n, 1, 1, 1)
    sigma = sigma * (pixel_scale.view(n, 1, 1, 1) / NATIVE_PIXEL_SCALE)
    variance = sigma**2 + 0.01 * sigma * images.clamp(min=0)
    return images + torch.randn(images.shape, generator=generator) * torch.sqrt(variance)


def apply_defects(images: Tensor, galaxies: Mapping[str, Tensor], *, pixel_scale: Tensor) -> Tensor:
    """
    Put on the defects that a galaxy's row names: a trail in one band, a missing corner, a missing band.

    Parameters
    ----------
    images : torch.Tensor
        Shape ``(n, 3, size, size)``, nanomaggies per pixel; changed in place.
    galaxies : mapping of str to torch.Tensor
        Parameters as `draw_galaxies` gives them.
    pixel_scale : torch.Tensor
        Shape ``(n,)``, arcsec per pixel.

    Returns
    -------
    torch.Tensor
        The same tensor; missing pixels are exactly zero, as the Legacy Survey viewer sends them.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.simulation import apply_defects, draw_galaxies
    >>> galaxies = draw_galaxies(1, torch.Generator().manual_seed(1), mix={"artifact": 1})
    >>> galaxies |= {"artifact": torch.tensor([4]), "artifact_band": torch.tensor([2])}
    >>> images = apply_defects(torch.ones(1, 3, 8, 8), galaxies, pixel_scale=torch.tensor([0.262]))
    >>> images.amax((2, 3)).tolist()
    [[1.0, 1.0, 0.0]]
    """
    size = images.shape[-1]
    steps = torch.arange(size, dtype=torch.float32) - (size - 1) / 2
    for i in torch.nonzero(galaxies["artifact"] > 1).flatten().tolist():
        angle, band = galaxies["artifact_angle"][i], int(galaxies["artifact_band"][i])
        across = steps.view(1, -1) * torch.sin(angle) - steps.view(-1, 1) * torch.cos(angle)
        across = across * pixel_scale[i] - galaxies["artifact_offset"][i]
        kind = int(galaxies["artifact"][i])
        if kind == 2:
            images[i, band] += (
                0.3 * (pixel_scale[i] / NATIVE_PIXEL_SCALE) ** 2 * torch.exp(-0.5 * (across / 1.2) ** 2)
            )
        elif kind == 3:
            images[i] *= (across < 0.5 * galaxies["r50"][i]).float()
        else:
            images[i, band] = 0
    return images
