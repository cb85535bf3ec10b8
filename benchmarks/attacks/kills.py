"""Writers that are killed, and writers that write at once: what is there is whole, and nothing of another is lost."""

import os

import numpy as np
import timm
import torch
from astropy.table import Table

import galzoo_repr as gzr
from galzoo_repr import Encoder, ImageRecipe, InterestModel, MorphologyModel, SimilarityIndex

from . import attack, killed_again_and_again

DATA = np.random.default_rng(0).normal(size=(3000, 16)).astype(np.float32)


@attack(seconds=120)
def an_index_is_saved_over_another_20_kills(folder):
    kinds = [SimilarityIndex.build(DATA), SimilarityIndex.build(DATA[:2000], components=4)]
    kinds[0].save(folder / "index")

    def check():
        index = SimilarityIndex.open(folder / "index")
        index.verify()
        assert len(index) in (3000, 2000)
        same = kinds[len(index) == 2000]
        assert (index.search(DATA[:3])["id"] == same.search(DATA[:3])["id"]).all()

    killed_again_and_again(lambda turn: kinds[turn % 2].save(folder / "index", overwrite=True), check)
    kinds[1].save(folder / "index", overwrite=True)
    assert len(list((folder / "index").glob("*.npy"))) == 7, "arrays of killed writers were left behind"


@attack(seconds=120)
def an_index_is_added_to_20_kills(folder):
    SimilarityIndex.build(DATA[:100], ids=np.arange(100)).save(folder / "index")
    counts = [100]

    def act(turn):
        index = SimilarityIndex.open(folder / "index")
        first = len(index)
        index.add(DATA[:10] + first, ids=np.arange(first, first + 10))

    def check():
        index = SimilarityIndex.open(folder / "index")
        index.verify()
        assert len(index) >= counts[-1]
        assert len(index) % 10 == 0
        assert (index.ids == np.arange(len(index))).all()
        counts.append(len(index))

    killed_again_and_again(act, check)


@attack(seconds=120)
def four_processes_add_to_an_index_at_once(folder):
    SimilarityIndex.build(DATA[:100], ids=np.arange(100)).save(folder / "index")
    index, children = SimilarityIndex.open(folder / "index"), []
    for number in range(1, 5):
        children.append(os.fork())
        if children[-1] == 0:
            for turn in range(10):
                index.add(DATA[:10], ids=1000 * number + 10 * turn + np.arange(10))
            os._exit(0)
    assert all(os.waitpid(child, 0)[1] == 0 for child in children)
    assert len(np.unique(SimilarityIndex.open(folder / "index").ids)) == 500


def small_encoder(seed):
    torch.manual_seed(seed)
    return Encoder(timm.create_model("lcnet_035", num_classes=0), ImageRecipe(size=32), name=f"small{seed}")


@attack(seconds=180, megabytes=600)
def an_encoder_is_saved_over_another_20_kills(folder):
    kinds = [small_encoder(0), small_encoder(1)]
    kinds[0].save(folder / "encoder")
    digests = {one.digest: one.name for one in kinds}

    def check():
        one = Encoder.load(folder / "encoder")
        assert digests[one.digest] == one.name

    killed_again_and_again(lambda turn: kinds[turn % 2].save(folder / "encoder", overwrite=True), check)


def fine_tuned(seed, folder):
    """A model with an encoder of its own, on pictures of noise with or without a square."""
    rng = np.random.default_rng(seed)
    truth = np.arange(40) % 2
    pictures = rng.integers(0, 60, (40, 48, 48, 3)).astype(np.uint8)
    pictures[truth == seed % 2, 12:36, 12:36] = 230
    encoder, table = small_encoder(seed), Table({"square": truth.astype(float)})
    options = {"images": pictures, "encoder": encoder, "progress": False}
    table = gzr.add_embeddings(table, **options, embedding_store=False)
    return gzr.finetune(table, "square", depth=1, epochs=1, output=folder / f"run{seed}", **options)


@attack(seconds=400, megabytes=1500)
def a_fine_tuned_model_is_saved_over_another_20_kills(folder):
    kinds = [fine_tuned(0, folder), fine_tuned(1, folder)]
    kinds[0].save(folder / "model")
    halves = {one.encoder.digest: one.head.weights for one in kinds}
    assert len(halves) == 2

    def check():
        model = MorphologyModel.load(folder / "model")
        assert np.array_equal(halves[model.encoder.digest], model.head.weights), (
            "a head with another's encoder"
        )

    killed_again_and_again(lambda turn: kinds[turn % 2].save(folder / "model", overwrite=True), check)


@attack(seconds=180)
def an_interest_is_saved_over_another_20_kills(folder):
    kinds = []
    for seed in (0, 1):
        ratings = np.full(300, np.nan)
        ratings[:20] = np.random.default_rng(seed).uniform(0, 5, 20)
        kinds.append(InterestModel().fit(DATA[:300], ratings))
    kinds[0].save(folder / "interest")
    wanted = [np.asarray(one.predict(DATA[:5])[0]) for one in kinds]

    def check():
        found = np.asarray(InterestModel.load(folder / "interest").predict(DATA[:5])[0])
        assert any(np.allclose(found, one) for one in wanted)

    killed_again_and_again(lambda turn: kinds[turn % 2].save(folder / "interest", overwrite=True), check)
