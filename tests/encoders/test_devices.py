"""Passes of a network on its device: how many images at once, in how many bits, and on how many devices."""

import copy
import threading
import warnings

import numpy as np
import pytest
import torch
from astropy.table import Table
from torch import nn

from galzoo_repr import Encoder, ImageRecipe, add_embeddings
from galzoo_repr._device import each_device
from galzoo_repr.encoders import _passes
from galzoo_repr.exceptions import GalzooWarning

WAYS_TO_SAY = [
    torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried ..."
    ),
]


class Small(nn.Module):
    """Means of colours, from a device that holds no more than so many images at once."""

    def __init__(self, holds=10**9, error=WAYS_TO_SAY[0]):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.holds, self.error = holds, error
        self.asked, self.threads = [], set()

    def forward(self, images):
        self.asked.append(len(images))
        self.threads.add(threading.get_ident())
        if len(images) > self.holds:
            raise copy.copy(self.error)
        return images.mean((2, 3)) * self.scale


def encoder_of(model, views=1, size=16):
    return Encoder(model, ImageRecipe(size=size), name="small", views=views)


@pytest.mark.gpu
def test_a_gpu_prepares_what_it_embeds(encoder):
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 255, (side, side, 3), dtype=np.uint8) for side in rng.integers(40, 90, 600)]
    options = {"images": pictures, "embedding_store": False, "progress": False}
    table = Table({"id": np.arange(600)})
    on_cpu, on_gpu = (
        np.asarray(add_embeddings(table, encoder=encoder.to(device), **options)["embedding"])
        for device in ("cpu", "gpu")
    )
    cosine = torch.cosine_similarity(torch.from_numpy(on_gpu), torch.from_numpy(on_cpu))
    assert cosine.min() > 0.999


@pytest.fixture
def noise():
    generator = torch.Generator().manual_seed(1)
    colours = 0.2 + 0.8 * torch.rand(37, 3, 1, 1, generator=generator)
    return colours * torch.rand(37, 3, 16, 16, generator=generator)


class TestMemory:
    @pytest.mark.parametrize("error", WAYS_TO_SAY, ids=lambda error: str(error)[:24])
    def test_that_is_too_small_halves_the_batch_and_loses_no_row(self, error, noise):
        model = Small(holds=5, error=error)
        assert torch.allclose(encoder_of(model).embed(noise), noise.mean((2, 3)))
        # 37 at once, then 18, 9, and 4.
        assert model.asked[1:4] == [37, 18, 9]
        assert set(model.asked[4:]) == {4, 1}

    @pytest.mark.parametrize("views", [1, 2, 4, 8])
    @pytest.mark.parametrize("holds", [1, 3, 16])
    def test_holds_so_many_images_of_whatever_view(self, views, holds, noise):
        result = encoder_of(Small(holds), views=views).embed(noise)
        assert torch.allclose(result, noise.mean((2, 3)), atol=1e-6)

    def test_is_remembered(self, noise):
        model = Small(holds=10)
        encoder = encoder_of(model)
        for _ in range(2):
            encoder.embed(noise, batch_size=16)
        assert model.asked.count(16) == 1

    @pytest.mark.parametrize("whole", [int, np.int64])
    def test_is_not_asked_for_more_than_is_wanted(self, whole, noise):
        model = Small()
        encoder_of(model).embed(noise, batch_size=whole(7))
        assert max(model.asked) == 7

    def test_for_not_even_one_image_is_an_error(self, noise):
        model = Small()
        encoder = encoder_of(model)
        model.holds = 0
        with pytest.raises(torch.cuda.OutOfMemoryError, match="not even one image at a time fits"):
            encoder.embed(noise)

    def test_other_errors_stay_what_they_are(self, noise):
        model = Small()
        encoder = encoder_of(model)
        model.holds, model.error = 0, RuntimeError("mat1 and mat2 shapes cannot be multiplied")
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            encoder.embed(noise)
        assert model.asked[1:] == [37]

    @pytest.mark.parametrize(
        ("free", "per_image", "size"), [(10**9, 10**6, 300), (10**6, 10**6, 1), (10**15, 10**6, 131072)]
    )
    def test_that_is_free_decides_how_many_images_a_gpu_gets(self, free, per_image, size, monkeypatch):
        monkeypatch.setattr(_passes, "free_memory", lambda device: free)
        passes = _passes.Passes(torch.device("cuda"))
        passes._per_image = per_image
        assert passes.size(None, 16**2) == size
        assert passes.size(7, 16**2) == 7


class Fragile(nn.Module):
    """Small differences of large numbers, which few bits do not hold."""

    def __init__(self, offset):
        super().__init__()
        self.layer, self.offset = nn.Linear(3, 3), offset
        with torch.no_grad():
            self.layer.weight.copy_(torch.eye(3))
            self.layer.bias.fill_(offset)

    def forward(self, images):
        return self.layer(images.mean((2, 3))) - self.offset


