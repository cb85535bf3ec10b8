"""A saved interest: ``interest.json`` and its arrays; nothing is pickled."""

from pathlib import Path

import numpy as np

from galzoo_repr._folder import FolderFormat, pack_arrays, unpack_arrays
from galzoo_repr.anomaly._gaussian_process import RatingProcess
from galzoo_repr.anomaly._raters import raters_as_rows, raters_of_rows
from galzoo_repr.catalogue import Beside, KnownGalaxies, Reduction

__all__ = ["LEARNED", "read_folder", "write_folder"]

FORMAT = FolderFormat(
    what="an interest",
    card="interest.json",
    arrays="arrays",
    stem="interest",
    needed=frozenset({"options", "scale", "process", "encoder"}),
)
LEARNED = ("reduction_", "process_", "scale_", "encoder_", "raters_", "known_", "beside_")
SCALARS = ("length_scale", "mixture", "linear", "amplitude", "stretch", "share", "scatter")


def write_folder(folder: Path, options: dict, learned: dict[str, object], *, overwrite: bool) -> None:
    """Write the options of a model and its attributes `LEARNED`."""
    process, known = learned["process_"], learned["known_"]
    about = {
        "options": options,
        "scale": learned["scale_"],
        "encoder": learned["encoder_"],
        "raters": raters_as_rows(learned["raters_"]),
        "process": {name: getattr(process, name) for name in SCALARS},
    }
    if learned["beside_"] is not None:
        about["beside"] = learned["beside_"].to_dict()
    parts = {} if known is None else {"known": known}
    arrays = pack_arrays(process=process, reduction=learned["reduction_"], **parts)
    FORMAT.save(folder, about, arrays, overwrite=overwrite)


def read_folder(folder: Path) -> tuple[dict, dict[str, object]]:
    """Read what `write_folder` wrote: options and attributes."""
    about, arrays = FORMAT.load(folder, lambda about, path: (about, unpack_arrays(path)))
    if "kernel" in about["process"]:
        _from_an_earlier_version(about, arrays["process"])
    options = about["options"]
    options["rating_scale"] = options["rating_scale"] and tuple(options["rating_scale"])
    learned = {
        "reduction_": Reduction(**arrays["reduction"]),
        "process_": RatingProcess(**arrays["process"], **about["process"]),
        "scale_": tuple(about["scale"]),
        "encoder_": about["encoder"],
        "raters_": raters_of_rows(about.get("raters", [])),
        "known_": KnownGalaxies(**arrays["known"]) if "known" in arrays else None,
        "beside_": Beside.from_dict(about["beside"]) if "beside" in about else None,
    }
    return options, learned


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
