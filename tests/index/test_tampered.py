"""A folder that somebody has changed: refused with a reason, or built again; never a crash or another answer."""

import hashlib
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from galzoo_repr import SimilarityIndex

DATA = np.random.default_rng(5).normal(size=(60, 8)).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    SimilarityIndex.build(DATA, components=4).save(tmp_path / "index")
    return tmp_path / "index"


def change_card(folder, change):
    card = json.loads((folder / "index.json").read_text())
    change(card)
    (folder / "index.json").write_text(json.dumps(card))


def replace(folder, entry, array):
    """Put another array in place of one, such that the card agrees with it."""
    path = folder / entry["file"]
    np.save(path, array)
    entry |= {"dtype": array.dtype.str, "shape": list(array.shape)}
    entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()


def array_of(folder, field):
    return next(folder.glob(f"{field}-*.npy"))


@pytest.mark.parametrize(
    ("field", "array"),
    [
        ("vectors", np.ones((60, 4), np.int32)),
        ("vectors", np.ones((60, 4), np.float64)),
        ("vectors", np.ones((60, 5), np.float32)),
        ("vectors", np.ones(60, np.float32)),
        ("rows", np.zeros(60)),
        ("rows", np.zeros((60, 1), np.int64)),
        ("ids", np.zeros(60, np.float32)),
        ("ids", np.zeros(59, np.int64)),
        ("positions", np.zeros((60, 2), np.float32)),
        ("positions", np.zeros((60, 3))),
    ],
)
def test_arrays_of_another_type_or_shape(folder, field, array):
    change_card(folder, lambda card: replace(folder, card["segments"][0]["arrays"][field], array))
    with pytest.raises(ValueError, match="the index is damaged"):
        SimilarityIndex.open(folder)


@pytest.mark.parametrize(
    ("field", "array"),
    [
        ("mean", np.zeros(7)),
        ("mean", np.full(8, np.nan)),
        ("axes", np.zeros((8, 4), np.float32)),
        ("axes", np.zeros((8, 3))),
        ("explained", np.zeros((4, 1))),
    ],
)
def test_arrays_of_the_space(folder, field, array):
    change_card(folder, lambda card: replace(folder, card["space"]["arrays"][field], array))
    with pytest.raises(ValueError, match="the index is damaged"):
        SimilarityIndex.open(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda card: card["space"].update(metric="manhattan"),
        lambda card: card["space"].update(metric=["cosine"]),
        lambda card: card["space"].update(arrays=3),
        lambda card: card["space"]["arrays"].pop("mean"),
        lambda card: card["space"]["arrays"]["mean"].update(file="../mean-0123abcd.npy"),
        lambda card: card["segments"][0].update(name="../../elsewhere"),
        lambda card: card["segments"][0].update(name=None),
        lambda card: card["segments"][0].update(rows=61),
        lambda card: card["segments"][0]["arrays"]["ids"].update(file="/etc/hostname"),
        lambda card: card["segments"].append(3),
        lambda card: card["segments"].clear(),
        lambda card: card.update(segments={}),
        lambda card: card.pop("facts"),
        lambda card: card["facts"].update(given_dim=-8),
        lambda card: card["facts"].update(given_dim="8"),
        lambda card: card["facts"].update(dtype="int32"),
        lambda card: card["facts"].update(source_rows=10),
        lambda card: card["facts"].update(more=1),
        lambda card: card["facts"].update(method="quantum"),
    ],
)
def test_cards_that_say_what_cannot_be(folder, change):
    change_card(folder, change)
    with pytest.raises(ValueError, match="the index is damaged"):
        SimilarityIndex.open(folder)


@pytest.mark.parametrize("kept", [0, 4, 60, 127, 200, -1])
def test_a_file_that_was_cut(folder, kept):
    path = array_of(folder, "vectors")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ValueError, match="the index is damaged"):
        SimilarityIndex.open(folder)


