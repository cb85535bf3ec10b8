"""Parquet files of the package for other programs, and those of other programs for it."""

import numpy as np
import pyarrow as pa
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable
from astropy.utils.masked import Masked
from pyarrow import parquet

from galzoo_repr.catalogue import read_catalogue, write_catalogue


class TestWritten:
    @pytest.mark.parametrize(
        ("column", "cells"),
        [
            (MaskedColumn([1, 2, 3], mask=[0, 1, 0]), [1, None, 3]),
            (MaskedColumn([1, 2, 2**64 - 1], mask=[0, 1, 0], dtype="u8"), [1, None, 2**64 - 1]),
            (MaskedColumn([1.0, 2.0, np.inf], mask=[0, 1, 0]), [1.0, None, np.inf]),
            (MaskedColumn(["a", "b", ""], mask=[0, 1, 0]), ["a", None, ""]),
            (MaskedColumn([b"a", b"b", b""], mask=[0, 1, 0]), [b"a", None, b""]),
            (MaskedColumn([True, True, False], mask=[0, 1, 0]), [True, None, False]),
            (MaskedColumn([[1, 2], [3, 4]], mask=[[0, 1], [0, 0]]), [[1, None], [3, 4]]),
            (Masked([1.0, 2.0, 3.0] * u.kpc, mask=[False, True, False]), [1.0, None, 3.0]),
        ],
        ids=["int", "uint64", "float", "text", "bytes", "logical", "array", "quantity"],
    )
    def test_masked_cells_are_nulls(self, column, cells, tmp_path):
        write_catalogue(QTable({"x": column}), tmp_path / "catalogue.parquet")
        assert parquet.read_table(tmp_path / "catalogue.parquet")["x"].to_pylist() == cells
        back = read_catalogue(tmp_path / "catalogue.parquet")["x"]
        assert back.mask.tolist() == np.asarray(column.mask).tolist()
        assert back.dtype == column.dtype

    def test_nothing_else_is_null(self, tmp_path):
        table = QTable({"x": [1.0, np.nan], "t": ["", "b"], "e": np.full((2, 3), np.nan, np.float32)})
        write_catalogue(table, tmp_path / "catalogue.parquet")
        arrow = parquet.read_table(tmp_path / "catalogue.parquet")
        assert [arrow[name].null_count for name in arrow.column_names] == [0, 0, 0]
        assert pa.compute.is_null(arrow["e"].combine_chunks().flatten()).sum().as_py() == 0