class TestFewerBits:
    @pytest.fixture(autouse=True)
    def on_cpus(self, monkeypatch):
        monkeypatch.setitem(_passes._FEWER_BITS, "cpu", ("bfloat16", "float16"))
        monkeypatch.setattr(_passes, "has_bfloat16", lambda device: True)

    def bits(self, encoder):
        return _passes.passes_of(encoder.model).dtype

    @pytest.mark.parametrize(
        ("offset", "dtype"), [(0.0, torch.bfloat16), (10.0, torch.float16)], ids=["bfloat16", "float16"]
    )
    def test_are_used_where_features_stay_the_same(self, offset, dtype, noise):
        encoder = encoder_of(Fragile(offset))
        exact = noise.mean((2, 3))
        cosine = torch.cosine_similarity(encoder.embed(noise), exact)
        assert self.bits(encoder) == dtype
        assert 0.999 <= cosine.min() < 1

    def test_are_not_used_elsewhere_which_is_said_once(self, noise):
        encoder = encoder_of(Fragile(3000.0))
        with pytest.warns(GalzooWarning, match="computes in 32 bits.*in bfloat16, .* in float16; 0.999"):
            first = encoder.embed(noise)
        assert torch.allclose(first, noise.mean((2, 3)), atol=1e-3)
        assert torch.equal(encoder.embed(noise), first)  # and no warning, which would be an error here

    def test_wait_for_images_that_tell(self, noise):
        encoder = encoder_of(Fragile(0.0))
        encoder.embed(torch.zeros_like(noise))
        assert self.bits(encoder) is None
        encoder.embed(noise)
        assert self.bits(encoder) == torch.bfloat16

    def test_that_overflow_later_are_computed_again(self, noise, monkeypatch):
        monkeypatch.setitem(_passes._FEWER_BITS, "cpu", ("float16",))
        encoder = encoder_of(Fragile(0.0))
        encoder.embed(noise)
        assert self.bits(encoder) == torch.float16
        bright = noise * 1e6
        assert torch.allclose(encoder.embed(bright), bright.mean((2, 3)))


class TestSeveral:
    """Devices that are all the same CPU, with a copy of the network for each."""

    @pytest.fixture
    def spread(self, encoder):
        encoder._spread = ("cpu",) * 3
        return encoder

    @pytest.fixture
    def mixed(self):
        """Pictures of several sizes and types, of which two cannot be read and two are the same."""
        rng = np.random.default_rng(0)
        sides = rng.integers(40, 90, 60)
        pictures = [rng.integers(0, 255, (side, side, 3), dtype=np.uint8) for side in sides]
        pictures[5] = pictures[5] / np.float32(255)
        pictures[7], pictures[30] = None, np.full((50, 50, 3), np.nan)
        pictures[20] = pictures[2]
        return pictures

    @pytest.fixture(autouse=True)
    def small_batches(self, monkeypatch):
        from galzoo_repr.encoders import _stream

        monkeypatch.setattr(_stream, "_ROWS_PER_BATCH_ON_GPU", 4)

    @pytest.mark.filterwarnings("ignore:.* rows have no ")
    def test_give_each_row_what_one_gives(self, spread, mixed):
        table = Table({"id": np.arange(60)})
        options = {"images": mixed, "embedding_store": False, "progress": False}
        several = add_embeddings(table, encoder=spread, **options)
        spread._spread = ("cpu",)
        alone = add_embeddings(table, encoder=spread, **options)
        assert several["cutout_status"].tolist() == alone["cutout_status"].tolist()
        np.testing.assert_allclose(several["embedding"], alone["embedding"], rtol=1e-3, atol=1e-3)
        assert np.isnan(several["embedding"][:, 0]).nonzero()[0].tolist() == [7, 30]

    def test_all_take_part_and_keep_their_own_network(self, spread, mixed):
        networks = spread.on_each_device()
        assert [network.device for network in networks] == ["cpu"] * 3
        assert len({id(network.model) for network in networks}) == 3
        assert len({network.digest for network in networks}) == 1
        with torch.no_grad():
            next(networks[1].model.parameters()).zero_()
        assert networks[0].digest == spread.digest != networks[1].digest

    @pytest.mark.parametrize(
        ("chosen", "expected"),
        [
            ("cuda", ("cuda:0", "cuda:1", "cuda:2")),
            ("cuda:1", ("cuda:1",)),
            ("cpu", ("cpu",)),
            ("mps", ("mps",)),
        ],
    )
    def test_are_all_gpus_unless_one_is_named(self, chosen, expected, monkeypatch):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
        assert each_device(chosen) == expected

    def test_are_left_when_the_network_is_moved(self, spread):
        spread._spread = ("cuda:0", "cuda:1")
        assert spread.on_each_device() == [spread]
        assert spread.to("cpu").on_each_device() == [spread]

    def test_that_run_out_of_memory_lose_no_row(self, mixed):
        encoder = encoder_of(Small(holds=3), views=2)
        encoder._spread = ("cpu", "cpu")
        table = Table({"id": np.arange(60)})
        with warnings.catch_warnings(action="ignore", category=GalzooWarning):
            result = add_embeddings(
                table, encoder=encoder, images=mixed, embedding_store=False, progress=False
            )
        assert np.isfinite(result["embedding"]).all(axis=1).sum() == 58

    def test_one_that_fails_ends_the_call(self, mixed):
        model = Small()
        encoder = encoder_of(model)
        encoder._spread = ("cpu", "cpu")
        model.holds, model.error = 0, RuntimeError("the device is gone")
        with pytest.raises(RuntimeError, match="the device is gone"):
            add_embeddings(
                Table({"id": np.arange(60)}),
                encoder=encoder,
                images=mixed,
                embedding_store=False,
                progress=False,
            )
