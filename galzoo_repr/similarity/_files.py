"""An index in a folder: plain arrays and a JSON file, replaced last, that says which of them belong to it."""

import json
import os
import shutil
import uuid
from pathlib import Path

import numpy as np

from galzoo_repr.catalogue import Reduction
from galzoo_repr.similarity._segments import Segment
from galzoo_repr.similarity._space import Space

__all__ = ["read_arrays", "read_contents", "read_segment", "read_space", "write_arrays", "write_contents"]
__all__ += ["new_folder", "put_in_place", "write_segment", "write_space"]

FORMAT_VERSION = 1
_CONTENTS = "index.json"
_FIELDS = ("vectors", "ids", "rows", "positions")


def new_folder(folder: Path, *, overwrite: bool) -> Path:
    """
    Make a folder beside the one wanted, to be moved into its place once it is complete.

    Parameters
    ----------
    folder : pathlib.Path
        Where the index shall be.
    overwrite : bool
        Whether an index that is there may be replaced.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    FileExistsError
        If there is something that may not be replaced.
    """
    if folder.exists() and not (overwrite and (folder / _CONTENTS).is_file()):
        reason = "give overwrite=True to replace it" if (folder / _CONTENTS).is_file() else "it is no index"
        raise FileExistsError(f"{folder} exists already; {reason}")
    fresh = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    fresh.mkdir(parents=True)
    return fresh


def write_segment(folder: Path, name: str, segment: Segment) -> dict[str, object]:
    """
    Write the arrays of one segment.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the index.
    name : str
        Name of the segment.
    segment : Segment
        What to write.

    Returns
    -------
    dict
        Its entry in the contents.
    """
    for field in _FIELDS:
        np.save(folder / f"{field}-{name}.npy", getattr(segment, field), allow_pickle=False)
    return {"name": name, "rows": len(segment)}


def read_segment(folder: Path, entry: dict[str, object]) -> Segment:
    """
    Open one segment, its vectors memory-mapped.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the index.
    entry : dict
        Its entry in the contents.

    Returns
    -------
    Segment

    Raises
    ------
    ValueError
        If a file is missing, broken or of another length.
    """
    arrays = []
    for field in _FIELDS:
        path = folder / f"{field}-{entry['name']}.npy"
        try:
            # Copy on write: torch wants arrays that could be written to, and the file is never touched.
            array = np.load(path, mmap_mode="c" if field == "vectors" else None, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(
                f"the index is damaged: {path} cannot be read ({error}); build it again"
            ) from error
        if len(array) != entry["rows"]:
            raise ValueError(
                f"the index is damaged: {path} has {len(array)} rows, not {entry['rows']}; build it again"
            )
        arrays.append(array)
    return Segment(*arrays)


def write_arrays(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """
    Write arrays by name.

    Parameters
    ----------
    folder : pathlib.Path
        Made if it does not exist.
    arrays : dict of numpy.ndarray
        What to write.
    """
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def read_arrays(folder: Path) -> dict[str, np.ndarray]:
    """
    Open all arrays of a folder, memory-mapped.

    Parameters
    ----------
    folder : pathlib.Path
        Written by `write_arrays`.

    Returns
    -------
    dict of numpy.ndarray
    """
    # Copy on write, as compiled code wants arrays that could be written to; and plain arrays, not memory maps.
    paths = sorted(folder.glob("*.npy"))
    return {path.stem: np.asarray(np.load(path, mmap_mode="c", allow_pickle=False)) for path in paths}


def write_space(folder: Path, space: Space) -> dict[str, object]:
    """
    Write the space in which galaxies are compared.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the index.
    space : Space
        What to write.

    Returns
    -------
    dict
        Its entry in the contents.
    """
    if space.reduction is not None:
        write_arrays(folder / "reduction", dict(vars(space.reduction)))
    if space.centre is not None:
        write_arrays(folder / "centre", {"centre": space.centre})
    return {
        "metric": space.metric,
        "reduced": space.reduction is not None,
        "centred": space.centre is not None,
    }


def read_space(folder: Path, entry: dict[str, object]) -> Space:
    """
    Read the space in which galaxies are compared.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the index.
    entry : dict
        Its entry in the contents.

    Returns
    -------
    Space
    """
    reduction = Reduction(**read_arrays(folder / "reduction")) if entry["reduced"] else None
    centre = read_arrays(folder / "centre")["centre"] if entry["centred"] else None
    return Space(entry["metric"], reduction, centre)


def write_contents(folder: Path, contents: dict[str, object]) -> None:
    """
    Publish what belongs to an index, all at once.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the index.
    contents : dict
        Of numbers, text, lists and dicts.
    """
    draft = folder / f".{_CONTENTS}.{uuid.uuid4().hex[:8]}"
    draft.write_text(json.dumps({"format_version": FORMAT_VERSION, **contents}, indent=1))
    os.replace(draft, folder / _CONTENTS)


def read_contents(folder: Path) -> dict[str, object]:
    """
    Read what belongs to an index.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the index.

    Returns
    -------
    dict

    Raises
    ------
    FileNotFoundError
        If there is no index.
    ValueError
        If it was written by a later version of the package, or is damaged.
    """
    path = folder / _CONTENTS
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no similarity index (no {_CONTENTS})")
    try:
        contents = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"the index is damaged: {path} cannot be read ({error}); build it again") from error
    if contents.get("format_version") != FORMAT_VERSION:
        raise ValueError(
            f"{folder} has format {contents.get('format_version')!r}, this version of galzoo_repr reads "
            f"{FORMAT_VERSION}; build the index again"
        )
    return contents


def put_in_place(fresh: Path, folder: Path) -> None:
    """
    Move a complete new folder to where the index shall be.

    Parameters
    ----------
    fresh : pathlib.Path
        From `new_folder`.
    folder : pathlib.Path
        Where to move it.
    """
    if folder.exists():
        old = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.old")
        os.replace(folder, old)
        os.replace(fresh, folder)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(fresh, folder)
