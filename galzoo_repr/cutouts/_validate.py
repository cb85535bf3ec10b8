"""Whether a body is the cutout that was asked for; services answer 200 for much that is not."""

import io
import math

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile

from galzoo_repr._fits_header import read_fits_header
from galzoo_repr.cutouts._request import CutoutRequest, Outcome
from galzoo_repr.images import LARGEST_FLUX

__all__ = ["validate_body"]

_BLOCK = 2880
_NO_DATA_ALLOWED = 0.001
"""Fraction of a band without data that still counts as complete."""
_GREYS = (32, 22)
"""Grey level of a JPEG without data: zeros through the viewer's stretches for g, r, z and for g, r, i."""
_CENTRE_PIXELS = 0.6
"""The grid may be off by half a pixel (services round CRPIX differently), not by more."""
_SCALING = {"BSCALE": 1.0, "BZERO": 0.0}
_MOST_SCANS = 100
"""Scans of a progressive JPEG; usual are ten."""

# Sent with code 200 by the viewer (legacysurvey/imagine, map/cutouts.py and map/views.py).
_REFUSALS = {b"no such layer": True, b"no cutouts enabled": False}


def validate_body(request: CutoutRequest, body: bytes) -> Outcome:
    """
    Judge an answer of code 200 by what it holds.

    Parameters
    ----------
    request : CutoutRequest
        What was asked.
    body : bytes
        What came.

    Returns
    -------
    Outcome
        With ``status``, ``reason``, ``zero_fraction`` and ``final`` filled in.

    Examples
    --------
    >>> from galzoo_repr.cutouts import CutoutRequest, validate_body
    >>> service = ("https://example.org/viewer", "viewer")
    >>> request = CutoutRequest(150.0, 2.2, 256, 0.262, "grz", "ls-dr99", "fits", *service)
    >>> validate_body(request, b"no such layer").reason
    "the service says 'no such layer'"
    """
    if not body:
        return Outcome("truncated", "the answer is empty")
    if request.image_format == "fits" and body.startswith(b"SIMPLE  ="):
        return _validate_fits(request, body)
    if request.image_format == "jpeg" and body.startswith(b"\xff\xd8"):
        return _validate_jpeg(request, body)
    return _explain_text(request, body)


def _explain_text(request: CutoutRequest, body: bytes) -> Outcome:
    opening = body[:400].strip()
    for refusal, final in _REFUSALS.items():
        if opening.lower().startswith(refusal):
            return Outcome(
                "bad_request", f"the service says {opening.decode(errors='replace')!r}", final=final
            )
    if opening.startswith(b"<") or opening.isascii():
        words = opening[:80].decode(errors="replace")
        return Outcome("server_error", f"a text came instead of an image: {words!r}")
    return Outcome("corrupt", f"the answer is not a {request.image_format.upper()} image")


