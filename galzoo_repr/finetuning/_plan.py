"""How to fine-tune an encoder, checked before anything heavy is imported."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from galzoo_repr._arguments import check_number, check_whole_number

if TYPE_CHECKING:
    from galzoo_repr.training import Augmentation

__all__ = ["TuningPlan", "check_depth"]


def check_depth(depth: object) -> None:
    """Refuse, with a `ValueError`, what is no depth of fine-tuning below the head."""
    whole = isinstance(depth, int) and not isinstance(depth, bool) and depth >= 1
    if not whole and depth != "all":
        raise ValueError(f"depth must be 'head', 'all' or a number of blocks from 1, not {depth!r}")


@dataclass(frozen=True, kw_only=True)
class TuningPlan:
    """
    How to fine-tune.

    Attributes
    ----------
    depth : int or "all"
        Blocks that are trained, counted from the top.
    epochs : int
        At most so many times all images are shown.
    batch_size : int
    learning_rate : float
        Of the head and of the last block.
    layer_decay : float
        Factor of the learning rate from each block to the one below it.
    weight_decay : float
    patience : int
        Epochs without improvement of the held-out loss before it stops.
    seed : int
    augmentation : Augmentation
        Its own defaults, when not given.
    """

    depth: int | str
    epochs: int = 40
    batch_size: int = 32
    learning_rate: float = 3e-4
    layer_decay: float = 0.75
    weight_decay: float = 0.05
    patience: int = 6
    seed: int = 0
    augmentation: "Augmentation | None" = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_depth(self.depth)
        for name, low in (("epochs", 1), ("batch_size", 2), ("patience", 1), ("seed", 0)):
            object.__setattr__(self, name, check_whole_number(name, getattr(self, name), low))
        for name in ("learning_rate", "layer_decay", "weight_decay"):
            check_number(name, getattr(self, name), 0, 1, above=name != "weight_decay")
        if self.augmentation is None:
            # Last, as torch comes with it.
            from galzoo_repr.training import Augmentation

            object.__setattr__(self, "augmentation", Augmentation())

    def to_dict(self) -> dict:
        """All values, ready for JSON."""
        return {**asdict(self), "augmentation": self.augmentation.to_dict()}
