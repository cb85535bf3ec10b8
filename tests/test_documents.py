"""The pages name what there is: statuses, settings and columns are compared with the code."""

import ast
import inspect
import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

import galzoo_repr as gzr
from galzoo_repr.cli import app
from galzoo_repr.cutouts import RETRYABLE, STATUSES, USABLE, error_for

PACKAGE = Path(gzr.__file__).parent
DOCS = Path(__file__).parents[1] / "docs"
# Sentences that fresh readers stumbled over, and words of the workshop.
STUMBLES = (
    r"[Rr]oom by room",
    r"\b[Vv]erbs?\b",
    r"some hundred numbers",
    r"topmost block",
    r"less the mean cosine",
    r"digest of the image recipe",
    r"inverse regularisation \{",
    r"drawn as the labelled",
    r"the oracle (returned|answers|says)",
    r"doubt about it",
    r"cannot tell how little",
    r"manifest hears",
    r"never a crash",
    r"sees another as another world",
    r"next stronger one beforehand",
)

if not DOCS.is_dir():
    pytest.skip("there is no docs folder beside the tests", allow_module_level=True)


def page(name: str) -> str:
    return (DOCS / f"{name}.rst").read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """Rows of the list-tables of a page, without their marks."""
    found = re.split(r"\n {3}\* - ", text)[1:]
    return [
        [" ".join(cell.split()) for cell in re.split(r"\n {5}- ?", row.split("\n\n")[0])] for row in found
    ]


@pytest.fixture(scope="module")
def statuses() -> dict[str, list[str]]:
    table = rows(page("reference/columns").partition("\nStatuses\n")[2])[1:]
    return {row[0].strip("`"): row[1:] for row in table}


def test_every_status_is_described_once(statuses):
    assert list(statuses) == list(STATUSES)


@pytest.mark.parametrize("status", sorted(set(STATUSES) - USABLE - {"missing", "cancelled"}))
def test_what_a_status_means_for_asking_again_and_raising_is_as_the_code_has_it(statuses, status):
    _, again, raises = statuses[status]
    assert (again == "yes") == (status in RETRYABLE)
    assert raises.strip("`") == type(error_for(status, "")).__name__


def test_every_setting_is_described_with_its_default():
    described = {}
    for names, default, *_ in rows(page("reference/configuration"))[1:]:
        described |= dict.fromkeys(re.findall(r"``(\w+)``", names), default.strip("`"))
    settings = {name for name, _ in gzr.conf.items()}
    assert set(described) == settings
    for name in settings:
        if isinstance(default := getattr(type(gzr.conf), name).defaultvalue, float | int):
            assert float(described[name]) == default


@pytest.fixture(scope="module")
def catalogue() -> Table:
    vectors = np.random.default_rng(0).normal(size=(60, 6)).astype("float32")
    table = Table({"name": [f"G{i}" for i in range(60)], "ra": np.arange(60) / 10, "dec": np.zeros(60)})
    table["embedding"] = vectors
    table["ring"] = np.where(np.arange(60) < 40, vectors[:, 0] > 0, np.nan)
    table["interest"] = np.where(np.arange(60) < 20, np.arange(60) % 6, np.nan)
    return table


@pytest.mark.parametrize(
    "made",
    [
        lambda cat: gzr.add_similarity(cat, 0),
        lambda cat: gzr.find_similar(cat, 0, n=3),
        lambda cat: gzr.add_anomaly_scores(cat, "interest"),
        lambda cat: gzr.next_to_rate(cat, "interest"),
        lambda cat: gzr.add_predictions(cat, gzr.finetune(cat, "ring", members=2)),
        lambda cat: gzr.add_map(cat),
    ],
    ids=[
        "add_similarity",
        "find_similar",
        "add_anomaly_scores",
        "next_to_rate",
        "add_predictions",
        "add_map",
    ],
)
@pytest.mark.filterwarnings("ignore::galzoo_repr.GalzooWarning")
def test_every_column_that_a_function_adds_is_in_the_table(catalogue, made):
    described = {name for row in rows(page("reference/columns")) for name in re.findall(r"``(\S+)``", row[0])}
    added = [
        name.replace("ring", "<name>") for name in made(catalogue).colnames if name not in catalogue.colnames
    ]
    assert added
    assert set(added) <= described


def said() -> dict[str, str]:
    """What users read, by where it stands: pages, docstrings of what is public, and the texts of errors and options."""
    texts = {
        str(path.relative_to(DOCS)): path.read_text(encoding="utf-8")
        for path in DOCS.rglob("*.rst")
        if not {"api", "run"} & set(path.relative_to(DOCS).parts)
    }
    for room in sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py")):
        module = import_module(f"galzoo_repr.{room}")
        texts[room] = module.__doc__
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                methods = [each for of, each in vars(thing).items() if not of.startswith("_")]
                docs = [getattr(each, "__doc__", None) or "" for each in (thing, *methods)]
                texts[f"{room}.{name}"] = "\n".join(docs)
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) or (isinstance(node, ast.Call) and _speaks(node)):
                words = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
                texts[f"{path.name}:{node.lineno}"] = " ".join(
                    word for word in words if isinstance(word, str)
                )
    return texts


def _speaks(call: ast.Call) -> bool:
    return getattr(call.func, "attr", getattr(call.func, "id", "")) in {"warn", "Option", "Argument", "say"}


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return said()


@pytest.mark.parametrize("phrase", STUMBLES)
def test_no_page_or_message_has_a_sentence_that_readers_stumbled_over(phrase, texts):
    assert not [where for where, text in texts.items() if re.search(phrase, text)]


def test_every_command_is_on_its_page():
    commands = {each.name or each.callback.__name__.replace("_", "-") for each in app.registered_commands}
    assert commands
    assert not [name for name in commands if f"galzoo-repr {name}" not in page("reference/command_line")]


def test_every_lesson_is_in_the_list_of_tutorials():
    lessons = sorted(path.stem for path in (DOCS / "tutorials/lessons").glob("*.py"))
    assert lessons == re.findall(r"run/(lesson_\w+)", page("tutorials/index"))


def public_things() -> dict[str, object]:
    """What can be had from the package itself, and the methods of its classes, by name."""
    found = {}
    for name, room in gzr._ROOM_OF.items():
        thing = found[name] = getattr(import_module(f"galzoo_repr.{room}"), name)
        if inspect.isclass(thing):
            for of, method in vars(thing).items():
                method = getattr(method, "__func__", method)
                if inspect.isfunction(method) and not of.startswith("_"):
                    found[f"{name}.{of}"] = method
    return found


# Nothing is published in an example.
@pytest.mark.parametrize("name", sorted(name for name in public_things() if not name.endswith(".push")))
def test_whatever_is_public_shows_an_example(name):
    assert ">>>" in (public_things()[name].__doc__ or ""), f"{name} has no example"
