"""The command that says what is installed, where things are kept, and what computes."""

import platform
import stat
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from galzoo_repr import __version__
from galzoo_repr.cli import _options as option
from galzoo_repr.cli._app import verb
from galzoo_repr.cli._terminal import output, print_json, say

__all__ = ["info"]

_PACKAGES = ("astropy", "astroquery", "numpy", "torch", "timm", "onnxruntime", "scikit-learn", "pynndescent")
_KEPT = ("cutouts", "embeddings", "reductions", "graphs", "coverage", "columns")


@verb("info --json")
def info(
    sizes: Annotated[bool, typer.Option(help="Add up what the cache holds, which takes a while.")] = True,
    as_json: option.Json = False,
) -> None:
    """Say which versions are installed, what the cache holds, and what would compute."""
    from galzoo_repr._config import cache_path, conf
    from galzoo_repr._device import choose_device
    from galzoo_repr.cutouts import configuration_faults

    folder = cache_path("cutouts").parent
    kept = {name: _size(folder / name) if sizes else None for name in _KEPT if (folder / name).exists()}
    faults = configuration_faults()
    facts = {
        "galzoo_repr": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **{name: _version_of(name) for name in _PACKAGES},
        "device": choose_device(),
        "cache": str(folder),
        "kept_bytes": kept,
        "max_cache_size": conf.max_cache_size or "no limit",
        "keep": conf.keep,
        "encoders": ["bundled", "bundled-int8", *_downloaded()],
        "faults": faults,
    }
    if as_json:
        print_json(facts)
        return
    facts["kept_bytes"] = ", ".join(
        name if size is None else f"{name} {size / 1e6:.1f} MB" for name, size in kept.items()
    )
    facts["encoders"] = ", ".join(facts["encoders"])
    del facts["faults"]
    for name, value in facts.items():
        output.print(f"{name.removesuffix('_bytes'):>14}  {value}", markup=False, soft_wrap=True)
    for fault in faults:
        say("wrong setting", f"{fault} (in galzoo_repr.cfg, or a variable GALZOO_REPR_...)", "bold red")


def _version_of(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _size(folder: Path) -> int:
    size = 0
    for path in folder.rglob("*"):
        # Another process may throw away what was just listed.
        with suppress(FileNotFoundError):
            facts = path.stat()
            size += facts.st_size if stat.S_ISREG(facts.st_mode) else 0
    return size


def _downloaded() -> list[str]:
    """Repositories of encoders whose weights are in the cache of the hub."""
    from huggingface_hub import constants

    folders = Path(constants.HF_HUB_CACHE).glob("models--*--*")
    return sorted("hf-hub:" + folder.name.removeprefix("models--").replace("--", "/") for folder in folders)
