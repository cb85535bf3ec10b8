"""A saved interest: ``interest.json`` and its arrays; nothing is pickled."""

from pathlib import Path

import numpy as np

from galzoo_repr._folder import FolderFormat, pack_arrays, unpack_arrays
from galzoo_repr.anomaly._gaussian_process import RatingProcess
from galzoo_repr.catalogue import KnownGalaxies, Reduction

__all__ = ["read_folder", "write_folder"]

FORMAT = FolderFormat(
    what="an interest",
    card="interest.json",
    arrays="arrays",
    stem="interest",
    needed=frozenset({"options", "scale", "process", "encoder"}),
)
SCALARS = ("length_scale", "mixture", "linear", "amplitude", "stretch", "share", "scatter")


def write_folder(
    folder: Path, about: dict, process: RatingProcess, *, overwrite: bool, **parts: Reduction | KnownGalaxies
) -> None:
    """Write the entries of the card, the process and the arrays of other parts."""
    scales = {name: getattr(process, name) for name in SCALARS}
    arrays = pack_arrays(process=process, **parts)
    FORMAT.save(folder, {**about, "process": scales}, arrays, overwrite=overwrite)


def read_folder(folder: Path) -> tuple[dict, dict[str, dict[str, np.ndarray]]]:
    """Entries of the card, and arrays by part and field."""
    about, arrays = FORMAT.load(folder, lambda about, path: (about, unpack_arrays(path)))
    if "kernel" in about["process"]:
        _from_an_earlier_version(about, arrays["process"])
    return about, arrays


def _from_an_earlier_version(about: dict, process: dict[str, np.ndarray]) -> None:
    """Bring a model that was saved when its process was always that of the paper to what it is now."""
    if about["process"].pop("kernel") != "rational_quadratic":
        raise ValueError(
            "this interest was saved with a Matern kernel, which this galzoo_repr no longer has; fit it again to the "
            "same ratings"
        )
    process["noise"] = about["process"].pop("noise") + process.pop("variance")
    options = {
        name: value for name, value in about["options"].items() if name not in ("kernel", "max_length")
    }
    about["options"] = {"method": "paper", **options}
