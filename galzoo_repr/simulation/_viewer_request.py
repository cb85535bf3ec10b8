"""The Legacy Survey viewer's cutout requests: layers, parameters, their defaults, how it reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from galzoo_repr.simulation._reply import Reply

__all__ = ["LAYERS", "Layer", "ViewerRequest", "read_request", "text_reply"]

NATIVE_SCALE = 0.262
_NATIVE_ZOOM = 14
_MAX_SIZE = 3000
_DEFAULT_LAYER = "ls-dr9"


@dataclass(frozen=True)
class Layer:
    """
    An image layer of the viewer.

    Attributes
    ----------
    version : str
        Data release, as in the ``VERSION`` keyword.
    bands : str
        Bands that can be asked for.
    default : str
        Bands sent when none, or any that does not exist, is asked for.
    half : str
        ``"north"`` or ``"south"`` where the layer is one half of the survey alone, else empty.
    content : str
        ``"image"``, ``"model"`` or ``"resid"``.
    zero_point : float
        AB magnitude of one count.
    native_scale : float
        Size of the pixel that counts are per, arcsec.
    """

    version: str
    bands: str
    default: str
    half: str = ""
    content: str = "image"
    zero_point: float = 22.5
    native_scale: float = NATIVE_SCALE

    @property
    def count(self) -> float:
        """Nanomaggies per pixel of 0.262 arcsec in one count."""
        return 10 ** (0.4 * (22.5 - self.zero_point)) * (NATIVE_SCALE / self.native_scale) ** 2


LAYERS = {
    "ls-dr9": Layer("DR9", "grz", "grz"),
    "ls-dr9-north": Layer("DR9", "grz", "grz", "north"),
    "ls-dr9-south": Layer("DR9", "grz", "grz", "south"),
    "ls-dr10": Layer("DR10", "griz", "griz"),
    "ls-dr10-grz": Layer("DR10", "grz", "grz"),
    "ls-dr10-gri": Layer("DR10", "gri", "gri"),
    "ls-dr10-south": Layer("DR10", "griz", "griz", "south"),
    "ls-dr10-south-grz": Layer("DR10", "grz", "grz", "south"),
    "ls-dr10-south-gri": Layer("DR10", "gri", "gri", "south"),
    "ls-dr11": Layer("DR11", "griz", "grz"),
    "ls-dr11-north": Layer("DR11", "grz", "grz", "north"),
    "ls-dr11-south": Layer("DR11", "griz", "grz", "south"),
    "ls-dr11-south-gri": Layer("DR11", "gri", "gri", "south"),
    "ls-dr11-south-griz": Layer("DR11", "griz", "griz", "south"),
    # Other surveys, as far as their counts go: the sky is the same.
    "sdss": Layer("SDSS", "gri", "gri", native_scale=0.396),
    "des-dr1": Layer("DR1", "grz", "grz", native_scale=0.263),
    "ps1": Layer("PS1", "gri", "gri", native_scale=0.25),
    "hsc-dr3": Layer("HSC", "grz", "grz", zero_point=27.0, native_scale=0.168),
}
LAYERS |= {
    f"{name}-{content}": replace(LAYERS[name], content=content)
    for name in ("ls-dr9", "ls-dr9-north", "ls-dr9-south", "ls-dr10", "ls-dr10-south")
    for content in ("model", "resid")
}


@dataclass(frozen=True)
class ViewerRequest:
    """
    One cutout as the viewer understands the request.

    Attributes
    ----------
    layer : Layer
        The image layer.
    ra, dec : float
        Centre, degrees.
    width, height : int
        Pixels, at most 3000 whatever was asked for.
    pixel_scale : float
        Arcsec per pixel.
    bands : str
        Bands, those of the layer if any of those asked for does not exist.
    invvar, maskbits, subimage : bool
        Flags.
    rotate : float
        Degrees from north towards east that the image is turned by.
    """

    layer: Layer
    ra: float
    dec: float
    width: int
    height: int
    pixel_scale: float
    bands: str
    invvar: bool = False
    maskbits: bool = False
    subimage: bool = False
    rotate: float = 0.0


def read_request(query: Mapping[str, str]) -> ViewerRequest | Reply:
    """
    Read the parameters of a cutout as the viewer does.

    Parameters
    ----------
    query : mapping of str to str
        Parameters of the URL.

    Returns
    -------
    ViewerRequest or Reply
        What is asked for, or the viewer's answer where it answers at once: code 200 with ``no such layer``
        for an unknown layer, code 400 without a position.

    Raises
    ------
    ValueError
        A parameter that is no number or makes no sense, on which the viewer fails with code 500.

    Examples
    --------
    >>> from galzoo_repr.simulation._viewer_request import read_request
    >>> request = read_request({"ra": "150", "dec": "2", "size": "5000", "bands": "griz"})
    >>> request.width, request.bands, request.pixel_scale
    (3000, 'grz', 0.262)
    >>> read_request({"ra": "150", "dec": "2", "layer": "dr99"}).body
    b'no such layer'
    """
    layer = LAYERS.get(query.get("layer", _DEFAULT_LAYER))
    if layer is None:
        return text_reply(200, "no such layer")
    if "ra" not in query or "dec" not in query:
        return text_reply(400, "Need ra,dec keywords")
    if "rotate" in query and not layer.half:
        raise ValueError("the viewer turns no cutouts of layers that join two halves")
    rotate = float(query.get("rotate", 0))
    ra, dec = float(query["ra"]), float(query["dec"])
    pixel_scale = float(query.get("pixscale", NATIVE_SCALE))
    if "pixscale" not in query and "zoom" in query:
        pixel_scale *= 2.0 ** (_NATIVE_ZOOM - int(query["zoom"]))
    size = min(int(query.get("size", 256)), _MAX_SIZE)
    width, height = (min(int(query.get(name, size)), _MAX_SIZE) for name in ("width", "height"))
    if width < 1 or height < 1:
        raise ValueError(f"no image has {width} x {height} pixels")
    if not -90 <= dec <= 90 or not abs(ra) < float("inf") or not 0 < pixel_scale < float("inf"):
        raise ValueError(f"no such position or pixel scale: {ra}, {dec}, {pixel_scale}")
    if not abs(rotate) < float("inf"):
        raise ValueError(f"no such angle: {rotate}")
    bands = query.get("bands", layer.default)
    if not bands or not set(bands) <= set(layer.bands):
        bands = layer.default
    flags = {name: name in query for name in ("invvar", "maskbits", "subimage")}
    return ViewerRequest(layer, ra, dec, width, height, pixel_scale, bands, **flags, rotate=rotate)


def text_reply(status: int, text: str) -> Reply:
    """
    Send a line of text as HTML, as the viewer does.

    Parameters
    ----------
    status : int
        HTTP status code.
    text : str
        The line.

    Returns
    -------
    Reply
        The reply.
    """
    return Reply(status, "text/html; charset=utf-8", text.encode())
