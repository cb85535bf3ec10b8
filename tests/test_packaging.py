"""What the files beside the package say of it agrees with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[1]
if not (CHECKOUT / "pyproject.toml").is_file():
    pytest.skip("the checkout is not beside the tests", allow_module_level=True)

ABOUT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = ABOUT["project"]
WORKFLOWS = sorted(CHECKOUT.glob(".github/workflows/*.yml"))
EXTRAS = PROJECT["optional-dependencies"]
# What the package is promised to need.
REQUIRED = {"astropy", "astroquery", "numpy", "torch", "timm", "scikit-learn", "pynndescent"}


def name_of(requirement: str) -> str:
    return re.match(r"[\w.-]+", requirement)[0].lower()


def test_the_oldest_versions_are_the_lower_bounds():
    promised = [each for name in ("plot", "app", "onnx") for each in EXTRAS[name]] + PROJECT["dependencies"]
    bounds = {name_of(each): re.search(r">=([\d.]+)", each)[1] for each in promised}
    pins = re.findall(r"^([\w.-]+)==([\d.]+)$", (CHECKOUT / ".ci/oldest.txt").read_text(), re.MULTILINE)
    pinned = {name.lower(): version for name, version in pins}
    zeros = r"(\.0)+$"
    assert {name: re.sub(zeros, "", pinned.get(name, "none")) for name in bounds} == {
        name: re.sub(zeros, "", bound) for name, bound in bounds.items()
    }


def steps_of(workflow: Path) -> list[dict]:
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


@pytest.mark.parametrize(
    "file",
    ["README.md", "CITATION.cff", ".github/ISSUE_TEMPLATE/config.yml"],
    ids=lambda file: Path(file).name,
)
def test_all_files_name_the_same_repository(file):
    named = set(
        re.findall(r"https://github\.com/[\w.-]+/galzoo_repr", (CHECKOUT / file).read_text(encoding="utf-8"))
    )
    assert named == {PROJECT["urls"]["Repository"]}


def test_addresses_of_the_project_are_there():
    assert {"Documentation", "Repository", "Issues", "Changelog"} <= PROJECT["urls"].keys()
    assert PROJECT["authors"]
    assert PROJECT["maintainers"]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_digest(workflow):
    used = [step["uses"] for step in steps_of(workflow) if "uses" in step]
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", each)] == []


def test_every_python_that_is_promised_is_tested():
    promised = {each.rpartition(" ")[2] for each in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", each)}
    jobs = yaml.safe_load((CHECKOUT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
    tested = {each["python"] for each in jobs["tests"]["strategy"]["matrix"]["include"]}
    assert promised == tested == {"3.11", "3.12", "3.13", "3.14"}


def test_environments_of_the_workflow_are_in_tox():
    tox = (CHECKOUT / "tox.ini").read_text(encoding="utf-8")
    jobs = yaml.safe_load((CHECKOUT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
    wanted = {each["environment"] for each in jobs["tests"]["strategy"]["matrix"]["include"]}
    factors = {factor for name in wanted for factor in name.split("-")} - {"py311", "py312", "py313", "py314"}
    assert [
        each for each in factors if not re.search(rf"^\s*!?{each}:|\[testenv:{each}\]", tox, re.MULTILINE)
    ] == []


def test_what_is_promised_to_be_required_is():
    assert {name_of(each) for each in PROJECT["dependencies"]} >= REQUIRED


def test_extras_that_messages_name_exist():
    named = {
        extra
        for path in (CHECKOUT / "galzoo_repr").rglob("*.py")
        for extra in re.findall(r"galzoo_repr\[(\w+)\]", path.read_text(encoding="utf-8"))
    }
    assert {"app", "onnx", "plot", "umap"} <= named <= EXTRAS.keys()


def test_all_is_every_extra_but_the_heaviest():
    inside = set(re.search(r"\[(.*)\]", EXTRAS["all"][0])[1].split(","))
    assert inside >= EXTRAS.keys() - {"all", "hats", "readers"}  # LSDB brings thirty packages along


def test_the_citation_file_has_what_archives_ask_for():
    citation = yaml.safe_load((CHECKOUT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {
        "authors",
        "title",
        "license",
        "repository-code",
        "url",
        "keywords",
        "abstract",
    } <= citation.keys()
    assert citation["license"] == PROJECT["license"]
    assert citation["preferred-citation"]["doi"] == "10.1093/mnras/stac525"
