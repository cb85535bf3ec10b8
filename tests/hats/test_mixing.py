"""What was begun in a folder is only gone on with by the same call on the same rows."""

import shutil
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table

import galzoo_repr as gzr
from galzoo_repr.exceptions import GalzooWarning
from galzoo_repr.hats import from_hats, to_hats
from galzoo_repr.hats._job import described
from galzoo_repr.images import ImageRecipe

if find_spec("lsdb") is None:
    pytest.skip("the extra [hats] is not installed", allow_module_level=True)

PAIRS = {
    "numpy integers": (np.int64(3), np.int64(5)),
    "a row and a name": (3, "3"),
    "rows of a table": (Table({"a": [1, 2]})[0], Table({"a": [1, 2]})[1]),
    "frames": tuple(SkyCoord([10, 11], [1, 1], unit="deg")[i].frame for i in (0, 1)),
    "masks": tuple(np.ma.MaskedArray([1.0, 2.0], mask=mask) for mask in ([True, False], [False, True])),
    "formats": tuple(gzr.cutouts.LegacySurvey(image_format=name) for name in ("fits", "jpeg")),
    "anything": ({1}, {2}),
}


@pytest.mark.parametrize("pair", PAIRS.values(), ids=list(PAIRS))
def test_other_arguments_are_described_otherwise(pair):
    one, other = pair
    assert described(one) == described(one)
    assert described(one) != described(other)


def test_the_same_number_is_the_same_argument():
    assert described(3) == described(np.int32(3))


def test_what_no_other_process_knows_is_refused(folder, tmp_path):
    encoder = SimpleNamespace(recipe=ImageRecipe(stretch=lambda bands: bands))
    with pytest.raises(ValueError, match="has a function as its stretch"):
        gzr.add_embeddings(folder, encoder=encoder, name="new", out=tmp_path / "out")
    with pytest.raises(ValueError, match="cannot be told from others"):
        described(lambda: None)
    assert not (tmp_path / "out").exists()


def test_another_catalogue_in_the_same_place_is_not_taken_for_the_old(galaxies, tmp_path):
    folder = to_hats(galaxies, tmp_path / "survey", max_rows=200)
    gzr.add_similarity(folder, 11, out=tmp_path / "out")
    changed = galaxies.copy()
    changed["embedding"] *= 2
    to_hats(changed, folder, max_rows=200, overwrite=True)
    with pytest.raises(ValueError, match="its columns differ"):
        gzr.add_similarity(folder, 11, out=tmp_path / "out")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_selections_do_not_mix(folder, tmp_path, monkeypatch):
    import lsdb

    from galzoo_repr.hats import _verb_on_part

    catalogue, out = lsdb.open_catalog(str(folder)), tmp_path / "out"
    low, high = (catalogue.query(f"redshift {sign} 0.5") for sign in "<>")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(_verb_on_part, "write_partition", full)
        with pytest.warns(GalzooWarning, match="No space left"):
            gzr.add_similarity(low, 5, out=out)
    with pytest.raises(ValueError, match="its path or selection differs"):
        gzr.add_similarity(high, 5, out=out)
    assert len(list((out / ".galzoo_repr").glob("input-*"))) == 1
    gzr.add_similarity(low, 5, out=out)
    assert (from_hats(out)["redshift"] < 0.5).all()
    with pytest.raises(ValueError, match="its path or selection differs"):
        gzr.add_similarity(high, 5, out=out)
    gzr.add_similarity(high, 5, out=out, overwrite=True)
    assert (from_hats(out)["redshift"] > 0.5).all()
    shutil.rmtree(out)
    with pytest.raises(ValueError, match="has no rows"):
        gzr.add_similarity(catalogue.query("id < 0"), 5, out=out)
