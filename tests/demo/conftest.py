"""One small run of the demonstration, which several tests look at."""

import pytest
from typer.testing import CliRunner

from galzoo_repr.cli import app


@pytest.fixture(scope="session")
def finished(tmp_path_factory, small_encoder):
    """What the command printed, and its folder."""
    out = tmp_path_factory.mktemp("demo") / "out"
    arguments = ["demo", "--out", str(out), "-n", "40", "--encoder", str(small_encoder), "--quiet"]
    return CliRunner().invoke(app, arguments), out
