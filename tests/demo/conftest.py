"""One small run of the demonstration, which several tests look at."""

import warnings

import pytest
from typer.testing import CliRunner

from galzoo_repr.cli import app


@pytest.fixture(scope="session")
def finished(tmp_path_factory, small_encoder):
    """What the command printed, and its folder."""
    out = tmp_path_factory.mktemp("demo") / "out"
    arguments = ["demo", "--out", str(out), "-n", "40", "--encoder", str(small_encoder), "--quiet"]
    with warnings.catch_warnings():
        # Of forty galaxies, described by a network that has learned nothing, labels show nothing.
        warnings.filterwarnings("ignore", "the labels in 'spiral' do not show")
        return CliRunner().invoke(app, arguments), out
