"""A network on CPUs by ONNX Runtime: its graph, and the weights that belong into it."""

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnxruntime

__all__ = ["OnnxNetwork"]


class OnnxNetwork:
    """
    Features of images without torch.

    Parameters
    ----------
    graph : bytes
        Made by `export_graph`, without weights.
    weights : mapping of str to numpy.ndarray
        By the names of the network's ``state_dict``; those of 16 bits are computed with in 32.
    """

    def __init__(self, graph: bytes, weights: Mapping[str, np.ndarray]) -> None:
        self._graph = graph
        self._weights = {
            name: np.ascontiguousarray(one, dtype=np.float32)
            for name, one in weights.items()
            if one.dtype.kind == "f"
        }

    def features(self, images: np.ndarray) -> np.ndarray:
        """Give ``(B, dim)`` float32 features of ``(B, channels, size, size)`` float32 images, by one thread."""
        return self._session.run(None, {"images": np.ascontiguousarray(images, dtype=np.float32)})[0]

    @cached_property
    def _session(self) -> "onnxruntime.InferenceSession":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # Several callers share one session, each on a thread of its own.
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(one) for one in self._weights.values()]
        options.add_external_initializers(list(self._weights), values)
        return onnxruntime.InferenceSession(self._graph, options, providers=["CPUExecutionProvider"])

    def __getstate__(self) -> dict:
        """Leave the session out, which is made anew where it is needed."""
        return {name: value for name, value in vars(self).items() if name != "_session"}
