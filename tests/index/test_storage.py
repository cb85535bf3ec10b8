"""The folder of an index: opened without being read, added to by several processes, replaced all at once."""

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from astropy.table import Table

from galzoo_repr import SimilarityIndex
from galzoo_repr.index import _storage


def vectors(n=500, d=16, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def catalogue(n=30, **columns):
    return Table(
        {
            "id_str": [f"J{i:04d}" for i in range(n)],
            "ra": np.linspace(0, 300, n),
            "dec": np.zeros(n),
            "embedding": vectors(n, 8),
            **columns,
        }
    )


def same(first, second):
    return all(
        np.array_equal(first[name], second[name], equal_nan=name in ("ra", "dec")) for name in first.colnames
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metric": "euclidean", "components": 4, "whiten": True},
        {"ids": "id_str", "dtype": "float16", "components": 3},
    ],
)
def test_saved_and_opened_it_answers_alike(tmp_path, options):
    cat = catalogue()
    index = SimilarityIndex.build(cat, **options)
    index.save(tmp_path / "index")
    again = SimilarityIndex.open(tmp_path / "index")
    assert same(index.search(cat["embedding"]), again.search(cat["embedding"]))
    assert repr(index) == repr(again)
    assert np.array_equal(index.ids, again.ids)
    assert isinstance(again._galaxies.pieces[0].vectors, np.memmap)
    if "components" in options:
        assert np.array_equal(index.explained_variance_ratio, again.explained_variance_ratio)
        assert 0 < index.explained_variance_ratio.sum() <= 1
    assert not any(path.suffix == ".pkl" for path in (tmp_path / "index").rglob("*"))


def test_saving_leaves_what_is_there_unless_asked(tmp_path):
    index = SimilarityIndex.build(catalogue())
    index.save(tmp_path / "index")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        index.save(tmp_path / "index")
    SimilarityIndex.build(catalogue(12)).save(tmp_path / "index", overwrite=True)
    assert len(SimilarityIndex.open(tmp_path / "index")) == 12
    (tmp_path / "other").mkdir()
    with pytest.raises(FileExistsError, match="it is no index"):
        index.save(tmp_path / "other", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "other"]


def test_galaxies_added_later_are_found_and_kept(tmp_path):
    cat = catalogue(60)
    cat["embedding"][[5, 45]] = np.nan
    whole = SimilarityIndex.build(cat, ids="id_str")
    grown = SimilarityIndex.build(cat[:40], ids="id_str")
    grown.add(cat[40:50])
    grown.save(tmp_path / "index")
    opened = SimilarityIndex.open(tmp_path / "index")
    opened.add(cat[50:])
    opened = SimilarityIndex.open(tmp_path / "index")
    queries = cat["embedding"][[0, 20, 55]]
    assert same(whole.search(queries), opened.search(queries))
    assert (len(opened), opened.excluded) == (58, 2)
    assert opened.search(queries[2], n=1)["id"][0] == "J0055"


def test_galaxies_added_without_embedding_are_counted(tmp_path):
    SimilarityIndex.build(np.eye(4)).save(tmp_path / "index")
    SimilarityIndex.open(tmp_path / "index").add(np.full((2, 4), np.nan))
    index = SimilarityIndex.open(tmp_path / "index")
    index.add(np.ones((1, 4)))
    assert (len(index), index.excluded) == (5, 2)
    assert index.search(np.ones(4), n=1)["row"].tolist() == [6]


def test_a_damaged_folder_says_so(tmp_path):
    folder = tmp_path / "index"
    with pytest.raises(FileNotFoundError, match="holds no similarity index"):
        SimilarityIndex.open(folder)
    SimilarityIndex.build(catalogue()).save(folder)
    contents = (folder / "index.json").read_text()
    (folder / "index.json").write_text(json.dumps({**json.loads(contents), "format_version": 99}))
    with pytest.raises(ValueError, match="format 99"):
        SimilarityIndex.open(folder)
    (folder / "index.json").write_text("[1]")
    with pytest.raises(ValueError, match="format None"):
        SimilarityIndex.open(folder)
    (folder / "index.json").write_text(contents[:40])
    with pytest.raises(ValueError, match="damaged"):
        SimilarityIndex.open(folder)
    (folder / "index.json").write_text(contents)
    vectors_file, ids_file = next(folder.glob("vectors-*.npy")), next(folder.glob("ids-*.npy"))
    vectors_file.write_bytes(vectors_file.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"damaged: .*vectors-\w+\.npy"):
        SimilarityIndex.open(folder)
    np.save(vectors_file, np.ones((3, 8), np.float32))
    with pytest.raises(ValueError, match=r"of shape \[3, 8\], not as the card says"):
        SimilarityIndex.open(folder)
    np.save(ids_file, np.array([object()]), allow_pickle=True)
    with pytest.raises(ValueError, match="damaged"):
        SimilarityIndex.open(folder)


