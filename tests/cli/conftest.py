"""What the tests of the verbs share: a small encoder, and a simulated survey that answers."""

import pytest
import timm
import torch

from galzoo_repr import Encoder, ImageRecipe, SimulatedSurvey


@pytest.fixture(scope="session")
def small_encoder(tmp_path_factory):
    """Folder of an untrained encoder that is fast."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("encoder") / "small"
    network = timm.create_model("lcnet_050", num_classes=0)
    Encoder(network, ImageRecipe(size=64, crop=0.6), name="small").save(folder)
    return folder


@pytest.fixture(scope="session")
def service():
    """A simulated survey on the loopback interface."""
    with SimulatedSurvey(seed=3).serve() as running:
        yield running


@pytest.fixture(scope="session")
def galaxies():
    """Galaxies of the survey that `service` serves."""
    return SimulatedSurvey(seed=3).catalogue(8)
