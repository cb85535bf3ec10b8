"""What the tests of several rooms share."""

import pytest
import timm
import torch

from galzoo_repr import Encoder, ImageRecipe


def pytest_make_parametrize_id(val):
    """Name long inputs by their beginning: an input of 64 MB made a name of 64 MB, which each process kept."""
    return f"{val[:30]!r} and so on" if isinstance(val, str | bytes) and len(val) > 100 else None


@pytest.fixture(scope="session")
def small_encoder(tmp_path_factory):
    """Folder of an untrained encoder that is fast."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoder") / "small"
    network = timm.create_model("lcnet_050", num_classes=0)
    Encoder(network, ImageRecipe(size=64, crop=0.6), name="small").save(folder)
    return folder
