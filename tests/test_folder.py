"""Files that appear complete, folders of a card and its arrays, and the lock."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np
import pytest
from safetensors.numpy import load_file, save

from galzoo_repr._folder import (
    FolderFormat,
    locked,
    pack_arrays,
    publish,
    published,
    read_json,
    unpack_arrays,
)

FORMAT = FolderFormat(
    what="a toy",
    card="toy.json",
    arrays="arrays",
    stem="toy",
    needed=frozenset({"name"}),
    optional={"size": 3},
)


TOY = FolderFormat(what="a toy", card="toy.json", arrays="arrays", stem="toy", within="box")


def both(card, path):
    return card, path


def body(value):
    return save({"values": np.full(4, value)})


def test_a_file_is_complete_or_not_there(tmp_path):
    target = tmp_path / "notes.txt"
    publish(target, b"old")

    def fail_half_way():
        with published(target) as draft:
            draft.write_bytes(b"ne")
            raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        fail_half_way()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_a_link_is_written_through(tmp_path):
    (tmp_path / "far").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "far" / "file.txt")
    publish(link, b"here")
    assert link.is_symlink()
    assert (tmp_path / "far" / "file.txt").read_bytes() == b"here"


def test_names_as_long_as_the_file_system_allows(tmp_path):
    target = tmp_path / ("n" * 240 + ".fits")
    publish(target, b"x")
    assert target.read_bytes() == b"x"


@pytest.mark.parametrize("name", ["銀河" * 40, "a." + "b" * 240, "é" * 120 + ".fits"])
def test_names_of_any_letters(tmp_path, name):
    publish(tmp_path / name, b"x")
    assert os.listdir(tmp_path) == [name]


def test_a_draft_keeps_the_ending_and_the_permissions_of_any_new_file(tmp_path):
    with published(tmp_path / "a.fits") as draft:
        assert draft.suffix == ".fits"
        draft.write_bytes(b"")
    (tmp_path / "plain").touch()
    assert (tmp_path / "a.fits").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_comes_back(tmp_path):
    FORMAT.save(tmp_path / "a", {"name": "one"}, body(1), overwrite=False)
    card, path = FORMAT.load(tmp_path / "a", both)
    assert (card["name"], card["size"]) == ("one", 3)
    np.testing.assert_array_equal(load_file(path)["values"], 1)


def test_replacing_leaves_one_file_of_arrays(tmp_path):
    for value in (1, 2, 2, 3):
        FORMAT.save(tmp_path, {"name": str(value)}, body(value), overwrite=True)
        card, path = FORMAT.load(tmp_path, both)
        assert card["name"] == str(value)
        np.testing.assert_array_equal(load_file(path)["values"], value)
        assert len(list(tmp_path.glob("*.safetensors"))) == 1


def test_nothing_is_replaced_without_leave(tmp_path):
    FORMAT.save(tmp_path, {"name": "one"}, body(1), overwrite=False)
    with pytest.raises(FileExistsError, match="already holds a toy"):
        FORMAT.save(tmp_path, {"name": "two"}, body(2), overwrite=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "reads version 1"),
        ({"name": None}, "lacks name"),
        ({"colour": "red"}, "unknown: colour"),
        ({"arrays": "../toy.safetensors"}, "outside its folder"),
        ({"arrays_sha256": "0" * 64}, "has changed since it was saved"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(tmp_path, change, message):
    FORMAT.save(tmp_path, {"name": "one"}, body(1), overwrite=False)
    card = json.loads((tmp_path / "toy.json").read_text()) | change
    (tmp_path / "toy.json").write_text(json.dumps({k: v for k, v in card.items() if v is not None}))
    with pytest.raises(ValueError, match=message):
        FORMAT.load(tmp_path, both)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"does not hold a toy: there is no toy.json"):
        FORMAT.load(tmp_path, both)
    (tmp_path / "table.fits").write_bytes(b"SIMPLE")
    with pytest.raises(FileNotFoundError, match=r"does not hold a toy: it is a file, not a folder"):
        FORMAT.load(tmp_path / "table.fits", both)
    FORMAT.save(tmp_path, {"name": "one"}, body(1), overwrite=False)
    (tmp_path / "toy.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="copy the whole folder of a toy"):
        FORMAT.load(tmp_path, both)
    (tmp_path / "toy.json").write_text("{")
    with pytest.raises(ValueError, match="not valid JSON"):
        FORMAT.load(tmp_path, both)


WRITER = """
import hashlib, sys
from itertools import count
from pathlib import Path
import numpy as np
from safetensors.numpy import save
from galzoo_repr._folder import FolderFormat, publish

def write_within(folder):
    folder.mkdir(exist_ok=True)
    publish(folder / "value", str(i).encode())

form = FolderFormat(what="a toy", card="toy.json", arrays="arrays", stem="toy", within="box")
for i in count(int(sys.argv[2])):
    within = hashlib.sha256(str(i).encode()).hexdigest(), write_within
    body = save({"values": np.full(50_000, i)})
    form.save(Path(sys.argv[1]), {"value": i}, body, overwrite=True, within=within)
