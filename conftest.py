"""Settings and fixtures of every test: those in tests/, and the doctests of the package and the pages."""

import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

# One thread each, as several processes may share the machine. Read when torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure(config: pytest.Config) -> None:
    """Show the versions that matter, and keep astropy from fetching Earth-rotation tables."""
    # Shells start what runs in the background with Ctrl-C ignored, and processes that tests interrupt inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    from astropy.utils import iers
    from hypothesis import settings
    from pytest_astropy_header.display import PYTEST_HEADER_MODULES, TESTED_VERSIONS

    iers.conf.auto_download = False
    # How long one example takes says more of the machine than of the package.
    settings.register_profile("galzoo_repr", deadline=None)
    settings.load_profile("galzoo_repr")
    PYTEST_HEADER_MODULES.clear()
    # Read from the installed metadata: importing torch only to print its version would delay every run.
    TESTED_VERSIONS.update(
        {
            name: version(name)
            for name in ("galzoo_repr", "astropy", "astroquery", "numpy", "torch", "timm", "scikit-learn")
        }
    )


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, with the reason, what this machine cannot run."""
    if item.get_closest_marker("gpu") is not None:
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no CUDA device on this machine")
    if item.get_closest_marker("real_data") is not None and not os.environ.get("GALZOO_REAL_DATA"):
        pytest.skip("GALZOO_REAL_DATA does not name a folder of real galaxies")


@pytest.fixture(autouse=True)
def isolated_cache(tmp_path_factory: pytest.TempPathFactory):  # noqa: ANN201
    """Give every test a cache of its own, so that none sees what another (or the user) has fetched."""
    from galzoo_repr import conf

    folder = tmp_path_factory.mktemp("cache", numbered=True)
    if (reduced := sys.modules.get("galzoo_repr.catalogue._reduced")) is not None:
        reduced._kept.clear()
    with conf.set_temp("cache_dir", str(folder)):
        yield folder


@pytest.fixture(autouse=True)
def examples_write_elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the examples of docstrings and pages in an empty folder, as they may write files."""
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(request.getfixturevalue("tmp_path"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real galaxies; the test is skipped where there is none."""
    named = os.environ.get("GALZOO_REAL_DATA")
    if not named:
        pytest.skip("GALZOO_REAL_DATA does not name a folder of real galaxies")
    folder = Path(named).expanduser()
    if not folder.is_dir():
        pytest.skip(f"GALZOO_REAL_DATA names {named}, which is not a folder")
    return folder
