"""The page in a notebook's cell: it is shown, cells go on, and the table comes back."""

import pytest

nbformat = pytest.importorskip("nbformat", reason="there is no Jupyter here")
preprocessors = pytest.importorskip("nbconvert.preprocessors", reason="there is no Jupyter here")
pytest.importorskip("ipykernel", reason="there is no kernel to run a notebook")

MAKE = """
import numpy as np
from astropy.table import Table
import galzoo_repr as gzr
from PIL import Image
Image.new("RGB", (32, 32), (90, 120, 150)).save({picture!r})
embedding = np.random.default_rng(1).normal(size=(60, 4)).astype("float32")
cat = Table({{"embedding": embedding, "ra": np.linspace(0, 60, 60), "dec": np.zeros(60)}})
cat["file_loc"] = [{picture!r}] * 60
"""
LOOK = """
looked = gzr.look(cat, folder={folder!r})
looked
"""
GO_ON = """
print(looked, "interest" in looked.table.colnames)
looked.close()
"""


# Of kernels and their clients, which this package has no part in.
@pytest.mark.filterwarnings("ignore")
def test_a_cell_shows_the_page_and_the_next_ones_run(tmp_path):
    cells = [
        MAKE.format(picture=str(tmp_path / "one.png")),
        LOOK.format(folder=str(tmp_path / "kept")),
        GO_ON,
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    preprocessors.ExecutePreprocessor(timeout=300, kernel_name="python3").preprocess(notebook)
    shown = [output for output in notebook.cells[1].outputs if "data" in output]
    html = "".join(output["data"].get("text/html", "") for output in shown)
    assert "RatingGrid" in html + str(shown)
    assert "cdn." not in html.replace("cdn.bokeh.org/bokeh/release", "")
    still = html.partition('class="galzoo-still"')[2].partition("<script")[0]
    assert still.count("data:image/jpeg;base64,") == 10, (
        "an exported notebook has pictures, not an empty place"
    )
    assert "Look at 60 galaxies" in notebook.cells[2].outputs[-1]["text"]
    assert "True" in notebook.cells[2].outputs[-1]["text"]


def test_without_panel_one_sentence_says_what_to_install(monkeypatch, tmp_path):
    import sys

    from astropy.table import Table

    from galzoo_repr import look

    monkeypatch.setitem(sys.modules, "panel", None)
    with pytest.raises(ImportError, match=r'pip install "galzoo_repr\[app\]"'):
        look(Table({"embedding": [[1.0, 2.0]]}), folder=tmp_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"scale": (1,)}, "scale must be the ratings"),
        ({"scale": "012345"}, "scale must be the ratings"),
        ({"scale": range(11)}, "scale must be the ratings"),
        ({"scale": (1, 1)}, "scale must be the ratings"),
        ({"scale": (0, float("nan"))}, "scale must be"),
        ({"n": 0}, "n must be"),
        ({"port": 70000}, "is no port"),
        ({"show": ["gone"]}, "show names no column 'gone'"),
        ({"images": "gone"}, "images='gone' names no column"),
        ({"images": ["one"]}, "images holds 1 pictures"),
        ({"rater": "../ann"}, "becomes the name of a file"),
        ({"ratings": ""}, "becomes the name of a file"),
        ({"ratings": 5}, "becomes the name of a file"),
        ({"ratings": "embedding"}, "is a column for other things"),
        ({"ratings": "anomaly_score"}, "is a column for other things"),
        ({"ratings": "name"}, "'name' holds no ratings"),
        ({"ratings": "ra"}, "'ra' holds numbers from .* but the scale is 0 to 5"),
        ({"embedding": "embeds"}, "embedding='embeds' is not a column"),
        ({"show": "gone"}, "show names no column 'gone'"),
    ],
)
def test_arguments_that_cannot_be_are_refused(wrong, message, tmp_path):
    from galzoo_repr import look

    from .conftest import galaxies

    with pytest.raises(ValueError, match=message):
        look(galaxies(20), folder=tmp_path / "kept", serve=False, **wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"serve": "no"}, "serve must be True, False or None, not 'no'"),
        ({"serve": 1}, "serve must be True, False or None"),
        ({"browser": "false"}, "browser must be True or False"),
        ({"browser": None}, "browser must be True or False"),
        ({"prefix": 5}, "prefix must be the start of an address"),
        ({"prefix": None}, "prefix must be the start of an address"),
        ({"survey": "viewer"}, r"survey must be a survey such as galzoo_repr.LegacySurvey\(\), not 'viewer'"),
        ({"survey": dict}, "survey must be a survey"),
        ({"announce": "loud"}, "announce must be a function"),
    ],
)
def test_arguments_of_another_type_are_refused_before_the_page_is_made(wrong, message, tmp_path):
    from galzoo_repr import look

    from .conftest import galaxies

    with pytest.raises(TypeError, match=message):
        look(galaxies(20), **{"folder": tmp_path / "kept", "serve": False, **wrong})
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("prefix", ["/a b", "http://host/", "/x?y=1", "/é"])
def test_a_prefix_is_a_path(prefix, tmp_path):
    from galzoo_repr import look

    from .conftest import galaxies

    with pytest.raises(ValueError, match="is no start of an address"):
        look(galaxies(20), folder=tmp_path / "kept", serve=False, prefix=prefix)


def test_a_place_where_nothing_can_be_kept_is_said_with_what_to_do(tmp_path):
    from galzoo_repr import look

    from .conftest import galaxies

    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OSError, match=r"cannot be kept in .*file.*; give another folder"):
        look(galaxies(20), folder=tmp_path / "file", serve=False)


def test_one_name_is_not_a_list_of_its_letters(tmp_path):
    from galzoo_repr import look

    from .conftest import galaxies

    with look(galaxies(20), folder=tmp_path / "kept", serve=False, show="name") as looked:
        assert looked._desk.show == ["name"]
    with pytest.raises(TypeError, match="origins must be a list of names"):
        look(galaxies(20), folder=tmp_path / "kept", serve=False, origins=[5])