def test_neither_torch_nor_pynndescent_is_imported_before_it_is_used(tmp_path):
    SimilarityIndex.build(catalogue()).save(tmp_path / "index")
    code = (
        "import sys; from galzoo_repr import SimilarityIndex\n"
        f"index = SimilarityIndex.open({str(tmp_path / 'index')!r})\n"
        "assert 'torch' not in sys.modules\n"
        "index.search([1.0] * 8)\n"
        "assert 'torch' in sys.modules and 'pynndescent' not in sys.modules and 'numba' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


def files(folder):
    """Arrays that are there, and how many the card names."""
    card = json.loads((folder / "index.json").read_text())
    there = [path for path in folder.iterdir() if path.suffix == ".npy"]
    return len(there), 4 * len(card["segments"]) + len(card["space"]["arrays"])


ADD = """
import sys
import numpy as np
from galzoo_repr import SimilarityIndex
folder, number = sys.argv[1], int(sys.argv[2])
index = SimilarityIndex.open(folder)
print("opened", flush=True)
sys.stdin.readline()
for _ in range(5):
    index.add(np.random.default_rng(number).normal(size=(3, 8)))
"""


def test_processes_that_add_at_once_lose_nothing(tmp_path):
    folder = tmp_path / "index"
    SimilarityIndex.build(vectors(20, 8)).save(folder)
    adding = [
        subprocess.Popen(
            [sys.executable, "-c", ADD, str(folder), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in (1, 2)
    ]
    for process in adding:
        assert process.stdout.readline() == "opened\n"
    for process in adding:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in adding:
        process.communicate(timeout=120)
        assert process.returncode == 0
    index = SimilarityIndex.open(folder)
    assert index.ids.tolist() == list(range(50))
    for number in (1, 2):
        own = np.random.default_rng(number).normal(size=(3, 8))
        assert (np.asarray(index.search(own, n=5)["similarity"]) > 1 - 1e-6).all()
    assert files(folder) == (44, 44)


def test_what_another_handle_added_is_taken_over(tmp_path):
    cat = catalogue(60)
    SimilarityIndex.build(cat[:40], ids="id_str").save(tmp_path / "index")
    first, second = (SimilarityIndex.open(tmp_path / "index") for _ in range(2))
    first.add(cat[40:50])
    assert (len(first), len(second)) == (50, 40)
    with pytest.raises(ValueError, match="10 ids are in the index already, such as 'J0040'"):
        second.add(cat[40:50])
    second.add(cat[50:])
    assert second.ids.tolist() == cat["id_str"].tolist()
    assert same(second.search(cat[45:55]), SimilarityIndex.build(cat, ids="id_str").search(cat[45:55]))


def test_an_index_that_was_replaced_is_not_added_to(tmp_path):
    folder = tmp_path / "index"
    SimilarityIndex.build(catalogue(), components=3).save(folder)
    old = SimilarityIndex.open(folder)
    found = old.search(catalogue()[:3])
    new = SimilarityIndex.build(vectors(12, 8), ids=[f"new{i}" for i in range(12)], metric="euclidean")
    new.save(folder, overwrite=True)
    with pytest.raises(ValueError, match="has been replaced since it was opened; open it again"):
        old.add(vectors(5, 8), ids=np.arange(5))
    assert same(old.search(catalogue()[:3]), found)
    assert same(SimilarityIndex.open(folder).search(vectors(3, 8)), new.search(vectors(3, 8)))
    assert files(folder) == (5, 5)


def test_an_index_saved_over_itself_goes_on(tmp_path):
    folder = tmp_path / "index"
    SimilarityIndex.build(vectors(12, 8)).save(folder)
    index = SimilarityIndex.open(folder)
    index.add(vectors(3, 8, seed=1))
    index.save(folder, overwrite=True)
    index.add(vectors(2, 8, seed=2))
    assert len(SimilarityIndex.open(folder)) == 17


KILLED = """
import os, signal, sys
import numpy as np
from galzoo_repr import SimilarityIndex
replace, left = os.replace, int(sys.argv[2])

def killed(source, target):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    replace(source, target)

os.replace = killed
SimilarityIndex.build(2 * np.eye(4)[:3], metric="euclidean").save(sys.argv[1], overwrite=True)
"""


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("left", [0, 3, 5])
def test_whenever_a_save_is_killed_there_is_one_whole_index_or_none(tmp_path, left, there):
    folder = tmp_path / "index"
    if there:
        SimilarityIndex.build(np.eye(8)).save(folder)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(folder), str(left)], timeout=120)
    assert killed.returncode == -signal.SIGKILL
    if there:
        assert len(SimilarityIndex.open(folder)) == 8
    else:
        with pytest.raises(FileNotFoundError, match="holds no similarity index"):
            SimilarityIndex.open(folder)
    SimilarityIndex.build(np.eye(6)).save(folder, overwrite=there)
    assert len(SimilarityIndex.open(folder)) == 6
    assert files(folder) == (4, 4)
    assert os.listdir(tmp_path) == ["index"]


def test_a_save_that_fails_leaves_nothing(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    SimilarityIndex.build(np.eye(8)).save(folder)

    def full(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(_storage, "publish", full)
        for where in (folder, tmp_path / "other"):
            with pytest.raises(OSError, match="no space left"):
                SimilarityIndex.build(np.eye(4)).save(where, overwrite=True)
    assert len(SimilarityIndex.open(folder)) == 8
    assert files(folder) == (4, 4)
    assert not list((tmp_path / "other").glob("*.npy"))
    SimilarityIndex.build(np.eye(4)).save(tmp_path / "other")


def test_other_files_in_the_folder_are_left_alone(tmp_path):
    folder = tmp_path / "index"
    SimilarityIndex.build(np.eye(8)).save(folder)
    mine = {"README.md", "names.npy", "ids-mine.npy"}
    for name in mine:
        (folder / name).write_text("mine")
    SimilarityIndex.build(np.eye(4)).save(folder, overwrite=True)
    assert mine <= set(os.listdir(folder))


def test_an_index_that_is_replaced_while_it_is_opened(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    SimilarityIndex.build(np.eye(8)).save(folder)
    old = _storage._read_card(folder)
    SimilarityIndex.build(np.eye(4)).save(folder, overwrite=True)
    cards = iter([old])
    read = _storage._read_card
    monkeypatch.setattr(_storage, "_read_card", lambda where: next(cards, None) or read(where))
    assert len(SimilarityIndex.open(folder)) == 4


def version_1(folder, data, *, metric, ids, **arrays):
    """An index as the first format laid it out; `arrays` are those of the space, by the folder they were in."""
    stored = data
    if "reduction" in arrays:
        stored = (data - arrays["reduction"]["mean"]) @ arrays["reduction"]["axes"]
    if "centre" in arrays:
        stored = data - arrays["centre"]["centre"]
    if metric == "cosine":
        stored = stored / np.linalg.norm(stored, axis=1, keepdims=True)
    n = len(data)
    segment = {
        "vectors": stored.astype(np.float32),
        "ids": np.array([f"J{i}" for i in range(n)]) if ids else np.arange(n),
        "rows": np.arange(n),
        "positions": np.full((n, 2), np.nan),
    }
    for name, array in segment.items():
        folder.mkdir(exist_ok=True)
        np.save(folder / f"{name}-0000.npy", array)
    for inner, some in arrays.items():
        (folder / inner).mkdir()
        for name, array in some.items():
            np.save(folder / inner / f"{name}.npy", array)
    card = {
        "format_version": 1,
        "space": {"metric": metric, "reduced": "reduction" in arrays, "centred": "centre" in arrays},
        "facts": {
            "given_dim": data.shape[1],
            "source_rows": n,
            "encoder": "",
            "embedding": "embedding",
            "ids": ids,
            "dtype": "float32",
            "method": "auto",
            "seed": 0,
        },
        "segments": [{"name": "0000", "rows": n}],
        "graph": None,
    }
    (folder / "index.json").write_text(json.dumps(card, indent=1))


@pytest.mark.parametrize("kind", ["plain", "reduced", "centred"])
def test_the_first_format_is_read_added_to_and_replaced(tmp_path, kind):
    data = vectors(30, 8)
    folder, options = tmp_path / "index", {"metric": "euclidean" if kind == "centred" else "cosine"}
    arrays = {}
    if kind == "centred":
        arrays = {"centre": {"centre": data.mean(axis=0, dtype=np.float64)}}
    if kind == "reduced":
        options["components"] = 3
        arrays = {"reduction": vars(SimilarityIndex.build(data, **options).space.reduction)}
    version_1(folder, data, metric=options["metric"], ids="name", **arrays)
    table = Table({"name": ["new"], "embedding": vectors(1, 8, seed=5)})
    expected = SimilarityIndex.build(data, ids=[f"J{i}" for i in range(30)], **options)
    index = SimilarityIndex.open(folder)
    assert alike(index.search(data), expected.search(data))
    index.add(table)
    expected.add(table, ids="name")
    assert alike(SimilarityIndex.open(folder).search(table), expected.search(table))
    expected.save(folder, overwrite=True)
    assert same(SimilarityIndex.open(folder).search(table), expected.search(table))
    there, named = files(folder)
    assert there == named
    assert not {"reduction", "centre"} & set(os.listdir(folder))


def alike(first, second):
    return np.array_equal(first["id"], second["id"]) and np.allclose(
        first["similarity"], second["similarity"], atol=1e-6
    )
