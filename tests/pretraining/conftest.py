import importlib.util
from pathlib import Path

import pytest
import torch

_spec = importlib.util.spec_from_file_location("toy_galaxies", Path(__file__).with_name("toy_galaxies.py"))
_toy = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_toy)


@pytest.fixture(scope="session")
def toy():
    """Module of the toy galaxies."""
    return _toy


@pytest.fixture(autouse=True)
def _one_thread():
    """Tiny networks are slower on more threads, and equal to the bit only on as many."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
