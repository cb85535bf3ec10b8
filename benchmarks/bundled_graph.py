"""Make the graph that comes with the package for the bundled encoder again: ``python benchmarks/bundled_graph.py``.

Needed when the bundled encoder changes its architecture or the size of its images, not when it changes its weights.
"""

import shutil
import tempfile
from pathlib import Path

import galzoo_repr.encoders
from galzoo_repr import Encoder, conf

graphs = Path(galzoo_repr.encoders.__file__).parent / "graphs"
for old in graphs.glob("*.onnx"):
    old.unlink()
with tempfile.TemporaryDirectory() as folder, conf.set_temp("cache_dir", folder):
    Encoder.load("bundled", device="cpu", backend="onnx")
    (made,) = Path(folder, "graphs").iterdir()
    path = shutil.copy(made, graphs)
print(f"{path}: {Path(path).stat().st_size} bytes")