def _validate_fits(request: CutoutRequest, body: bytes) -> Outcome:
    read = read_fits_header(body)
    if read is None:
        return Outcome("truncated", "the answer ends within the FITS header")
    header, start = read
    try:
        n_axes, depth = int(header["NAXIS"]), int(header["BITPIX"])
        # No more than are of use, as the number may be anything.
        axes = tuple(int(header[f"NAXIS{i}"]) for i in range(1, min(n_axes, 3) + 1))
    except (KeyError, ValueError):
        return Outcome("corrupt", "the FITS header does not describe an image")
    if depth != -32 or n_axes not in (2, 3) or min(axes) < 1:
        return Outcome("corrupt", f"expected 32-bit float planes, got BITPIX={depth} and NAXIS={n_axes}")
    if scaling := [key for key, plain in _SCALING.items() if _differs(header, key, plain)]:
        return Outcome("corrupt", f"expected fluxes as they are, got {' and '.join(scaling)}")
    n_values = math.prod(axes)
    complete = start + -(-4 * n_values // _BLOCK) * _BLOCK
    if len(body) < complete:
        return Outcome("truncated", f"{len(body)} of {complete} bytes came")
    wrong = (
        _check_size(request, axes[:2]) or _check_bands(request, header, axes) or _check_grid(request, header)
    )
    if wrong:
        return wrong
    pixels = np.frombuffer(body, ">f4", n_values, start).astype(np.float32)
    return _check_pixels(request, pixels.reshape(-1, axes[1] * axes[0]))


def _check_size(request: CutoutRequest, size: tuple[int, int]) -> Outcome | None:
    if size == (request.size, request.size):
        return None
    reason = f"asked for {request.size} x {request.size} pixels, got {size[0]} x {size[1]}"
    # The viewer clamps what it finds too large without a word; any other size is not an answer to the
    # request.
    clamped = max(size) < request.size
    return Outcome("bad_request" if clamped else "corrupt", reason, final=clamped)


def _differs(header: dict[str, str], keyword: str, plain: float) -> bool:
    try:
        return keyword in header and _number(header, keyword) != plain
    except ValueError:
        return True


def _check_bands(request: CutoutRequest, header: dict[str, str], axes: tuple[int, ...]) -> Outcome | None:
    n_planes = axes[2] if len(axes) == 3 else 1
    sent = header.get("BANDS", "").strip()
    one_by_one = "".join(header.get(f"BAND{plane}", "?").strip() for plane in range(min(n_planes, 16)))
    if sent and "?" not in one_by_one and one_by_one != sent:
        return Outcome("corrupt", f"the header names the bands {sent!r} and, one by one, {one_by_one!r}")
    sent = sent or one_by_one
    # Services that send band by band name none.
    if set(sent) == {"?"} and n_planes == len(request.bands):
        sent = request.bands
    if sent == request.bands and n_planes == len(sent):
        return None
    # One unknown letter makes the viewer fall back to all the default bands of the layer.
    reason = (
        f"asked for bands {request.bands!r}, got {sent!r} in {n_planes} planes: {request.layer} lacks a band"
    )
    return Outcome("band_missing", reason, final=True)


def _check_grid(request: CutoutRequest, header: dict[str, str]) -> Outcome | None:
    """Compare the gnomonic grid with what was asked, without building a WCS for each cutout."""
    try:
        ra, dec = _number(header, "CRVAL1"), _number(header, "CRVAL2")
        offset = [_number(header, f"CRPIX{i}") - (request.size + 1) / 2 for i in (1, 2)]
        scales = [abs(_scale(header, i)) * 3600 for i in (1, 2)]
    except (KeyError, ValueError):
        return Outcome("corrupt", "the FITS header has no celestial grid")
    east = (ra - request.ra + 180) % 360 - 180
    shift = [
        offset[0] + east * math.cos(math.radians(request.dec)) * 3600 / request.pixel_scale,
        offset[1] - (dec - request.dec) * 3600 / request.pixel_scale,
    ]
    if not math.hypot(*shift) <= _CENTRE_PIXELS * math.sqrt(2):
        return Outcome(
            "corrupt", f"the image is centred on {ra:.6f} {dec:+.6f}, {math.hypot(*shift):.1f} pixels away"
        )
    if not all(math.isclose(scale, request.pixel_scale, rel_tol=1e-3) for scale in scales):
        return Outcome("corrupt", f"asked for {request.pixel_scale:g} arcsec per pixel, got {scales[0]:g}")
    return None


def _scale(header: dict[str, str], axis: int) -> float:
    if f"CD{axis}_{axis}" in header:
        return _number(header, f"CD{axis}_{axis}")
    turned = _number(header, f"PC{axis}_{axis}") if f"PC{axis}_{axis}" in header else 1.0
    return _number(header, f"CDELT{axis}") * turned


def _number(header: dict[str, str], keyword: str) -> float:
    # FITS allows D for the exponent of a double.
    return float(header[keyword].replace("D", "E"))


def _check_pixels(request: CutoutRequest, planes: np.ndarray) -> Outcome:
    lowest, highest = planes.min(axis=1), planes.max(axis=1)
    if max(highest.max(), -lowest.min()) > LARGEST_FLUX:
        return Outcome("corrupt", f"pixels of up to {max(highest.max(), -lowest.min()):.1e} are no fluxes")
    # Where it has no data the viewer writes exact zeros; HiPS services write NaN.
    empty = planes == 0
    if not (np.isfinite(lowest) & np.isfinite(highest)).all():
        empty |= ~np.isfinite(planes)
    missing = np.array([np.count_nonzero(plane) for plane in empty]) / planes.shape[1]
    worst = float(missing.max())
    if missing.min() == 1:
        return Outcome("no_coverage", "no band has data here", zero_fraction=worst, final=True)
    if worst == 1:
        bands = "".join(band for band, fraction in zip(request.bands, missing, strict=True) if fraction == 1)
        return Outcome("band_missing", f"no data here in {bands}", zero_fraction=worst, final=True)
    if planes.shape[1] > 1 and (lowest == highest).any():
        return Outcome("corrupt", "a band holds one value everywhere", zero_fraction=worst)
    if worst > _NO_DATA_ALLOWED:
        band = request.bands[int(missing.argmax())]
        return Outcome("partial", f"{worst:.1%} of {band} without data", zero_fraction=worst, final=True)
    return Outcome("ok", zero_fraction=worst, final=True)


def _validate_jpeg(request: CutoutRequest, body: bytes) -> Outcome:
    if body.count(b"\xff\xda") > _MOST_SCANS:
        return Outcome("corrupt", f"the JPEG has more than {_MOST_SCANS} scans, each of which is decoded")
    try:
        # `Image.open` would warn of what is refused here.
        with JpegImageFile(io.BytesIO(body)) as image:
            # What the header claims would be allocated.
            if wrong := _check_size(request, image.size):
                return wrong
            pixels = np.asarray(image.convert("RGB"))
    # The decoder stumbles over faulty files in many ways.
    except Exception as error:
        status = "truncated" if b"\xff\xd9" not in body[-64:] else "corrupt"
        return Outcome(status, f"the JPEG cannot be decoded: {error}")
    if np.ptp(pixels) <= 2:
        level = int(np.median(pixels))
        if any(abs(level - grey) <= 2 for grey in _GREYS):
            return Outcome(
                "no_coverage", f"the image is uniformly grey ({level})", zero_fraction=1.0, final=True
            )
        return Outcome("corrupt", f"the image is uniform ({level})")
    return Outcome("ok", final=True)
