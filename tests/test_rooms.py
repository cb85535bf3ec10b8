"""The house: imports run one way, and no room reaches into the private modules of another."""

import ast
from functools import cache
from pathlib import Path

import pytest

import galzoo_repr

PACKAGE = Path(galzoo_repr.__file__).parent
CHECKOUT = Path(__file__).parents[1]

GROUND = {
    "_angle",
    "_arguments",
    "_array",
    "_by_partition",
    "_config",
    "_database",
    "_device",
    "_fits_header",
    "_folder",
    "_hub",
    "_progress",
    "_published",
    "_threads",
    "_torch_file",
    "_version",
    "exceptions",
}
# What each room may import, besides the ground floor.
BELOW = {
    "catalogue": set(),
    "images": {"catalogue"},
    "cutouts": {"catalogue", "images"},
    "encoders": {"catalogue", "images", "cutouts"},
    "index": {"catalogue"},
    "similarity": {"catalogue", "images", "cutouts", "encoders", "index"},
    "anomaly": {"catalogue", "images", "cutouts", "encoders"},
    "questions": {"catalogue"},
    "training": {"catalogue", "images", "questions"},
    "finetuning": {"catalogue", "images", "cutouts", "encoders", "questions", "training"},
    "pretraining": {"catalogue", "images", "encoders", "questions", "training"},
    "simulation": {"images", "questions"},
    "plot": {
        *("catalogue", "images", "cutouts", "encoders", "index"),
        *("similarity", "anomaly", "finetuning"),
    },
    "hats": {"catalogue", "images", "cutouts", "encoders", "index", "similarity", "anomaly", "finetuning"},
}
ABOVE = ("cli", "demo", "app")  # they use the public names of all rooms, and nothing imports them


@cache
def nodes(path: Path) -> list[ast.AST]:
    """Everything that is in a file."""
    return list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


@cache
def imports(path: Path) -> list[tuple[int, str, list[str]]]:
    """Line, module and names of every import of the package in a file, also those inside functions."""
    found = []
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "galzoo_repr":
            found.append((node.lineno, node.module, [alias.name for alias in node.names]))
        elif isinstance(node, ast.Import):
            found += [
                (node.lineno, alias.name, [])
                for alias in node.names
                if alias.name.partition(".")[0] == "galzoo_repr"
            ]
    return found


def rooms_of(module: str, names: list[str]) -> set[str]:
    """Rooms that an import touches; names of the top level itself stand for the room they come from."""
    parts = module.split(".")
    if len(parts) > 1:
        return {parts[1]}
    known = {**galzoo_repr._ROOM_OF, **{room: room for room in galzoo_repr._ROOMS}}
    return {known[name] for name in names if name in known}


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("room", [*BELOW, *ABOVE])
def test_a_room_imports_only_what_stands_below_it(room):
    files = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] == room]
    assert files
    allowed = set(BELOW) if room in ABOVE else BELOW[room]
    allowed |= GROUND | {room} | ({"demo", "app"} if room == "cli" else set())
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line} imports {module}"
        for path in files
        for line, module, names in imports(path)
        if not rooms_of(module, names) <= allowed
    ]
    assert not wrong


def test_every_room_is_in_the_order():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == {*BELOW, *ABOVE}


@pytest.mark.parametrize("room", sorted(GROUND - {"_version"}))
def test_the_ground_floor_stands_on_nothing(room):
    path = PACKAGE / f"{room}.py"
    touched = {room for _, module, names in imports(path) for room in rooms_of(module, names)}
    assert touched <= GROUND


@pytest.mark.parametrize(
    "folder", [PACKAGE, CHECKOUT / "benchmarks", CHECKOUT / "docs"], ids=lambda f: f.name
)
def test_private_modules_stay_in_their_room(folder):
    if not folder.is_dir():
        pytest.skip(f"there is no {folder.name} beside the tests")
    wrong = []
    for path in sorted(folder.rglob("*.py")):
        home = path.relative_to(PACKAGE).parts[0] if folder == PACKAGE else None
        for line, module, names in imports(path):
            room, *inner = [*module.split(".")[1:], *names, ""]
            if room != home and any(part.startswith("_") for part in inner):
                wrong.append(f"{path.relative_to(folder)}:{line} imports {module}")
    assert not wrong


def test_modules_of_a_room_do_not_import_one_another_in_circles():
    known = {module_name(path) for path in MODULES}
    graph = {}
    for path in MODULES:
        graph[module_name(path)] = {module for _, module, _ in imports(path)} & known
    circles = [name for name in graph if name in reachable(graph, name)]
    assert not circles


def module_name(path: Path) -> str:
    return ".".join(("galzoo_repr", *path.relative_to(PACKAGE).with_suffix("").parts))


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    """Modules that a module imports, directly or by others."""
    seen: set[str] = set()
    left = list(graph[start])
    while left:
        if (name := left.pop()) not in seen:
            seen.add(name)
            left.extend(graph[name])
    return seen


def test_every_bar_is_the_one_of_the_package():
    direct = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in MODULES
        if path.name != "_progress.py"
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tqdm"
    ]
    assert not direct
