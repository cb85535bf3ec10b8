"""Importing the package must stay cheap: the heavy libraries wait until they are used."""

import json
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


CATALOGUE = """
import numpy as np, astropy.table
cat = astropy.table.Table({"ra": [10.0, 11.0], "dec": [1.0, 2.0], "embedding": np.eye(2), "label": [0, 1]})
import galzoo_repr as gzr
"""
WRONG = {
    "gzr.add_cutouts(cat, fov=3)": "fov",
    "gzr.add_embeddings(cat, images='pictures', encoder='resnet18', name='new')": "pictures",
    "gzr.add_embeddings(cat, coords='where', encoder='resnet18', name='new')": "where",
    "gzr.add_embeddings(cat, encoder='no_such_network', name='new')": "there is no encoder",
    "gzr.Encoder.load(3)": "an encoder is",
    "gzr.add_similarity(cat, 0, embedding='features')": "features",
    "gzr.find_similar(cat, 'nowhere at all')": "nowhere",
    "gzr.finetune(cat, 'ring')": "ring",
    "gzr.finetune(cat, 'label', embedding='features')": "features",
    "gzr.finetune(cat, 'label', depth=1)": "needs images",
    "gzr.finetune(cat, 'label', epoch=3)": "no option epoch",
    "gzr.add_anomaly_scores(cat, 'rating')": "rating",
    "gzr.add_anomaly_scores(cat, embedding='features')": "features",
    "gzr.next_to_rate(cat, n=0)": "n",
    "gzr.rate(cat, 3, path='ratings.ecsv')": "oracle",
    "gzr.MorphologyModel.load('gone')": "gone",
    "gzr.pretrain(cat, schema='no such schema')": "no such schema",
    "gzr.pretrain(cat, schema='gz_rings')": "ring",
    "gzr.SimilarityIndex.open('gone')": "gone",
}


@pytest.fixture(scope="module")
def told():
    """What each wrong call says, and the heavy libraries that it imports: one fresh interpreter makes all of them."""
    code = f"""{CATALOGUE}
import json, sys
heavy = {{"torch", "timm", "sklearn", "pynndescent", "matplotlib", "onnxruntime"}}
told = {{}}
for call in {list(WRONG)!r}:
    before = set(sys.modules)
    try:
        eval(call)
        said = "no error"
    except (ValueError, TypeError, OSError) as error:
        said = str(error)
    told[call] = said, sorted(heavy & (set(sys.modules) - before))
print(json.dumps(told))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("call", WRONG)
def test_wrong_arguments_are_told_before_anything_heavy_is_imported(told, call):
    said, loaded = told[call]
    assert WRONG[call] in said
    assert not loaded


@pytest.mark.parametrize("name", [n for n in galzoo_repr.__all__ if n != "__version__"])
def test_every_public_name_resolves(name):
    assert getattr(galzoo_repr, name) is not None
    assert name in dir(galzoo_repr)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'add_magic'"):
        galzoo_repr.add_magic  # noqa: B018


def test_version_is_a_string():
    assert galzoo_repr.__version__