def test_a_header_that_claims_more_memory_than_there_is(folder):
    with array_of(folder, "rows").open("wb") as file:
        header = {"descr": "<i8", "fortran_order": False, "shape": (6 * 10**12,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(bytes(480))
    with pytest.raises(ValueError, match="not as long as its header says"):
        SimilarityIndex.open(folder)


@pytest.mark.skipif(os.name != "posix", reason="there are no such files")
@pytest.mark.parametrize("field", ["vectors", "ids", "mean"])
def test_what_is_no_file_is_not_waited_for(folder, field):
    path = array_of(folder, field)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match="is missing, or no file"):
        SimilarityIndex.open(folder)


def test_a_card_nested_very_deeply(folder):
    (folder / "index.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(ValueError, match="nested too deeply"):
        SimilarityIndex.open(folder)


def test_one_changed_byte_is_seen_on_opening_or_by_verify(folder):
    SimilarityIndex.open(folder).verify()
    for path in sorted(folder.glob("*.npy")):
        content = path.read_bytes()
        path.write_bytes(content[:-3] + bytes([content[-3] ^ 1]) + content[-2:])
        with pytest.raises(ValueError, match="has changed since it was written"):
            SimilarityIndex.open(folder).verify()
        path.write_bytes(content)
    with pytest.raises(ValueError, match="no digests"):
        SimilarityIndex.build(DATA).verify()


def test_the_second_format_is_read_and_has_no_digests(folder):
    def earlier(card):
        card["format_version"] = 2
        card["space"]["arrays"] = {field: one["file"] for field, one in card["space"]["arrays"].items()}
        del card["segments"][0]["arrays"]

    before = SimilarityIndex.open(folder).search(DATA[:3])
    change_card(folder, earlier)
    index = SimilarityIndex.open(folder)
    assert (index.search(DATA[:3])["id"] == before["id"]).all()
    with pytest.raises(ValueError, match="no digests"):
        index.verify()
    index.add(DATA[:2] + 1)
    assert len(SimilarityIndex.open(folder)) == 62


def outside(count):
    def change(array):
        array = array.copy()
        array.flat[0] = count
        return array

    return change


@pytest.fixture
def with_graph(tmp_path, approximate):
    SimilarityIndex.build(DATA, method="pynndescent").save(tmp_path / "index")
    return tmp_path / "index"


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("_search_graph.indices", outside(10**9)),
        ("_search_graph.indices", outside(-1)),
        ("_search_graph.indptr", outside(5)),
        ("_search_graph.indptr", lambda a: a[::-1].copy()),
        ("_search_graph.data", lambda a: a[:-1]),
        ("_vertex_order", outside(60)),
        ("_vertex_order", lambda a: np.zeros_like(a)),
        ("_visited", lambda a: a[:2]),
        ("search_rng_state", lambda a: a[:1]),
        ("_min_distance", lambda a: np.array([1.0, 2.0])),
        ("tree.0.0", lambda a: a[:, :3].copy()),
        ("tree.0.1", lambda a: a[:0]),
        ("tree.0.2", outside(10**6)),
        ("tree.0.2", lambda a: np.full_like(a, -(10**6))),
        ("tree.0.2", lambda a: np.where(a > 0, 1, a).astype(a.dtype)),
        ("tree.0.3", outside(2**31 - 1)),
        ("tree.0.3", lambda a: a.astype(float)),
        ("tree.0.4", lambda a: np.array(-1)),
    ],
)
def test_arrays_of_the_graph_that_lead_out_of_it(with_graph, caplog, field, change):
    graph = json.loads((with_graph / "index.json").read_text())["graph"]
    inner = with_graph / graph["folder"]
    array = change(np.load(inner / f"{field}.npy"))
    change_card(with_graph, lambda card: replace(inner, card["graph"]["arrays"][field], array))
    assert SimilarityIndex.open(with_graph)._saved.load_graph() is None
    assert "cannot be used" in caplog.text


@pytest.mark.parametrize(
    "settings",
    [
        {"metric": "jaccard"},
        {"quantization": "int8"},
        {"query": 3},
        {"dim": 9},
        {"folder": "../index"},
        {"arrays": 3},
        {"_is_sparse": True},
    ],
)
def test_settings_of_the_graph(with_graph, settings):
    change_card(with_graph, lambda card: card["graph"].update(settings))
    assert SimilarityIndex.open(with_graph)._saved.load_graph() is None


def test_the_graph_itself_is_used(with_graph):
    assert SimilarityIndex.open(with_graph)._saved.load_graph() is not None


SEARCH = """
import json, pickle, sys
indexes, vectors = pickle.load(sys.stdin.buffer)
print(json.dumps([index.search(vectors, n=3)["id"].tolist() for index in indexes]))
"""


def test_an_index_goes_to_other_processes(folder):
    saved, in_memory = SimilarityIndex.open(folder), SimilarityIndex.build(DATA, components=4)
    assert len(pickle.dumps(saved)) < 1000
    for index in (saved, in_memory):
        assert repr(pickle.loads(pickle.dumps(index))) == repr(index)
    sent = pickle.dumps(((saved, in_memory), DATA[:4]))
    done = subprocess.run([sys.executable, "-c", SEARCH], input=sent, capture_output=True, timeout=300)
    expected = [index.search(DATA[:4], n=3)["id"].tolist() for index in (saved, in_memory)]
    assert json.loads(done.stdout) == expected, done.stderr
