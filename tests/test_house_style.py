"""What every room keeps to: one style of error message, and real types on what is public."""

import ast
import inspect
import re
from functools import cached_property
from importlib import import_module
from pathlib import Path

import pytest

import galzoo_repr

PACKAGE = Path(galzoo_repr.__file__).parent
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
# Words that a sentence may begin with in capitals.
PROPER = {"Parquet", "VOTable", "FITS", "SkyCoord", "HTTP", "Galaxy Zoo"}


def raised_text(node: ast.AST) -> str | None:
    """Text of a message, with {} in place of what is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return None


def messages(path: Path):
    """Line and text of all messages raised in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for argument in node.exc.args:
                if (text := raised_text(argument)) is not None:
                    yield node.lineno, text


@pytest.mark.parametrize("room", [*ROOMS, "."])
def test_errors_are_lower_case_sentences_without_a_full_stop(room):
    files = PACKAGE.glob("*.py") if room == "." else (PACKAGE / room).rglob("*.py")
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line} {text}"
        for path in sorted(files)
        for line, text in messages(path)
        if text.endswith(".") or (text[:1].isupper() and not text.startswith(tuple(PROPER)))
    ]
    assert not wrong


def public_functions(room: str):
    """Name and function of everything callable that a room exports, methods included."""
    module = import_module(f"galzoo_repr.{room}")
    for name in module.__all__:
        thing = getattr(module, name)
        if inspect.isfunction(thing):
            yield name, thing
        elif inspect.isclass(thing):
            for of, method in vars(thing).items():
                method = getattr(method, "__func__", method)
                if inspect.isfunction(method) and (not of.startswith("_") or of == "__init__"):
                    yield f"{name}.{of}", method


@pytest.mark.parametrize("room", ROOMS)
def test_public_parameters_have_types_that_say_something(room):
    wrong = [
        f"{name}({parameter.name})"
        for name, function in public_functions(room)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        and says_nothing(parameter.annotation)
    ]
    assert not wrong


def says_nothing(annotation: object) -> bool:
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    return "object" in [part.strip() for part in text.split("|")]


# Public without an example in its docstring, and why.
NO_EXAMPLE = {
    "GalzooWarning": "a warning",
    "Conf": "its settings are shown where they are described",
}
OF_A_COMMAND = {"cli"}  # whose help ends with an example


def without_example(room: str):
    """Name of everything public in a room that no example uses: functions, classes, their methods and properties."""
    module = import_module(f"galzoo_repr.{room}" if room else "galzoo_repr")
    for name in module.__all__:
        thing = getattr(module, name)
        own = getattr(thing, "__module__", "").startswith("galzoo_repr")
        if not own or not (inspect.isfunction(thing) or inspect.isclass(thing)):
            continue
        examples = (thing.__doc__ or "").partition(">>>")[2]
        if not examples:
            yield f"{room}.{name}"
        for part, value in vars(thing).items() if inspect.isclass(thing) else ():
            # Doctest does not look into what is computed once, so that the class has its example.
            said = "" if isinstance(value, cached_property) else value.__doc__ or ""
            method = inspect.isfunction(getattr(value, "__func__", value))
            if part.startswith("_") or not (method or isinstance(value, property | cached_property)):
                continue
            if ">>>" not in said and not re.search(rf"\b{part}\b", examples):
                yield f"{room}.{name}.{part}"


@pytest.mark.parametrize("room", ["", *sorted(set(ROOMS) - OF_A_COMMAND), "exceptions"])
def test_what_is_public_has_an_example(room):
    assert [name for name in without_example(room) if name.partition(".")[2] not in NO_EXAMPLE] == []
