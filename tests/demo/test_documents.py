"""The README and the pages say of the demonstration's pictures what the run that drew them found."""

import importlib.util
import json
from pathlib import Path

import pytest
from PIL import Image

from galzoo_repr.demo import Tally

DOCS = Path(__file__).parents[2] / "docs"
REMEDY = "run python docs/make_images.py, which writes pictures, captions and alternative texts again"

if not DOCS.is_dir():
    pytest.skip("there is no docs folder beside the tests", allow_module_level=True)


@pytest.fixture(scope="module")
def maker():
    spec = importlib.util.spec_from_file_location("make_images", DOCS / "make_images.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def said(maker):
    return json.loads(maker.WORDS.read_text(encoding="utf-8"))


def test_every_picture_has_words(maker, said):
    assert set(said) == set(maker.WANTED)
    for name in said:
        with Image.open(DOCS / "images" / f"{name}.jpg") as picture:
            picture.load()


def test_captions_and_alternative_texts_follow_from_the_figures(said):
    for name, words in said.items():
        tally = Tally(**words["tally"])
        assert tally.sentence in words["caption"], f"{name}: {REMEDY}"
        assert words["alt"].endswith(f"{tally.listing}."), f"{name}: {REMEDY}"


def test_pages_show_what_was_said(maker, said):
    page = (DOCS / "tutorials" / "getting_started.rst").read_text(encoding="utf-8")
    for name, words in said.items():
        written = (DOCS / "images" / f"{name}.inc").read_text(encoding="utf-8")
        assert written == maker.figure(name, words), REMEDY
        assert f".. include:: /images/{name}.inc" in page
        assert f"{name}.jpg" not in page  # only through the file that has its words


def test_readme_shows_what_was_said(maker, said):
    readme = maker.README.read_text(encoding="utf-8")
    assert readme == maker.with_pictures(readme, said), REMEDY
    assert "docs/images/similar_merger.jpg" in readme
    said = readme.count("docs/images/") - readme.count("docs/images/page_")  # of which nothing is counted
    assert said == readme.count("<!-- picture: ")
