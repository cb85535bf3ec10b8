"""Importing the package must stay cheap: the heavy libraries wait until they are used."""

import subprocess
import sys

import pytest

import galzoo_repr

HEAVY = (
    "torch",
    "timm",
    "sklearn",
    "pynndescent",
    "matplotlib",
    "astroquery",
    "pyarrow",
    "mocpy",
    "PIL",
    "typer",
)


def modules_after(statement: str) -> set[str]:
    """Names of the top-level modules that a fresh interpreter holds after running a statement."""
    code = f"import sys\n{statement}\nprint(' '.join({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_leaves_heavy_libraries_alone():
    loaded = modules_after("import galzoo_repr")
    assert loaded.isdisjoint(HEAVY), sorted(loaded & set(HEAVY))
    assert "galzoo_repr" in loaded


def test_catalogue_room_needs_no_torch():
    assert modules_after("import galzoo_repr.catalogue").isdisjoint(
        {"torch", "timm", "sklearn", "matplotlib"}
    )


def test_surveys_are_asked_without_torch():
    """A query of a service is not worth the seconds and the half gigabyte of torch."""
    assert modules_after("import galzoo_repr.cutouts").isdisjoint({"torch", "timm", "sklearn"})


@pytest.mark.parametrize("name", [n for n in galzoo_repr.__all__ if n != "__version__"])
def test_every_public_name_resolves(name):
    assert getattr(galzoo_repr, name) is not None
    assert name in dir(galzoo_repr)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'add_magic'"):
        galzoo_repr.add_magic  # noqa: B018


def test_version_is_a_string():
    assert galzoo_repr.__version__
