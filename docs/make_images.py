"""Draw the pictures of the README and the pages again: ``python docs/make_images.py``."""

import tempfile
from pathlib import Path

from PIL import Image

from galzoo_repr.demo import run_demo

IMAGES = Path(__file__).parent / "images"
WANTED = ("similar_merger", "interesting")


def main() -> None:
    """Run the demonstration and keep some of its pictures, as JPEG."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        run_demo(Path(folder) / "demo")
        for name in WANTED:
            with Image.open(Path(folder) / "demo" / f"{name}.png") as picture:
                picture.save(IMAGES / f"{name}.jpg", quality=88, optimize=True)


if __name__ == "__main__":
    main()
