"""Make the graph of the encoder ``bundled-int8``, and say what it costs: ``python benchmarks/bundled_int8.py``.

Weights and activations are whole numbers of 8 bits, in ranges that are calibrated on simulated galaxies. Weights use 7
of the bits, so that no processor saturates and all give the same. Run it again when the weights change. With ``--real``
the cost is measured on the galaxies that GALZOO_REAL_DATA names.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import galzoo_repr
from galzoo_repr import Encoder, LegacySurvey, SimulatedSurvey, add_cutouts, add_embeddings

GALAXIES, BATCH = 96, 8
BUNDLED = Path(galzoo_repr.__file__).parent / "encoders"


class Batches(CalibrationDataReader):
    """Prepared images in batches, once."""

    def __init__(self, images: np.ndarray) -> None:
        self.batches = iter([{"images": images[i : i + BATCH]} for i in range(0, len(images), BATCH)])

    def get_next(self) -> dict | None:
        return next(self.batches, None)


def simulated_images(encoder: Encoder, folder: Path) -> np.ndarray:
    """Galaxies as the encoder sees them."""
    sky = SimulatedSurvey(seed=5)
    with sky.serve() as service:
        survey = LegacySurvey(server=service.url)
        table = add_cutouts(sky.catalogue(GALAXIES), survey=survey, store=folder / "cutouts", progress=False)
    images = [galzoo_repr.images.read_image(path) for path in table["cutout"]]
    return np.concatenate([encoder.recipe.prepare([image]) for image in images]).astype(np.float32)


def with_weights(encoder: Encoder) -> onnx.ModelProto:
    """Put the weights into the graph that comes with the package."""
    graph = next((BUNDLED / "graphs").glob(f"{encoder.architecture}-????????????.onnx"))
    model = onnx.load(graph, load_external_data=False)
    weights = {name: one.numpy() for name, one in encoder.model.state_dict().items()}
    for one in model.graph.initializer:
        if one.name in weights:
            one.CopyFrom(onnx.numpy_helper.from_array(weights[one.name], one.name))
    return model


def make(target: Path) -> None:
    """Calibrate and write the graph."""
    encoder = Encoder.load("bundled", device="cpu")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        onnx.save(with_weights(encoder), folder / "float.onnx")
        quant_pre_process(folder / "float.onnx", folder / "shaped.onnx", skip_symbolic_shape=True)
        quantize_static(
            folder / "shaped.onnx",
            target,
            Batches(simulated_images(encoder, folder)),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


def nearest(vectors: np.ndarray) -> np.ndarray:
    """Rows of the ten most alike to each."""
    vectors = vectors - vectors.mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -2)
    return np.argsort(-likeness, axis=1)[:, :10]


def compare(work: Path) -> None:
    """Cosine, neighbours kept, precision at 10 and speed on real galaxies, beside those of ``bundled``."""
    from real_galaxies import read_set
    from representation import precision_at_10

    names = "bundled", "bundled-int8"
    encoders = {name: Encoder.load(name, device="cpu") for name in names}
    for of, label in (("gz2_votes", "gz2_class"), ("decals_rings", "label")):
        table = read_set(of, work)
        options = {"images": "file_loc", "embedding_store": False, "progress": False}
        full, small = (
            np.asarray(add_embeddings(table["file_loc",], encoder=one, **options)["embedding"])
            for one in encoders.values()
        )
        cosine = (full * small).sum(1) / np.linalg.norm(full, axis=1) / np.linalg.norm(small, axis=1)
        kept = np.mean([len({*a} & {*b}) / 10 for a, b in zip(nearest(full), nearest(small), strict=True)])
        labels = np.array([str(one)[:1] for one in table[label]])
        rows = np.isin(labels, [one for one in np.unique(labels) if (labels == one).sum() > 20])
        precisions = [
            np.mean([precision_at_10(one[rows], labels[rows], seed) for seed in range(5)])
            for one in (full, small)
        ]
        print(
            f"{of}: cosine {cosine.min():.3f} at least, {np.median(cosine):.4f} in the middle; {kept:.3f} of the ten "
            f"most alike kept; precision at 10 {precisions[0]:.3f}, int8 {precisions[1]:.3f}"
        )
    images = np.random.default_rng(0).random((32, 3, 112, 112), dtype=np.float32)
    seconds = {name: [] for name in names}
    for _ in range(20):
        for name, encoder in encoders.items():
            began = time.process_time()
            encoder.embed(images, threads=1)
            seconds[name].append(time.process_time() - began)
    float32, int8 = (1000 * np.median(seconds[name]) / len(images) for name in names)
    print(f"{float32:.2f} ms an image, int8 {int8:.2f} ms: {float32 / int8:.2f} times as fast")


def main() -> None:
    """Make the graph, or measure it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--real", action="store_true", help="only measure it on real galaxies")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "galzoo-real")
    options = parser.parse_args()
    if options.real:
        compare(options.work)
    else:
        make(BUNDLED / "bundled" / "int8.onnx")


if __name__ == "__main__":
    main()
