"""What the tests of the verbs share: a simulated survey that answers."""

import pytest

from galzoo_repr import SimulatedSurvey


@pytest.fixture(scope="session")
def service():
    """A simulated survey on the loopback interface."""
    with SimulatedSurvey(seed=3).serve() as running:
        yield running


@pytest.fixture(scope="session")
def galaxies():
    """Galaxies of the survey that `service` serves."""
    return SimulatedSurvey(seed=3).catalogue(8)
