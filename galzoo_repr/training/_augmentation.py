"""Random views of galaxies, a whole batch at a time, on the device of the network."""

from dataclasses import asdict, dataclass

import torch
from torch.nn.functional import affine_grid, conv2d, grid_sample, pad

__all__ = ["Augmentation"]

# Binomial coefficients: close to a Gaussian of one pixel standard deviation.
_BLUR_KERNEL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
_STRENGTHS = ("shift", "blur", "noise", "brightness", "colour", "background", "gamma", "greyscale")


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """
    How widely the views of a galaxy differ that a network is trained to see alike.

    A galaxy keeps its morphology when it is turned, mirrored, shifted a little, seen through more atmosphere
    or with more noise. Every value is a largest change; zero switches a change off.

    Parameters
    ----------
    rotation : bool
        Turn by any angle.
    flip : bool
        Mirror every other image.
    zoom : tuple of float
        Smallest and largest magnification.
    shift : float
        Largest shift, as a fraction of the field of view.
    blur : float
        Largest share of the image that is replaced by one blurred with a point spread function of about one
        pixel standard deviation, from 0 to 1.
    noise : float
        Largest standard deviation of Gaussian noise, where white is 1.
    brightness : float
        Largest relative change of brightness.
    colour : float
        Largest relative change of one colour against the others.
    background : float
        Largest level that is added to a colour, or taken off it, where white is 1.
    gamma : float
        Largest change of the logarithm of the exponent of the brightness scale, as between stretches.
    greyscale : float
        Probability of losing all colour.

    Raises
    ------
    ValueError
        If a value is out of range.

    Examples
    --------
    >>> import torch
    >>> from galzoo_repr.training import Augmentation
    >>> field = torch.rand(4, 3, 64, 64)
    >>> generator = torch.Generator().manual_seed(0)
    >>> view = Augmentation(greyscale=1).apply(field, size=48, crop=0.75, generator=generator)
    >>> view.shape, bool((view[:, 0] == view[:, 2]).all())
    (torch.Size([4, 3, 48, 48]), True)
    """

    rotation: bool = True
    flip: bool = True
    zoom: tuple[float, float] = (0.85, 1.2)
    shift: float = 0.03
    blur: float = 0.8
    noise: float = 0.04
    brightness: float = 0.2
    colour: float = 0.1
    background: float = 0.02
    gamma: float = 0.2
    greyscale: float = 0.1

    def __post_init__(self) -> None:
        """Check the ranges."""
        object.__setattr__(self, "zoom", tuple(float(value) for value in self.zoom))
        if len(self.zoom) != 2 or not 0 < self.zoom[0] <= self.zoom[1]:
            raise ValueError(f"zoom is a smallest and a largest positive magnification, not {self.zoom}")
        for name in _STRENGTHS:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is between 0 and 1, not {getattr(self, name)!r}")

    @classmethod
    def none(cls) -> "Augmentation":
        """
        Switch every change off.

        Returns
        -------
        Augmentation

        Examples
        --------
        >>> import torch
        >>> from galzoo_repr.training import Augmentation
        >>> fields = torch.rand(2, 3, 64, 64)
        >>> view = Augmentation.none().apply(fields, size=48, crop=0.75, generator=torch.Generator())
        >>> torch.allclose(view, fields[:, :, 8:56, 8:56], atol=1e-5)
        True
        """
        return cls(
            rotation=False,
            flip=False,
            zoom=(1, 1),
            **dict.fromkeys(_STRENGTHS, 0),
        )

    def to_dict(self) -> dict:
        """
        Return all values, ready for JSON.

        Returns
        -------
        dict

        Examples
        --------
        >>> from galzoo_repr.training import Augmentation
        >>> facts = Augmentation(noise=0).to_dict()
        >>> facts["noise"], facts["zoom"], Augmentation(**facts) == Augmentation(noise=0)
        (0, [0.85, 1.2], True)
        """
        return {**asdict(self), "zoom": list(self.zoom)}

    def apply(
        self, fields: torch.Tensor, *, size: int, crop: float, generator: torch.Generator
    ) -> torch.Tensor:
        """
        Random view of each field.

        Parameters
        ----------
        fields : torch.Tensor
            Colour images of whole fields, uint8 or floating point in 0 to 1, shape (n, 3, h, w).
        size : int
            Pixels on each side of the view.
        crop : float
            Part of each side of the field that a view without zoom shows.
        generator : torch.Generator
            Source of all randomness, on the device of `fields`.

        Returns
        -------
        torch.Tensor
            float32 in 0 to 1, shape (n, 3, size, size).

        Examples
        --------
        >>> import torch
        >>> from galzoo_repr.training import Augmentation
        >>> fields = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
        >>> view = Augmentation().apply(fields, size=32, crop=0.75, generator=torch.Generator().manual_seed(0))
        >>> view.shape, view.dtype
        (torch.Size([4, 3, 32, 32]), torch.float32)
        """
        images = fields.float() / 255 if fields.dtype == torch.uint8 else fields.float()
        random = _Random(len(images), generator)
        grid = affine_grid(self._geometry(random, crop), [len(images), 3, size, size], align_corners=False)
        images = grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        if self.blur:
            images = torch.lerp(images, _blurred(images), random.uniform(0, self.blur))
        if self.noise:
            images += random.uniform(0, self.noise) * random.normal(images.shape)
        if self.brightness or self.colour:
            factor = 1 + random.uniform(-self.brightness, self.brightness)
            images *= factor * (1 + random.uniform(-self.colour, self.colour, channels=3))
        if self.background:
            images += random.uniform(-self.background, self.background, channels=3)
        images = images.clamp_(0, 1)
        if self.gamma:
            images = images.pow(random.uniform(-self.gamma, self.gamma).exp())
        if self.greyscale:
            grey = images.mean(1, keepdim=True).expand_as(images)
            images = torch.where(random.uniform(0, 1) < self.greyscale, grey, images)
        return images

    def _geometry(self, random: "_Random", crop: float) -> torch.Tensor:
        """Affine maps from places in the view to places in the field, shape (n, 2, 3)."""
        angle = random.uniform(0, 2 * torch.pi).flatten()
        if not self.rotation:
            angle = torch.zeros_like(angle)
        low, high = (torch.tensor(value).log().item() for value in self.zoom)
        scale = crop / random.uniform(low, high).flatten().exp()
        mirror = random.uniform(-1, 1).flatten().sign() if self.flip else torch.ones_like(angle)
        cos, sin = scale * angle.cos(), scale * angle.sin()
        # The field is 2 wide in these coordinates.
        shifts = [2 * random.uniform(-self.shift, self.shift).flatten() for _ in range(2)]
        rows = [
            torch.stack([mirror * cos, -sin, shifts[0]], 1),
            torch.stack([mirror * sin, cos, shifts[1]], 1),
        ]
        return torch.stack(rows, 1)


class _Random:
    """Random numbers of one generator, one for each image of a batch."""

    def __init__(self, n: int, generator: torch.Generator) -> None:
        self.n, self.generator = n, generator

    def uniform(self, low: float, high: float, *, channels: int = 1) -> torch.Tensor:
        shape = (self.n, channels, 1, 1)
        return low + (high - low) * torch.rand(shape, generator=self.generator, device=self.generator.device)

    def normal(self, shape: torch.Size) -> torch.Tensor:
        return torch.randn(shape, generator=self.generator, device=self.generator.device)


def _blurred(images: torch.Tensor) -> torch.Tensor:
    kernel = images.new_tensor(_BLUR_KERNEL).repeat(3, 1, 1, 1)
    images = pad(images, (2, 2, 2, 2), mode="replicate")
    return conv2d(conv2d(images, kernel, groups=3), kernel.transpose(2, 3), groups=3)
