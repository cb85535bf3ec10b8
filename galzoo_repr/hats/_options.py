"""Options of verbs by partition: what has no meaning there, what goes to other processes, and a word in time."""

import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from astropy.coordinates import SkyCoord
from astroquery.exceptions import LargeQueryWarning

from galzoo_repr._arguments import check_number
from galzoo_repr._folder import locked
from galzoo_repr.hats._folder import HatsFolder
from galzoo_repr.hats._job import Job

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["check_options", "name_bulk_route", "sendable"]

# Galaxies above which single images are asked for by nobody who knows better.
_LARGE = 10_000


def name_bulk_route(folder: HatsFolder, survey: object, max_rate: float | None) -> None:
    """Say of a large catalogue, whatever part of it is done here, that single images are not the way to have it."""
    from galzoo_repr.cutouts import LegacySurvey

    rows = folder.size
    survey = LegacySurvey() if survey is None else survey
    rate = max_rate or getattr(survey, "rate", np.inf)
    if rows <= _LARGE or getattr(survey, "route", "") == "bricks" or rate == np.inf:
        return
    warnings.warn(
        f"the catalogue has {rows} galaxies, whose images are to be fetched one by one from a service that everybody "
        f"shares: {rows / rate / 86400:.1f} days at {rate:g} per second. Above {_LARGE} galaxies read whole coadds, "
        "from a copy on a shared file system if there is one: survey=galzoo_repr.cutouts.BrickSurvey(server=FOLDER). "
        "Images that are kept are not fetched again.",
        LargeQueryWarning,
        stacklevel=4,
    )


def check_options(options: Mapping[str, object], max_rate: float | None = None) -> None:
    """Refuse what has no meaning by partition, or another one than for the whole catalogue."""
    if max_rate is not None:
        check_number("max_rate", max_rate, above=True)
    if options.get("beside") is not None:
        raise ValueError(
            "beside= scales columns by their spread in the whole catalogue, which is not known by partition; leave it "
            "out, or read the galaxies of a region as a table by from_hats; for scores, fit_interest takes it with "
            "such a table, and the model that it gives reads the columns here"
        )
    for name, value in options.items():
        if callable(getattr(getattr(value, "recipe", value), "stretch", None)):
            raise ValueError(
                f"the recipe of {name}= has a function as its stretch, which other processes cannot tell from another: "
                "this work could not go on, nor its embeddings be compared; use a stretch that has a name"
            )
    images, coords, fov = (options.get(name) for name in ("images", "coords", "fov"))
    if images is not None and not isinstance(images, str):
        raise ValueError(
            "images must be the name of a column, for a catalogue that is worked on by partition"
        )
    if isinstance(coords, SkyCoord):
        raise ValueError("coords must be names of columns, for a catalogue that is worked on by partition")
    if np.ndim(getattr(fov, "value", 0)):
        raise ValueError("fov must be one angle, for a catalogue that is worked on by partition")


def sendable(
    call: str, options: Mapping[str, object], job: Job, client: "Client | None"
) -> dict[str, object]:
    """Options as other processes can take them: a network as the folder it is saved in."""
    options = {**options, "progress": False}
    if call != "add_predictions":  # which is told of positions only where it embeds
        options.setdefault("coords", None)
    if client is None:
        return options
    for name in ("encoder", "model"):
        thing = options.get(name)
        if hasattr(thing, "save"):
            place = job.hidden / f"{name}-{str(getattr(thing, 'digest', ''))[:12]}"
            with locked(place):
                if not place.exists():
                    draft = place.with_name(f"{place.name}.part")
                    shutil.rmtree(draft, ignore_errors=True)  # of a process that was killed
                    thing.save(draft)
                    draft.rename(place)
            options[name] = str(Path(place).resolve())
    return options
