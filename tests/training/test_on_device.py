import pytest
import torch

from galzoo_repr.training import half_precision, room_for_batches


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu")])
def test_cpus_compute_in_full_precision(device):
    layer = torch.nn.Linear(2, 2)
    with half_precision(device):
        assert layer(torch.ones(1, 2)).dtype == torch.float32


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried ..."),
        RuntimeError("can't allocate memory: 9 GB"),
    ],
)
@pytest.mark.parametrize(
    ("batch_size", "advice"), [(256, "such as batch_size=128, or smaller images"), (2, "use a CPU")]
)
def test_too_little_memory_names_the_argument(batch_size, advice, error):
    message = f"cuda:1 has no memory for training with batch_size={batch_size}: .*{advice}.* \\({error}\\)"
    with pytest.raises(torch.cuda.OutOfMemoryError, match=message), room_for_batches(batch_size, "cuda:1"):
        raise error


def test_other_errors_pass():
    with pytest.raises(RuntimeError, match="shapes differ"), room_for_batches(2, "cpu"):
        raise RuntimeError("shapes differ")
