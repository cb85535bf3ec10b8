"""Folders of the package in which somebody has changed something."""

import hashlib
import json
import os

import numpy as np

from galzoo_repr import Encoder, SimilarityIndex
from galzoo_repr.catalogue import read_catalogue, write_catalogue

from . import attack, refused

DATA = np.random.default_rng(0).normal(size=(200, 8)).astype(np.float32)
HUGE = {"descr": "<f4", "fortran_order": False, "shape": (10**11, 8)}


def saved_index(folder):
    SimilarityIndex.build(DATA, components=4).save(folder / "index")
    return folder / "index"


def change(path, changed):
    card = json.loads(path.read_text())
    changed(card)
    path.write_text(json.dumps(card))


def in_place_of(folder, entry, array):
    """Another array, and a card that agrees with it."""
    np.save(folder / entry["file"], array)
    entry |= {"dtype": array.dtype.str, "shape": list(array.shape)}
    entry["sha256"] = hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest()


@attack(
    array={
        "int32 vectors": ("vectors", DATA[:, :4].astype(np.int32)),
        "vectors of other dimensions": ("vectors", DATA),
        "vectors in one dimension": ("vectors", DATA[:, 0]),
        "fewer vectors": ("vectors", DATA[:9, :4]),
        "complex vectors": ("vectors", DATA[:, :4].astype(complex)),
        "rows as reals": ("rows", np.arange(200.0)),
        "ids as reals": ("ids", np.arange(200.0)),
        "positions of three numbers": ("positions", np.zeros((200, 3))),
    }
)
def an_array_of_an_index_is_another(folder, array):
    index = saved_index(folder)
    field, values = array
    change(
        index / "index.json", lambda card: in_place_of(index, card["segments"][0]["arrays"][field], values)
    )
    refused(lambda: SimilarityIndex.open(index))


@attack(
    changed={
        "unknown metric": lambda card: card["space"].update(metric="manhattan"),
        "file elsewhere": lambda card: card["segments"][0]["arrays"]["ids"].update(file="../../etc/passwd"),
        "segment elsewhere": lambda card: card["segments"][0].update(name="../../../etc/passwd"),
        "graph elsewhere": lambda card: card.update(graph={"folder": "/", "seed": 0, "pynndescent": "0"}),
        "negative dimensions": lambda card: card["facts"].update(given_dim=-1),
        "huge dimensions": lambda card: card["facts"].update(given_dim=10**12),
        "no space": lambda card: card.pop("space"),
        "segments as text": lambda card: card.update(segments="vectors"),
        "later format": lambda card: card.update(format_version=99),
    }
)
def the_card_of_an_index_lies(folder, changed):
    index = saved_index(folder)
    change(index / "index.json", changed)
    try:
        SimilarityIndex.open(index).search(DATA[0], method="exact")
    except ValueError:
        return
    assert json.loads((index / "index.json").read_text())["graph"]["folder"] == "/"


@attack(kept=[0, 10, 128, 500, -1])
def vectors_are_cut(folder, kept):
    index = saved_index(folder)
    path = next(index.glob("vectors-*"))
    path.write_bytes(path.read_bytes()[:kept])
    refused(lambda: SimilarityIndex.open(index))


@attack(field=["vectors", "rows", "axes"])
def a_header_claims_terabytes(folder, field):
    index = saved_index(folder)
    with next(index.glob(f"{field}-*")).open("wb") as file:
        np.lib.format.write_array_header_1_0(file, HUGE)
    refused(lambda: SimilarityIndex.open(index))


@attack(field=["vectors", "ids", "mean"])
def an_array_is_a_pipe(folder, field):
    index = saved_index(folder)
    path = next(index.glob(f"{field}-*"))
    path.unlink()
    os.mkfifo(path)
    refused(lambda: SimilarityIndex.open(index))


@attack(card=["index.json", "encoder.json"], seconds=30)
def a_card_is_nested_a_hundred_thousand_deep(folder, card):
    (folder / card).write_text('{"a":' * 100_000 + "1" + "}" * 100_000)
    refused(lambda: (SimilarityIndex.open if card == "index.json" else Encoder.load)(folder))


@attack(card=["index.json", "encoder.json"])
def a_card_is_a_hundred_million_bytes(folder, card):
    with (folder / card).open("wb") as file:
        file.truncate(10**9)
    refused(lambda: (SimilarityIndex.open if card == "index.json" else Encoder.load)(folder))


@attack()
def a_byte_of_the_vectors_is_another(folder):
    index = saved_index(folder)
    path = next(index.glob("vectors-*"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    refused(SimilarityIndex.open(index).verify)


@attack(seconds=900, megabytes=1000)
def a_graph_leads_out_of_its_arrays(folder):
    """Compiled code would follow it: this takes the minute that pynndescent needs to be compiled."""
    index = folder / "index"
    SimilarityIndex.build(DATA, method="pynndescent").save(index)
    wanted = SimilarityIndex.open(index).search(DATA[:5], method="exact")["id"]
    for field in ("_search_graph.indices", "_search_graph.indptr", "_vertex_order", "tree.0.2", "tree.0.3"):
        leave_the_graph(index, field)
        found = SimilarityIndex.open(index).search(DATA[:5], method="pynndescent")["id"]
        assert (found == wanted).all()


def leave_the_graph(index, field):
    """Change the graph that is there now: one that was refused has been built again."""
    graph = json.loads((index / "index.json").read_text())["graph"]
    folder = index / graph["folder"]
    values = np.load(folder / f"{field}.npy")
    values.flat[:] = 2**31 - 1
    change(index / "index.json", lambda card: in_place_of(folder, card["graph"]["arrays"][field], values))


def header(meta):
    lines = [
        "%ECSV 1.0",
        "---",
        "datatype:",
        "- {name: a, datatype: int64}",
        f"meta: {meta}",
        "schema: astropy-2.0",
    ]
    return "".join(f"# {line}\n" for line in lines) + "a\n1\n"


def unfolding(depth):
    parts = [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 9)}]" for i in range(1, depth)]
    return "{a0: &a0 [x,x,x,x,x,x,x,x,x], " + ", ".join(parts) + "}"


@attack(
    meta={
        "aliases": unfolding(12),
        "within itself": "{m: &m [*m]}",
        "deep": "{m: " + "[" * 5000 + "]" * 5000 + "}",
    }
)
def a_header_in_yaml_unfolds(folder, meta):
    (folder / "bomb.ecsv").write_text(header(meta))
    refused(lambda: write_catalogue(read_catalogue(folder / "bomb.ecsv"), folder / "out.ecsv"))
