"""Settings and arguments that can be meant, and what to say of those that cannot."""

import ipaddress
import math
import re
import string
from collections.abc import Callable
from numbers import Integral, Real
from urllib.parse import urlsplit

import astropy.units as u

from galzoo_repr._angle import AngleLike, read_angle
from galzoo_repr._arguments import check_choice, check_number, check_path
from galzoo_repr._config import conf

__all__ = [
    "KEEP",
    "check_bands",
    "check_keep",
    "check_max_size",
    "check_pixel_scale",
    "check_setting",
    "check_size",
    "check_text",
    "check_url",
    "configuration_faults",
    "is_loopback",
]

KEEP = ("fits", "jpeg", "none")
_BYTES = re.compile(r"(?<=[ kMGTPi\d])[bB]$")
_LOWER = {"kb", "mb", "gb", "tb"}
_FINEST_SCALE = 0.001
_DAY = 86_400
_NUMBERS = {
    "timeout": (f"a positive number of seconds, up to {_DAY}", Real, _DAY),
    "rate": ("requests per second, or 0 for the usual number", Real, math.inf),
    # The viewer serves the whole world with as many threads.
    "workers": ("a whole number from 1 to 64", Integral, 64),
}


def check_setting(name: str, value: float | None, *, given: str = "") -> float | None:
    """Give a setting back, refusing what is no such number; ``given`` is the name it was given under."""
    if value is None:
        return None
    meaning, kind, most = _NUMBERS[name]
    given = given or name
    if not isinstance(value, kind) or isinstance(value, bool):
        raise TypeError(f"{given}={value!r} is not {meaning}")
    if not (0 < value <= most or (name == "rate" and value == 0)):
        raise ValueError(f"{given}={value!r} is not allowed; give {meaning}")
    return value


def check_keep(value: str | None) -> str:
    """What to keep of cutouts, as given or as configured."""
    if value is None:
        return check_choice("conf.keep", conf.keep, KEEP)
    return check_choice("keep", value, KEEP)


def check_max_size(value: u.Quantity | str | None) -> float | None:
    """Bytes of a size as given or as configured; None for no limit."""
    name = "max_size" if value is not None else "conf.max_cache_size"
    value = conf.max_cache_size if value is None else value
    if isinstance(value, str):
        if not value.strip():
            return None
        try:
            # Units tell M from m; nobody who writes 20 gb means anything but 20 GB.
            text = value.strip()
            text = text.upper().replace("K", "k") if text[-2:].lower() in _LOWER else text
            value = u.Quantity(_BYTES.sub("byte", text))
        except (TypeError, ValueError):
            raise ValueError(f"{name}={value!r} cannot be read; give a size such as '20 GB'") from None
    if not isinstance(value, u.Quantity) or not value.unit.is_equivalent(u.byte) or not value.isscalar:
        raise TypeError(f"{name}={value!r} is no amount of data; give a size such as '20 GB'")
    size = float(value.to_value(u.byte))
    if not 0 < size < math.inf:
        raise ValueError(f"{name}={value} is not allowed; give a size above 0, such as '20 GB'")
    return size


def check_text(name: str, value: str | None, meaning: str) -> str | None:
    """Give a setting back, refusing what is no text."""
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{name}={value!r} is not {meaning}, as text")
    return value


def check_url(name: str, value: str | None) -> str | None:
    """Give an address back, refusing what is none."""
    check_text(name, value, "the URL of the service")
    if value:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(
                f"{name}={value!r} is not the URL of a service; give one with http:// or https://"
            )
    return value


def check_pixel_scale(pixel_scale: AngleLike) -> float:
    """Arcsec per pixel of an angle, refusing plain numbers."""
    pixel_scale = read_angle(pixel_scale, "pixel_scale", example="0.262 arcsec")
    if not pixel_scale.isscalar:
        raise ValueError(f"pixel_scale={pixel_scale!r} is not allowed; give one angle for all images")
    scale = float(pixel_scale.to_value(u.arcsec))
    if not (math.isfinite(scale) and scale >= _FINEST_SCALE):
        raise ValueError(
            f"pixel_scale={pixel_scale} is not allowed; it must be positive, at least {_FINEST_SCALE} arcsec"
        )
    return scale


def check_size(size: float, scale: float, *, most: int, widest: float, service: str) -> int:
    """
    Pixels on a side as an int, refusing what the service cannot make.

    ``scale`` is in arcsec per pixel, ``widest`` the largest field in degrees.
    """
    if not isinstance(size, Real) or isinstance(size, bool):
        raise TypeError(f"size={size!r} is not a number of pixels; give a whole number, such as 256")
    if not (float(size).is_integer() and 1 <= size <= most):
        raise ValueError(
            f"size={size} is not allowed: {service} makes images of 1 to {most} pixels on a side; use a larger "
            "pixel_scale"
        )
    if size * scale > widest * 3600:
        raise ValueError(
            f"a field of {size * scale / 3600:.4g} deg is not allowed: {service} makes images of up to "
            f"{widest:g} deg on a side; use a smaller size or pixel_scale"
        )
    return int(size)


def check_bands(bands: str) -> None:
    """Refuse what is not a string of different letters."""
    letters = isinstance(bands, str) and bands and set(bands) <= set(string.ascii_letters)
    if not letters or len(set(bands)) != len(bands):
        raise ValueError(
            f"bands={bands!r} is not allowed; give one letter per band, such as 'grz', none twice"
        )


def is_loopback(url: str) -> bool:
    """Whether a service runs on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def configuration_faults() -> list[str]:
    """
    What is wrong with the settings of ``galzoo_repr.cfg`` and the environment, which the next call would refuse.

    Returns
    -------
    list of str
        A sentence for each; empty if nothing is wrong.

    Examples
    --------
    >>> from galzoo_repr import conf
    >>> from galzoo_repr.cutouts import configuration_faults
    >>> configuration_faults()
    []
    >>> with conf.set_temp("keep", "png"):
    ...     configuration_faults()
    ["conf.keep='png' is not one of 'fits', 'jpeg', 'none'"]
    """

    def number(kind: str) -> Callable[[str, object], object]:
        return lambda given, value: check_setting(kind, value, given=given)

    checks = {
        "cache_dir": lambda _, value: check_path(value, "the cache"),
        "keep": lambda *_: check_keep(None),
        "max_cache_size": lambda *_: check_max_size(None),
        "timeout": number("timeout"),
        "workers": number("workers"),
        **dict.fromkeys(("viewer_rate", "hips_rate", "brick_rate"), number("rate")),
        **dict.fromkeys(("viewer_server", "hips_server", "moc_server"), check_url),
        **dict.fromkeys(("mapped_above", "reductions_size"), check_number),
    }
    faults = []
    for name, of in checks.items():
        try:
            of(f"conf.{name}", getattr(conf, name))
        # astropy raises TypeError for a value in its file of another type.
        except (TypeError, ValueError) as error:
            faults.append(str(error))
    return faults
