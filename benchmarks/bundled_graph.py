"""Make the graph that comes with the package for the bundled encoder again: ``python benchmarks/bundled_graph.py``.

Needed when the bundled encoder changes its architecture or the size of its images, not when it changes its weights.
"""

from galzoo_repr import Encoder
from galzoo_repr.encoders._graph import GRAPHS, export_graph, graph_file

encoder = Encoder.load("bundled", device="cpu", backend="torch")
shape = (encoder.recipe.channels, encoder.recipe.size, encoder.recipe.size)
for old in GRAPHS.glob("*.onnx"):
    old.unlink()
path = GRAPHS / graph_file(encoder.architecture, encoder.model_kwargs, shape)
path.write_bytes(export_graph(encoder.model, shape))
print(f"{path}: {path.stat().st_size} bytes")
