"""Settings of a service for cutouts: given, configured, or what its keepers ask."""

import math
from collections.abc import Mapping
from dataclasses import replace

import astropy.units as u

from galzoo_repr._config import conf
from galzoo_repr.cutouts._checks import check_setting, check_text, check_url, is_loopback
from galzoo_repr.cutouts._coverage import Coverage
from galzoo_repr.cutouts._flux_scales import (
    FluxScale,
    ZeroPoint,
    check_native_scale,
    check_zero_point,
    known_scale,
)

__all__ = ["ServiceSettings"]


class ServiceSettings:
    """The settings that all services have, as attributes that can be assigned."""

    route: str
    _conf_server: str
    _conf_layer: str
    _conf_rate: str
    _keepers_rate: float
    _max_size: int
    max_field = 10.0
    """Largest field, degrees: three times that of the largest galaxy in the surveys."""
    _formats: Mapping[str, str]

    @property
    def server(self) -> str:
        """Base URL of the service."""
        return (self._server or getattr(conf, self._conf_server)).rstrip("/")

    @server.setter
    def server(self, url: str | None) -> None:
        self._server = check_url("server", url)

    @property
    def layer(self) -> str:
        """Image layer asked for when a call names none."""
        return self._layer or getattr(conf, self._conf_layer)

    @layer.setter
    def layer(self, name: str | None) -> None:
        self._layer = check_text("layer", name, "the name of an image layer")

    @property
    def timeout(self) -> float:
        """Seconds for one whole exchange."""
        return self._timeout or check_setting("timeout", conf.timeout, given="conf.timeout")

    @timeout.setter
    def timeout(self, seconds: float | None) -> None:
        self._timeout = check_setting("timeout", seconds)

    @property
    def rate(self) -> float:
        """Requests per second at most."""
        rate = self._rate or check_setting(
            "rate", getattr(conf, self._conf_rate), given=f"conf.{self._conf_rate}"
        )
        if rate:
            return rate
        return math.inf if is_loopback(self.server) else self._keepers_rate

    @rate.setter
    def rate(self, per_second: float | None) -> None:
        self._rate = check_setting("rate", per_second)

    @property
    def workers(self) -> int:
        """Requests at once at most."""
        return self._workers or check_setting("workers", conf.workers, given="conf.workers")

    @workers.setter
    def workers(self, n: int | None) -> None:
        self._workers = check_setting("workers", n)

    @property
    def coverage(self) -> Coverage | None:
        """Where the survey has data."""
        return self._coverage

    @coverage.setter
    def coverage(self, coverage: Coverage | None) -> None:
        if coverage is not None and not isinstance(coverage, Coverage):
            raise TypeError(
                f"coverage={coverage!r} is no coverage; give a Coverage, such as Coverage.from_server('grz')"
            )
        self._coverage = coverage

    @property
    def image_format(self) -> str:
        """Format asked for when a call names none."""
        return self._image_format

    @image_format.setter
    def image_format(self, image_format: str) -> None:
        self._image_format = self._known_format(image_format)

    @property
    def zero_point(self) -> float | dict[str, float] | None:
        """AB magnitude of one count as given, in all bands or by band; None where the layer tells."""
        return self._zero_point

    @zero_point.setter
    def zero_point(self, zero_point: ZeroPoint | None) -> None:
        self._zero_point = check_zero_point(zero_point)

    @property
    def native_scale(self) -> u.Quantity | None:
        """Size of the pixel that counts are per, as given; None where the layer tells."""
        return None if self._native_scale is None else self._native_scale * u.arcsec

    @native_scale.setter
    def native_scale(self, native_scale: u.Quantity | None) -> None:
        self._native_scale = check_native_scale(native_scale)

    @property
    def flux_scale(self) -> FluxScale | None:
        """What one count of the layer is: as given, or as documented; None where it is not known."""
        scale = known_scale(self.route, self.layer)
        if self._zero_point is not None:
            given = {"zero_point": self._zero_point, "source": "given by the caller"}
            scale = FluxScale(self._zero_point) if scale is None else replace(scale, **given)
        if self._native_scale is not None and scale is not None:
            scale = replace(scale, native_scale=self._native_scale)
        return scale

    def _known_layer(self, layer: str) -> str:
        """Give a layer back, refusing it where it is known not to exist."""
        return layer

    def _known_format(self, image_format: str) -> str:
        if image_format not in list(self._formats):
            allowed = " or ".join(map(repr, self._formats))
            raise ValueError(
                f"image_format={image_format!r} is unknown; {type(self).__name__} knows {allowed}"
            )
        return image_format
