import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

import galzoo_repr
from galzoo_repr.catalogue import provenance, record_provenance


@pytest.fixture
def table():
    return Table({"ra": [1.0]}, meta={"mine": {"a": 1}})


def test_written_as_short_keys_and_as_a_nested_record(table):
    facts = {
        "encoder": "bundled",
        "encoder_digest": "ab12",
        "recipe_digest": "cd34",
        "survey": "Legacy Surveys",
        "layer": "ls-dr10",
        "route": "https://viewer.example/cutout.fits",
        "batch_size": 64,
    }
    record_provenance(table, "add_embeddings", facts)
    record = provenance(table, "add_embeddings")
    assert {key: record[key] for key in facts} == facts
    assert table.meta["galzoo_repr"]["add_embeddings"] == record
    assert {key: table.meta[key] for key in table.meta if key.startswith("GZR")} == {
        "GZRVERS": galzoo_repr.__version__,
        "GZRDATE": record["date"],
        "GZRENC": "bundled",
        "GZRENCD": "ab12",
        "GZRRECIP": "cd34",
        "GZRSURV": "Legacy Surveys",
        "GZRLAYER": "ls-dr10",
        "GZRROUTE": "https://viewer.example/cutout.fits",
    }
    assert all(len(key) <= 8 for key in table.meta if key.startswith("GZR"))
    assert table.meta["mine"] == {"a": 1}


def test_date_is_of_now_in_utc(table):
    record_provenance(table, "add_cutouts", {})
    date = datetime.fromisoformat(provenance(table, "add_cutouts")["date"]).replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - date).total_seconds()) < 5


def test_calls_stand_side_by_side_and_a_repeat_replaces(table):
    record_provenance(table, "add_cutouts", {"layer": "ls-dr9", "n": 1})
    record_provenance(table, "add_embeddings", {"encoder": "bundled"})
    record_provenance(table, "add_cutouts", {"layer": "ls-dr10"})
    assert provenance(table, "add_cutouts")["layer"] == table.meta["GZRLAYER"] == "ls-dr10"
    assert "n" not in provenance(table, "add_cutouts")
    assert provenance(table, "add_embeddings")["encoder"] == "bundled"


def test_values_become_plain(table):
    record_provenance(
        table,
        "call",
        {
            "fov": 30 * u.arcsec,
            "path": Path("a/b"),
            "n": np.int64(3),
            "x": np.float32(0.5),
            "sizes": (1, 2),
            "array": np.arange(2),
            "recipe": {"mean": (0.1, np.float64(0.2))},
            "none": None,
            "query": [1, "a", 2 * u.deg],
            "fields": [[10, 20]] * u.arcsec,
            "no_fields": [] * u.arcsec,
        },
    )
    record = provenance(table, "call")
    assert json.loads(json.dumps(record)) == record
    assert record["fov"] == "30.0 arcsec"
    assert record["path"] == str(Path("a/b"))
    assert (record["n"], record["x"], record["sizes"], record["array"]) == (3, 0.5, [1, 2], [0, 1])
    assert record["recipe"] == {"mean": [0.1, 0.2]}
    assert record["none"] is None
    assert record["query"] == [1, "a", "2.0 deg"]
    assert record["fields"] == [["10.0 arcsec", "20.0 arcsec"]]
    assert record["no_fields"] == []


def test_the_answer_is_a_copy_and_empty_for_the_unknown(table):
    assert provenance(table, "add_cutouts") == {}
    record_provenance(table, "add_cutouts", {"bands": ["g"]})
    provenance(table, "add_cutouts")["bands"].append("r")
    assert provenance(table, "add_cutouts")["bands"] == ["g"]
    assert provenance(table, "add_embeddings") == {}


def test_meta_of_another_kind_under_our_name_gives_way(table):
    table.meta["galzoo_repr"] = "text that some program left"
    assert provenance(table, "add_cutouts") == {}
    record_provenance(table, "add_cutouts", {"n": 1})
    assert provenance(table, "add_cutouts")["n"] == 1


def test_a_call_needs_a_name(table):
    with pytest.raises(ValueError, match="call is empty"):
        record_provenance(table, "", {})


def test_all_calls_are_told_together():
    table = Table({"ra": [1.0]})
    assert provenance(table) == {}
    record_provenance(table, "add_cutouts", {"layer": "ls-dr9"})
    record_provenance(table, "add_embeddings", {"encoder": "bundled"})
    told = provenance(table)
    assert told == {call: provenance(table, call) for call in ("add_cutouts", "add_embeddings")}
    told["add_cutouts"]["layer"] = "other"
    assert provenance(table, "add_cutouts")["layer"] == "ls-dr9"
    table.meta["galzoo_repr"] = "not ours"
    assert provenance(table) == {}
