"""Ways out of the page: files of every format, and other programs by SAMP."""

import threading

import numpy as np
import pytest
from astropy.table import Table

try:
    from pyvo.samp import SAMPHubServer, SAMPIntegratedClient, conf
except ImportError:
    from astropy.samp import SAMPHubServer, SAMPIntegratedClient, conf

import galzoo_repr as gzr
from galzoo_repr.catalogue import read_catalogue

from .conftest import galaxies, until


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub of this test alone, off the network."""
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{(tmp_path / 'hub').as_uri()}")
    with conf.set_temp("use_internet", False):
        server = SAMPHubServer(web_profile=False, lockfile=str(tmp_path / "hub"), addr="127.0.0.1")
        server.start()
        yield server
        server.stop()


@pytest.fixture
def receiver(hub):
    """A program that takes tables, and what it got."""
    client = SAMPIntegratedClient(name="TOPCAT", addr="127.0.0.1")
    client.connect()
    client.got, client.came = [], threading.Event()

    def take(private_key, sender_id, mtype, params, extra):
        client.got.append(params)
        client.came.set()

    client.bind_receive_notification("table.load.votable", take)
    yield client
    client.disconnect()


@pytest.fixture
def out(tmp_path):
    """The view of a catalogue of sixty galaxies."""
    from galzoo_repr.app._out import OutView
    from galzoo_repr.app._session import Session

    looked = gzr.look(galaxies(), folder=tmp_path / "look", serve=False)
    yield OutView(Session(looked._desk))
    looked.close()


def test_a_table_reaches_another_program_without_its_embeddings(receiver):
    from galzoo_repr.app._samp import send_to_samp

    assert send_to_samp(galaxies(5), name="five") == ["TOPCAT"]
    assert receiver.came.wait(20)
    (params,) = receiver.got
    table = Table.read(params["url"].removeprefix("file://"), format="votable")
    assert params["name"] == "five"
    assert table["name"].tolist() == [f"galaxy {row}" for row in range(5)]
    assert "embedding" not in table.colnames


def test_without_a_hub_it_is_said_what_to_start(monkeypatch, tmp_path):
    from galzoo_repr.app._samp import send_to_samp

    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{(tmp_path / 'none').as_uri()}")
    with pytest.raises(ConnectionError, match="no SAMP hub on this machine; start TOPCAT or Aladin"):
        send_to_samp(galaxies(5))


def test_a_hub_without_programs_is_told(hub):
    from galzoo_repr.app._samp import send_to_samp

    with pytest.raises(ConnectionError, match="no program at the SAMP hub takes tables"):
        send_to_samp(galaxies(5))


def test_those_selected_are_sent_from_the_page(out, receiver):
    out.which.value = "those selected"
    out.send.clicks += 1
    until(lambda: out.said.object.startswith("Not done: nothing is selected"))
    out._session.set("selection", [3, 7])
    out.send.clicks += 1
    until(lambda: out.said.object == "2 galaxies sent to TOPCAT")
    assert receiver.came.wait(20)
    assert len(Table.read(receiver.got[0]["url"].removeprefix("file://"), format="votable")) == 2


@pytest.mark.parametrize("form", ["Parquet", "ECSV", "FITS", "VOTable"])
def test_the_catalogue_is_saved_in_every_format(out, form):
    out._session.desk.add_column("mine", np.arange(60), "Mine")
    out.form.value = form
    out.save.clicks += 1
    until(lambda: out.said.object.startswith("60 galaxies saved to"))
    back = read_catalogue(out.path.value)
    assert back["mine"].tolist() == list(range(60))
    assert back["embedding"].shape == (60, 6)
    out.save.clicks += 1
    until(lambda: out.said.object.startswith("Not done:"))
    assert "catalogue" in out.said.object
    out.replace.value = True
    out.save.clicks += 1
    until(lambda: out.said.object.startswith("60 galaxies saved to"))


def test_a_browser_is_given_the_file(served, page, tmp_path):
    page.goto(served(galaxies(folder=tmp_path)).url)
    page.locator(".bk-tab", has_text="Out").click()
    with page.expect_download() as coming:
        page.get_by_role("button", name="Download").click()
    coming.value.save_as(tmp_path / coming.value.suggested_filename)
    back = read_catalogue(tmp_path / "catalogue.parquet")
    assert back["name"].tolist() == [f"galaxy {row}" for row in range(60)]


def test_what_is_too_large_for_a_browser_is_to_be_saved(out, monkeypatch):
    monkeypatch.setattr("galzoo_repr.app._out.LARGEST", 100)
    out.download.clicks += 1
    until(lambda: "save it instead" in out.said.object)


def test_aladin_shows_the_galaxies_meant_that_have_a_position(out):
    pytest.importorskip("ipyaladin", reason="ipyaladin is not installed")
    from galzoo_repr.app._out import aladin_view

    table, rows = out._session.table, np.array([3, 5])
    positions = out._session.desk.positions
    view = aladin_view(table[rows], positions, rows)
    assert view.target.separation(positions.skycoord[3]).arcsec < 1
    positions.valid[rows] = False
    with pytest.raises(ValueError, match="none of these galaxies has a position"):
        aladin_view(table[rows], positions, rows)


def test_tabs_by_keyboard(served, page):
    page.goto(served(galaxies(20)).url)
    signs = {
        "Out": page.get_by_role("button", name="Save", exact=True),
        "Map": page.get_by_role("button", name="Make UMAP"),
        "Find": page.locator("input[name=query]"),
    }
    for (title, sign), key in zip(signs.items(), ("Enter", "Space", "Enter"), strict=True):
        page.locator(".bk-tab", has_text=title).focus()
        page.keyboard.press(key)
        sign.first.wait_for()
