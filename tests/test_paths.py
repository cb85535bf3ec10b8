"""Paths that no file system can name: refused with a reason wherever one may be given, before anything is done."""

import numpy as np
import pytest
from astropy.table import Table

import galzoo_repr as gzr
from galzoo_repr import CutoutStore, Encoder, SimilarityIndex, conf
from galzoo_repr.anomaly import InterestModel
from galzoo_repr.catalogue import read_catalogue, write_catalogue
from galzoo_repr.cutouts import BrickSurvey
from galzoo_repr.encoders import EmbeddingStore
from galzoo_repr.finetuning import MorphologyModel

X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
TABLE = Table({"ra": [1.0], "dec": [2.0]})


@pytest.mark.parametrize(("path", "fault"), [("a\0b", "a NUL character"), ("a\ud800b", "half of a letter")])
@pytest.mark.parametrize(
    "use",
    [
        CutoutStore,
        lambda path: CutoutStore(path, read_only=True),
        lambda path: gzr.add_cutouts(TABLE, store=path, fov="10 arcsec"),
        lambda path: BrickSurvey(server=path),
        lambda path: BrickSurvey(folder=path),
        EmbeddingStore,
        lambda path: Encoder.load("bundled").save(path),
        lambda path: SimilarityIndex.build(X).save(path),
        SimilarityIndex.open,
        MorphologyModel.load,
        InterestModel.load,
        lambda path: read_catalogue(f"{path}.fits"),
        lambda path: write_catalogue(TABLE, f"{path}.ecsv"),
        lambda path: gzr.rate(Table({"embedding": X}), lambda rows: 1.0, path=path),
    ],
)
def test_what_cannot_be_named_is_refused(use, path, fault):
    with pytest.raises(ValueError, match=f"cannot be the path of .*: it holds {fault}.*; give another one"):
        use(path)


def test_so_is_a_cache():
    with conf.set_temp("cache_dir", "a\0b"), pytest.raises(ValueError, match="it holds a NUL character"):
        gzr.add_cutouts(TABLE, fov="10 arcsec")


def test_a_store_exports_to_no_such_folder(tmp_path):
    with CutoutStore(tmp_path) as store, pytest.raises(ValueError, match="path of a folder of cutouts"):
        store.export("a\0b")


def test_home_stands_for_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    SimilarityIndex.build(X).save("~/index")
    assert (tmp_path / "index" / "index.json").exists()
    assert len(SimilarityIndex.open("~/index")) == 20