"""


def values_in(folder):
    """What card, arrays and the folder within hold, which must be the same."""

    def read(card, path):
        inner = folder / card["box"] if "box" in card else None
        within = int((inner / "value").read_text()) if inner else card["value"]
        return {card["value"], within, *np.unique(load_file(path)["values"]).tolist()}

    return TOY.load(folder, read)


def test_readers_and_kills_never_find_a_mixture(tmp_path):
    TOY.save(tmp_path, {"value": 0}, save({"values": np.zeros(50_000, int)}), overwrite=True)
    for round_ in range(4):
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(start)])
            for start in (1, 10**6)
        ]
        # On a busy machine writers take seconds to begin.
        before, patience = values_in(tmp_path), time.monotonic() + 60
        while values_in(tmp_path) == before and time.monotonic() < patience:
            time.sleep(0.01)  # which leaves them a core
        until = time.monotonic() + 0.5 + 0.05 * round_
        while time.monotonic() < until:
            assert len(values_in(tmp_path)) == 1
        for writer in writers:
            writer.send_signal(signal.SIGKILL)
            writer.wait()
        assert len(values_in(tmp_path)) == 1
    assert values_in(tmp_path) != {0}
    # What the kills left goes with the next save.
    TOY.save(tmp_path, {"value": 7}, save({"values": np.full(4, 7)}), overwrite=True)
    assert values_in(tmp_path) == {7}
    left = {path.name for path in tmp_path.iterdir()} - {".toy.json.lock", "toy.json"}
    assert len(left) == 1
    assert left.pop().startswith("toy-")


def test_what_is_not_its_own_is_left_alone(tmp_path):
    (tmp_path / "box").mkdir()
    others = ["box/mine", "box-of-mine", "toy-old.safetensors", "toys.safetensors"]
    for name in others:
        (tmp_path / name).touch()
    for value in (1, 2):
        TOY.save(tmp_path, {"value": value}, body(value), overwrite=True)
    assert all((tmp_path / name).exists() for name in others)


def test_a_folder_within_stays_within(tmp_path):
    TOY.save(tmp_path, {"value": 1, "box": "../box"}, body(1), overwrite=True)
    with pytest.raises(ValueError, match=r"names box outside its folder: '../box'"):
        TOY.load(tmp_path, both)


@dataclass
class Part:
    name: str
    values: np.ndarray


def test_arrays_of_dataclasses_come_back(tmp_path):
    transposed = np.arange(6.0).reshape(2, 3).T
    (tmp_path / "a").write_bytes(pack_arrays(one=Part("x", transposed), two=Part("y", np.ones(2, "i8"))))
    back = unpack_arrays(tmp_path / "a")
    assert {part: list(fields) for part, fields in back.items()} == {"one": ["values"], "two": ["values"]}
    np.testing.assert_array_equal(back["one"]["values"], transposed)
    (tmp_path / "a").write_bytes(b"no arrays")
    with pytest.raises(ValueError, match="is not a safetensors file"):
        unpack_arrays(tmp_path / "a")


@pytest.mark.skipif(os.name != "posix", reason="groups share folders by their modes on Unix")
@pytest.mark.parametrize("mode", [0o700, 0o755, 0o775])
def test_whoever_may_write_into_a_folder_may_lock_it(tmp_path, mode):
    tmp_path.chmod(mode)
    with locked(tmp_path / "notes.txt"):
        pass
    assert (tmp_path / ".notes.txt.lock").stat().st_mode & 0o777 == mode & 0o666


def test_a_lock_is_waited_for_or_refused(tmp_path):
    held = tmp_path / "toy.json"
    with locked(held):
        again = locked(held, wait=0)
        with pytest.raises(BlockingIOError, match="is in use by another process"):
            again.__enter__()
    link = tmp_path / "link.json"
    link.symlink_to(held)
    with locked(held, wait=0):
        again = locked(link, wait=0, by="another loop")
        with pytest.raises(BlockingIOError, match=r"link.json is in use by another loop; end that one"):
            again.__enter__()


def test_the_draft_of_a_killed_writer_goes_a_day_later(tmp_path):
    old, young, others = (tmp_path / f".table.{stamp * 12}.part.csv" for stamp in "abc")
    others = others.with_name(".other.cccccccccccc.part.csv")
    for path in (old, young, others):
        path.write_text("half")
    for path in (old, others):
        os.utime(path, (0, 0))
    publish(tmp_path / "table.csv", b"whole", sync=False)
    assert old.exists()
    publish(tmp_path / "table.csv", b"whole")
    assert (old.exists(), young.exists(), others.exists()) == (False, True, True)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"[" * 10**5, "nested too deeply"),
        (b"{", "Expecting"),
        (b"\xff", "decode"),
        (b" " * (2**26 + 1), "larger"),
    ],
    ids=["deep", "open", "no text", "large"],  # by themselves they would be the whole content
)
def test_json_that_cannot_be_read(tmp_path, content, why):
    (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(ValueError, match=why):
        read_json(tmp_path / "card.json")
