"""Text that a spreadsheet would run, and what becomes of it on the way there and back."""

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from galzoo_repr.catalogue import for_spreadsheets, read_catalogue

RUN = ['=HYPERLINK("http://a.b","c")', "+cmd|' /C calc'!A0", "-cmd|'x'!A1", "@SUM(1)", "=1+1", "=x'"]
HARMLESS = ["NGC 1", "-00 12 34.5", "+12:30:01", "-1.5e-3", "+7", "-inf", "a=b", "", "'t Hooft", "J1-1"]


def test_formulas_are_text_and_come_back(tmp_path):
    table = Table({"name": RUN + HARMLESS, "=size": np.arange(16.0)})
    safe = for_spreadsheets(table)
    assert [cell[0] for cell in safe["name"][: len(RUN)]] == ["'"] * len(RUN)
    assert safe["name"][len(RUN) :].tolist() == HARMLESS
    assert safe.colnames == ["name", "'=size"]
    assert table.colnames == ["name", "=size"]
    safe.write(tmp_path / "table.csv", format="ascii.csv")
    back = read_catalogue(tmp_path / "table.csv")
    assert back.colnames == table.colnames
    assert np.ma.filled(back["name"], "").tolist() == table["name"].tolist()


@pytest.mark.parametrize("cell", ["'=a", "''+b", "'@"])
def test_an_apostrophe_that_was_there_stays(tmp_path, cell):
    for_spreadsheets(Table({"name": [cell, "c"]})).write(tmp_path / "table.csv", format="ascii.csv")
    assert read_catalogue(tmp_path / "table.csv")["name"].tolist() == [cell, "c"]


def test_text_between_apostrophes_is_as_others_wrote_it(tmp_path):
    (tmp_path / "table.csv").write_text("name,n\n'-a',1\n'+b',2\n")
    assert read_catalogue(tmp_path / "table.csv")["name"].tolist() == ["'-a'", "'+b'"]


def test_masks_and_other_columns_stay():
    table = Table(
        {"name": MaskedColumn(["=1", "=2"], mask=[True, False]), "x": [1, 2], "v": np.zeros((2, 3))}
    )
    safe = for_spreadsheets(table)
    assert safe["name"].mask.tolist() == [True, False]
    assert safe["name"][1] == "'=2"
    assert safe["v"].shape == (2, 3)
