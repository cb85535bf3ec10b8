"""State of a training run on disk, written so that a killed process leaves the old or the new one."""

import json
from pathlib import Path

import torch

from galzoo_repr._config import log
from galzoo_repr._folder import publish, published, read_json
from galzoo_repr._torch_file import read_torch_file

__all__ = ["BEST", "begin_run", "end_run", "is_finished", "read_checkpoint", "write_checkpoint"]

_CHECKPOINT = "checkpoint.pt"
_RUN = "run.json"
_FINISHED = "encoder.json"
BEST = "best.safetensors"
"""File of the best weights so far."""


def write_checkpoint(folder: Path, state: dict) -> None:
    """
    Write nested dictionaries and lists of tensors, numbers and strings, from which training goes on.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from galzoo_repr.training import write_checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_checkpoint(Path(folder), {"epoch": 3, "weights": [torch.zeros(2)]})
    ...     [path.name for path in Path(folder).iterdir()]
    ['checkpoint.pt']
    """
    with published(folder / _CHECKPOINT) as draft:
        torch.save(state, draft)


def read_checkpoint(folder: Path) -> dict | None:
    """
    Read what `write_checkpoint` wrote, onto the CPU, or None if there is nothing; a `ValueError` if it is damaged.

    Nothing is unpickled but tensors and plain values.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import torch
    >>> from galzoo_repr.training import read_checkpoint, write_checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     print(read_checkpoint(Path(folder)))
    ...     write_checkpoint(Path(folder), {"epoch": 3, "weights": [torch.zeros(2)]})
    ...     print(read_checkpoint(Path(folder)))
    None
    {'epoch': 3, 'weights': [tensor([0., 0.])]}
    """
    path = folder / _CHECKPOINT
    if not path.exists():
        return None
    try:
        return read_torch_file(path)
    except ValueError as error:
        raise ValueError(f"the checkpoint {path} is damaged; start again with resume=False") from error


def begin_run(folder: Path, facts: dict, *, resume: bool) -> None:
    """
    Note in a folder, made if need be, what a run is about: all that decides the outcome, as plain values.

    With `resume` it continues a run that is there; otherwise that is forgotten. A `ValueError` if the folder holds a
    run with other facts, or an encoder from elsewhere, which may not be forgotten.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from galzoo_repr.training import begin_run
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     begin_run(Path(folder), {"epochs": 10}, resume=True)
    ...     begin_run(Path(folder), {"epochs": 20}, resume=True)
    Traceback (most recent call last):
    ValueError: ... holds a training run with other settings (epochs was 10, now 20); ...
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / _RUN
    facts = json.loads(json.dumps(facts))
    if resume and path.exists():
        known = read_json(path)
        differing = [key for key in facts if known.get(key) != facts[key]]
        if differing:
            changes = (f"{key} was {_short(known.get(key))}, now {_short(facts[key])}" for key in differing)
            raise ValueError(
                f"{folder} holds a training run with other settings ({'; '.join(changes)}); "
                "give another output folder, the old settings, or resume=False to start again"
            )
        log.info("continuing the training run in %s", folder)
        return
    if resume and is_finished(folder):
        raise ValueError(
            f"{folder} holds an encoder already; give another folder, or resume=False to replace it"
        )
    for name in (_CHECKPOINT, BEST, _FINISHED):
        (folder / name).unlink(missing_ok=True)
    publish(path, json.dumps(facts, indent=1).encode())


def is_finished(folder: Path) -> bool:
    """
    Whether a run has come to its end, so that its folder holds an encoder.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from galzoo_repr.training import begin_run, is_finished
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     begin_run(Path(folder), {"epochs": 10}, resume=True)
    ...     is_finished(Path(folder))
    False
    """
    return (folder / _FINISHED).exists()


def end_run(folder: Path) -> None:
    """
    Remove what only a run that goes on needs.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from galzoo_repr.training import begin_run, end_run, write_checkpoint
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     begin_run(Path(folder), {"epochs": 10}, resume=True)
    ...     write_checkpoint(Path(folder), {"epoch": 10})
    ...     end_run(Path(folder))
    ...     [path.name for path in Path(folder).iterdir()]
    ['run.json']
    """
    for name in (_CHECKPOINT, BEST):
        (folder / name).unlink(missing_ok=True)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
