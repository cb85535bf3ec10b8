"""Embed pictures by the loader of zoobot, for ``benchmarks/embedding.py``, which runs this by another interpreter.

Reads one JSON object a line: first what to build, then what to run; answers each by one line. It needs zoobot 2.9 with
its dependencies, lightning, and nothing of galzoo_repr. Their ``ZoobotEncoder`` has no ``predict_step`` that takes the
batches of their loader; the one here is the shortest that does.
"""

import json
import logging
import sys
import warnings

import lightning
import numpy as np
import pandas as pd
import timm
import torch
from galaxy_datasets.pytorch.galaxy_datamodule import CatalogDataModule
from galaxy_datasets.transforms import get_galaxy_transform, minimal_view_config
from omegaconf import OmegaConf
from safetensors.torch import load_file
from zoobot.pytorch.training.representations import ZoobotEncoder

# Images in one pass: where torch is fastest on a CPU; with more, they fall out of its caches.
PER_PASS = 32


class Repaired(ZoobotEncoder):
    """Their encoder, taking the batches of their loader, with views as the bundled encoder has them."""

    views = 1

    def predict_step(self, batch, index):
        """Features of a batch."""
        images = batch["image"]
        seen = torch.cat([torch.rot90(images, turn, (-2, -1)) for turn in range(self.views)])
        passes = [self(part.contiguous(memory_format=torch.channels_last)) for part in seen.split(PER_PASS)]
        return torch.cat(passes).reshape(self.views, len(images), -1).mean(0)


def build(architecture: str, weights: str, views: int) -> Repaired:
    """Make the network of the encoder that is compared."""
    network = timm.create_model(architecture, num_classes=0)
    network.load_state_dict(load_file(weights))
    model = Repaired(network.eval().to(memory_format=torch.channels_last))
    model.views = views
    return model


def embed(model: Repaired, paths: list[str], workers: int, size: int, mean: list, std: list) -> np.ndarray:
    """Embed pictures with their transforms for inference, at another size."""
    view = OmegaConf.merge(minimal_view_config(), {"output_size": size})
    OmegaConf.set_struct(view, False)
    view.normalize = {"mean": mean, "std": std}
    data = CatalogDataModule(
        label_cols=None,
        predict_catalog=pd.DataFrame({"id_str": [str(row) for row in range(len(paths))], "file_loc": paths}),
        test_transform=get_galaxy_transform(view),
        batch_size=32,
        num_workers=workers,
    )
    data.setup(stage="predict")
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    trainer = lightning.Trainer(accelerator="cpu", devices=1, enable_checkpointing=False, **quiet)
    return torch.cat(trainer.predict(model, data)).numpy()


def main() -> None:
    """Answer until there are no more lines."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    answers, sys.stdout = sys.stdout, sys.stderr
    model = build(**json.loads(sys.stdin.readline()))
    print(
        json.dumps({"torch": torch.__version__, "threads": torch.get_num_threads()}), file=answers, flush=True
    )
    for line in sys.stdin:
        embeddings = embed(model, **json.loads(line))
        print(json.dumps({"shape": embeddings.shape}), file=answers, flush=True)


if __name__ == "__main__":
    main()
