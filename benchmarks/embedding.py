"""How fast images are read, prepared and embedded on this CPU: ``python benchmarks/embedding.py``.

Everything that is compared takes turns in one process, so that the ratios mean something on a busy machine too. The
bound of a run is the cores divided by the core-seconds that reading, preparing and encoding an image take when each
runs alone in one thread: no arrangement of the same stages can be faster. The peers run the same network in torch, each
at the number of workers at which it is fastest: a ``DataLoader`` of torch with Pillow, astropy and torchvision, and the
loader of zoobot, where ``--zoobot-python`` names an interpreter that has it. The images are made on the spot.

With ``--json FOLDER`` the figures go into a file with the name of the commit.
"""

import argparse
import contextlib
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from astropy.io import fits
from astropy.table import Table
from measuring import compare, cores, here, show, write_json
from PIL import Image
from safetensors.torch import save_file
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2 as transforms
from torchvision.transforms.v2.functional import pil_to_tensor

from galzoo_repr import Encoder, add_embeddings
from galzoo_repr._threads import one_thread
from galzoo_repr.images import galaxy_zoo_stretch, read_image

SIDE = 424


def write_images(folder: Path, n: int) -> dict[str, list[str]]:
    """Write cutouts as the viewer sends them, as FITS and as JPEG."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    files = {"jpeg": [], "fits": []}
    for row in range(n):
        planes = np.array([0.5, 1.0, 1.8])[:, None, None] * np.exp(-np.hypot(x, y * rng.uniform(1, 3)) / 12)
        planes = (planes + rng.normal(0, 0.01, planes.shape)).astype(np.float32)
        unit = fits.PrimaryHDU(planes)
        unit.header["BANDS"] = "grz"
        files["fits"].append(str(folder / f"{row}.fits"))
        unit.writeto(files["fits"][-1])
        colours = (255 * galaxy_zoo_stretch(planes[None])[0]).astype(np.uint8)
        files["jpeg"].append(str(folder / f"{row}.jpg"))
        Image.fromarray(colours.transpose(1, 2, 0)[::-1]).save(files["jpeg"][-1], quality=90)
    return files


def compare_parts(files: dict[str, list[str]], rounds: int) -> dict[str, dict]:
    """Read a picture and stretch it, beside the plain ways to do so."""
    contents = [Path(path).read_bytes() for path in files["jpeg"][:32]]
    flux = torch.randn(1, 3, SIDE, SIDE) * 0.1

    def by_astropy() -> None:
        for path in files["fits"][:32]:
            with fits.open(path) as units:
                np.nan_to_num(units[0].data.astype(np.float32))

    return {
        "fits": show(
            "FITS to array",
            compare(
                {
                    "astropy": by_astropy,
                    "read_image": lambda: [read_image(path) for path in files["fits"][:32]],
                },
                rounds,
                32,
            ),
        ),
        "jpeg": show(
            "JPEG to array",
            compare(
                {
                    "Pillow": lambda: [
                        np.asarray(Image.open(io.BytesIO(one)).convert("RGB")) for one in contents
                    ],
                    "read_image": lambda: [read_image(one) for one in contents],
                },
                rounds,
                32,
            ),
        ),
        "stretch": show(
            f"stretch of 3 x {SIDE} x {SIDE}",
            compare(
                {
                    "torch.asinh alone": lambda: torch.asinh(flux),
                    "galaxy_zoo_stretch, tensor": lambda: galaxy_zoo_stretch(flux),
                    "galaxy_zoo_stretch, array": lambda: galaxy_zoo_stretch(flux.numpy()),
                },
                5 * rounds,
                1,
            ),
        ),
    }


def compare_forwards(encoder: Encoder, by_torch: Encoder, rounds: int) -> dict[str, float]:
    """All views of prepared images through the network."""
    size = encoder.recipe.size
    images = torch.rand(64, 3, size, size)
    plain = by_torch.model

    def batches_of_32() -> None:
        with torch.inference_mode():
            for chunk in images.repeat(by_torch.views, 1, 1, 1).split(32):
                plain(chunk.contiguous(memory_format=torch.channels_last))

    ways = {
        "torch, channels last, batches of 32": batches_of_32,
        "Encoder.embed, torch": lambda: by_torch.embed(images),
        f"Encoder.embed, {encoder.backend}": lambda: encoder.embed(images),
    }
    return show(f"network of {encoder.name}, {encoder.views} views", compare(ways, rounds, len(images)))


class _Pictures(Dataset):
    """Pictures for a `DataLoader`, cropped and resized as the recipe has it."""

    def __init__(self, paths: list[str], encoder: Encoder) -> None:
        recipe = encoder.recipe
        self.paths = paths
        bicubic = transforms.InterpolationMode.BICUBIC
        self.geometry = transforms.Compose(
            [
                transforms.CenterCrop(round(SIDE * recipe.crop)),
                transforms.Resize(recipe.size, bicubic, antialias=True),
            ]
        )
        self.range = transforms.Compose(
            [transforms.ToDtype(torch.float32, scale=True), transforms.Normalize(recipe.mean, recipe.std)]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> torch.Tensor:
        if self.paths[row].endswith(".fits"):
            bands = torch.from_numpy(fits.getdata(self.paths[row]).astype(np.float32))
            return self.range(self.geometry(galaxy_zoo_stretch(bands[None])[0].flip(-2)))
        picture = Image.open(self.paths[row]).convert("RGB")
        return self.range(pil_to_tensor(self.geometry(picture)))


def by_data_loader(paths: list[str], encoder: Encoder, workers: int) -> None:
    """Embed pictures as one would without this package."""
    loader = DataLoader(_Pictures(paths, encoder), batch_size=32, num_workers=workers)
    with torch.inference_mode():
        for images in loader:
            views = torch.cat([torch.rot90(images, turn, (-2, -1)) for turn in range(encoder.views)])
            for part in views.split(32):
                encoder.model(part.contiguous(memory_format=torch.channels_last))


class Zoobot:
    """The loader of zoobot in a process of its own, which may have another interpreter; None of ours is in it."""

    def __init__(self, python: str, encoder: Encoder, folder: Path) -> None:
        recipe = encoder.recipe
        weights = folder / "network.safetensors"
        save_file({name: one.contiguous() for name, one in encoder.model.state_dict().items()}, weights)
        self.recipe = {"size": recipe.size, "mean": list(recipe.mean), "std": list(recipe.std)}
        self.views = encoder.views
        self.said = (folder / "zoobot.log").open("w+")
        self.process = subprocess.Popen(
            [python, str(Path(__file__).with_name("zoobot_loader.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
        )
        told = {"architecture": encoder.architecture, "weights": str(weights), "views": self.views}
        print(f"  zoobot runs with {self.ask(told)}", flush=True)

    def ask(self, question: dict) -> dict:
        """Answer to one line; a `RuntimeError` with what the process said last, if there is none."""
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps(question), file=self.process.stdin, flush=True)
        for answer in self.process.stdout:
            if answer.startswith("{"):  # libraries greet each in their own way
                return json.loads(answer)
        self.said.seek(0)
        raise RuntimeError(self.said.read().strip().rpartition("\n")[2])

    def embed(self, paths: list[str], workers: int) -> None:
        """Embed pictures."""
        self.ask({"paths": paths, "workers": workers, **self.recipe})

    def close(self) -> None:
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def start_zoobot(python: str, encoder: Encoder, folder: Path) -> Zoobot | None:
    """Start the peer, or say why it takes no part."""
    try:
        return Zoobot(python, encoder, folder)
    except (OSError, RuntimeError) as error:
        print(f"  left out: the loader of zoobot by {python}: {error}; see --zoobot-python")
        return None


def seconds_of_stages(paths: list[str], encoder: Encoder, rounds: int) -> dict[str, float]:
    """Core-seconds per image of each stage, alone, in one thread."""
    some = paths[:32]
    images = [read_image(path) for path in some]
    prepared = encoder.recipe.prepare(images)
    stages = {
        "read": lambda: [read_image(path) for path in some],
        "prepare": lambda: [encoder.recipe.prepare([image]) for image in images],
        "encode": lambda: encoder.embed(prepared, threads=1),
    }
    found = {}
    with one_thread():
        for name, stage in stages.items():
            times = []
            for _ in range(rounds + 1):
                start = time.process_time()
                stage()
                times.append(time.process_time() - start)
            found[name] = min(times) / len(some)
    return found


def compare_streams(
    kind: str,
    paths: list[str],
    encoder: Encoder,
    by_torch: Encoder,
    rounds: int,
    zoobot: Zoobot | None = None,
) -> dict[str, float]:
    """From files to embeddings; `zoobot` reads colour pictures alone."""
    table = Table({"file_loc": paths})
    options = {"images": "file_loc", "progress": False}
    stages = seconds_of_stages(paths, encoder, rounds)
    bound = cores() / sum(stages.values())
    with tempfile.TemporaryDirectory() as folder:
        add_embeddings(table, encoder=encoder, embedding_store=folder, **options)

        def embedding(by: Encoder, store: str | bool = False) -> Callable[[], object]:
            return lambda: add_embeddings(table, encoder=by, embedding_store=store, **options)

        ways = {
            "add_embeddings": embedding(encoder),
            "add_embeddings, torch": embedding(by_torch),
            "add_embeddings, all kept before": embedding(encoder, folder),
        }
        peers = {"DataLoader": lambda workers: by_data_loader(paths, by_torch, workers)}
        if zoobot is not None and kind == "jpeg":
            peers["zoobot"] = lambda workers: zoobot.embed(paths, workers)
        for peer, way in peers.items():
            for workers in sorted({0, 1, cores()}):
                ways[f"{peer}, {workers} workers"] = lambda way=way, workers=workers: way(workers)
        rates = compare(ways, rounds, len(paths))
    told = ", ".join(f"{name} {1000 * seconds:.2f} ms" for name, seconds in stages.items())
    show(f"{kind} files to embeddings; alone, each image takes: {told}", rates)
    ours = rates["add_embeddings"]
    compared = {"bound by the stages": bound}
    for peer in peers:
        compared[f"best {peer}"] = max(rate for name, rate in rates.items() if name.startswith(peer))
    for name, rate in compared.items():
        print(f"  add_embeddings is {ours / rate:.2f} of: {name}, {rate:.1f} /s", flush=True)
    return {**rates, **compared, **{f"ms to {name}": 1000 * one for name, one in stages.items()}}


def main() -> None:
    """Run all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=192)
    parser.add_argument("--encoder", default="bundled")
    parser.add_argument(
        "--zoobot-python",
        default=sys.executable,
        help="interpreter of an environment with zoobot and lightning",
    )
    parser.add_argument(
        "--json", type=Path, help="file, or folder of files by commit, to write the figures into"
    )
    options = parser.parse_args()
    about = here()
    encoder = Encoder.load(options.encoder, device="cpu").accelerate()
    by_torch = Encoder.load(options.encoder, device="cpu", backend="torch")
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, medians of {options.rounds} rounds; {about}"
    )
    with tempfile.TemporaryDirectory() as folder:
        files = write_images(Path(folder), options.images)
        rates = compare_parts(files, options.rounds)
        rates["forward"] = compare_forwards(encoder, by_torch, options.rounds)
        zoobot = start_zoobot(options.zoobot_python, by_torch, Path(folder))
        for kind, paths in files.items():
            rates[f"{kind} stream"] = compare_streams(kind, paths, encoder, by_torch, options.rounds, zoobot)
        if zoobot is not None:
            zoobot.close()
    write_json(options.json, rates, about)


if __name__ == "__main__":
    main()
