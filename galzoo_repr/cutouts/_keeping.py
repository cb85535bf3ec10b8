"""Which bodies of a store stay and which go, beside other processes that fetch, publish and read.

Every decision is taken and carried out within one transaction of the manifest. `CutoutStore.publish` announces a body
in the manifest before the file takes its name: whoever holds the transaction either sees the entry and leaves the file
alone, or removes the file before it is published anew.
"""

import re
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from galzoo_repr.cutouts._bodies import SUFFIXES, body_path, picture_path
from galzoo_repr.cutouts._manifest import STEM, Manifest
from galzoo_repr.cutouts._owners import is_gone

__all__ = ["drop", "forget", "hold", "release", "remove_orphans", "shrink", "total_size"]

_ORPHAN_SECONDS = 3600.0
"""Files without an entry are left alone for this long: another process may be about to announce them."""
_HELD_SECONDS = 3600.0
"""A call that looked a body up has this long to read it, unless it ends before."""
_AT_ONCE = 500
"""Bodies decided on in one transaction, for which others wait."""
_SHRUNK_TO = 0.95
"""Part of the largest size that is left, so that not every body that comes makes another one go."""
_BODY_NAME = re.compile(rf"([0-9a-f]{{{STEM}}})(-picture)?\.(fits|jpg)")


def _chunks(rows: Sequence) -> Iterator[Sequence]:
    for start in range(0, len(rows), _AT_ONCE):
        yield rows[start : start + _AT_ONCE]


def _marks(rows: Sequence) -> str:
    return ",".join("?" * len(rows))


def hold(manifest: Manifest, digests: Collection[str], holder: str, *, passing: bool) -> None:
    """
    Note that bodies are in use, so that no other process makes room at their cost.

    `passing` are those that shall go once they have been used; once wanted for good, a body stays.
    """
    now = time.time()
    rows = [(digest, now, holder, now + _HELD_SECONDS, int(passing)) for digest in sorted(digests)]
    with manifest.transaction() as db:
        db.executemany(
            "INSERT INTO body (digest, used, holder, held, passing) VALUES (?, ?, ?, ?, ?) ON CONFLICT (digest) "
            "DO UPDATE SET used = excluded.used, holder = excluded.holder, held = excluded.held, "
            "passing = MIN(passing, excluded.passing)",
            rows,
        )


def release(manifest: Manifest, holder: str, digests: Collection[str] | None = None) -> None:
    """Give up the hold on some bodies, or on all."""
    with manifest.transaction() as db:
        if digests is None:
            db.execute("UPDATE body SET held = 0 WHERE holder = ?", (holder,))
        else:
            rows = [(digest, holder) for digest in sorted(digests)]
            db.executemany("UPDATE body SET held = 0 WHERE digest = ? AND holder = ?", rows)


def drop(
    manifest: Manifest, digests: Collection[str], holder: str, *, pictures: Mapping[str, int] | None = None
) -> set[str]:
    """
    Remove the bodies that are only passing, of which the manifest still tells what came.

    Parameters
    ----------
    manifest : Manifest
        Of the store.
    digests : collection of str
        SHA-256 of the bodies.
    holder : str
        Who has done with them.
    pictures : dict, optional
        Bytes of the small picture that was made of each.

    Returns
    -------
    set of str
        Those that went; the others are wanted by somebody else.
    """
    gone = set()
    with manifest.transaction() as db:
        for chunk in _chunks(sorted(digests)):
            query = f"SELECT digest FROM body WHERE passing AND digest IN ({_marks(chunk)})"
            free = " AND (holder = ? OR held < ?)"
            for (digest,) in db.execute(query + free, [*chunk, holder, time.time()]).fetchall():
                size = (pictures or {}).get(digest, 0)
                db.execute("UPDATE body SET held = 0, picture = ? WHERE digest = ?", (size, digest))
                _remove(manifest, db, digest)
                gone.add(digest)
    return gone


def _remove(manifest: Manifest, db: sqlite3.Connection, digest: str) -> None:
    """Remove the file of a body; its entries stay, with a length of 0, and so does its picture."""
    formats = db.execute("SELECT DISTINCT image_format FROM outcome WHERE digest = ?", (digest,)).fetchall()
    db.execute("UPDATE outcome SET n_bytes = 0 WHERE digest = ?", (digest,))
    for (image_format,) in formats:
        body_path(manifest.root, digest, image_format).unlink(missing_ok=True)


def forget(manifest: Manifest, where: str, values: Sequence) -> int:
    """
    Drop the entries that meet a condition, and the files that no other entry needs; how many entries went.

    What a call is fetching at the moment stays.
    """
    where = f"({where}) AND key NOT IN (SELECT key FROM claim)"
    with manifest.reading() as db:
        keys = [key for (key,) in db.execute(f"SELECT key FROM outcome WHERE {where}", values)]
    n = 0
    for chunk in _chunks(keys):
        chosen = f"{where} AND key IN ({_marks(chunk)})"
        with manifest.transaction() as db:
            # Read again: since they were chosen, others may have fetched them anew.
            rows = db.execute(f"SELECT digest, image_format FROM outcome WHERE {chosen}", [*values, *chunk])
            bodies = rows.fetchall()
            db.execute(f"DELETE FROM outcome WHERE {chosen}", [*values, *chunk])
            n += len(bodies)
            for digest, image_format in {body for body in bodies if body[0]}:
                left = "SELECT 1 FROM outcome WHERE digest = ?"
                if db.execute(f"{left} AND image_format = ? LIMIT 1", (digest, image_format)).fetchone():
                    continue
                body_path(manifest.root, digest, image_format).unlink(missing_ok=True)
                if not db.execute(f"{left} LIMIT 1", (digest,)).fetchone():
                    picture_path(manifest.root, digest).unlink(missing_ok=True)
                    db.execute("DELETE FROM body WHERE digest = ?", (digest,))
    return n


def total_size(manifest: Manifest) -> int:
    """Bytes of all bodies, each once, and of the pictures that were made of them."""
    with manifest.reading() as db:
        (bodies,) = db.execute(
            "SELECT SUM(n) FROM (SELECT MAX(n_bytes) AS n FROM outcome WHERE digest > '' GROUP BY digest)"
        ).fetchone()
        # A store of an earlier version that cannot be written has no such table.
        there = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'body'").fetchone()
        (pictures,) = db.execute("SELECT SUM(picture) FROM body").fetchone() if there else (0,)
    return (bodies or 0) + (pictures or 0)


def shrink(manifest: Manifest, max_size: float) -> int:
    """
    Remove the bodies used longest ago until the store is within its size; how many went.

    Those that a call is fetching, or has looked up and may still read, stay.
    """
    too_much = total_size(manifest) - max_size
    if too_much <= 0:
        return 0
    too_much += (1 - _SHRUNK_TO) * max_size
    with manifest.transaction() as db:
        _free_the_dead(db)
        oldest = db.execute(
            "SELECT digest, MAX(n_bytes) + IFNULL(picture, 0), IFNULL(used, MAX(time)) AS last FROM outcome "
            "LEFT JOIN body USING (digest) WHERE digest > '' GROUP BY digest "
            "HAVING MAX(n_bytes) + IFNULL(picture, 0) > 0 ORDER BY last"
        ).fetchall()
    n = 0
    for chunk in _chunks(oldest):
        with manifest.transaction() as db:
            now = time.time()
            for digest, size, last in chunk:
                if too_much <= 0:
                    return n
                if _in_use(db, digest, last, now):
                    continue
                _remove(manifest, db, digest)
                picture_path(manifest.root, digest).unlink(missing_ok=True)
                db.execute("DELETE FROM body WHERE digest = ?", (digest,))
                too_much -= size
                n += 1
    return n


def _free_the_dead(db: sqlite3.Connection) -> None:
    """Give up the holds of processes of this machine that have ended without doing so."""
    holders = db.execute("SELECT DISTINCT holder FROM body WHERE held > 0").fetchall()
    gone = [(holder,) for (holder,) in holders if is_gone(holder)]
    db.executemany("UPDATE body SET held = 0 WHERE holder = ?", gone)


def _in_use(db: sqlite3.Connection, digest: str, last: float, now: float) -> bool:
    """Whether somebody is fetching a body, or has looked it up or published it since it was chosen."""
    row = db.execute("SELECT used, held FROM body WHERE digest = ?", (digest,)).fetchone()
    # A hold beyond what a hold lasts is of a clock that was set back since.
    if row is not None and (row[0] > last or now < row[1] <= now + _HELD_SECONDS):
        return True
    claimed = "SELECT 1 FROM outcome JOIN claim USING (key) WHERE digest = ? LIMIT 1"
    return db.execute(claimed, (digest,)).fetchone() is not None


def remove_orphans(manifest: Manifest) -> None:
    """Remove files that no entry needs and that have been there for an hour: what killed processes left."""
    old = []
    for path in _files(manifest.root):
        try:
            if path.stat().st_mtime < time.time() - _ORPHAN_SECONDS:
                old.append(path)
        except FileNotFoundError:
            # Drafts take their final names at any moment.
            continue
    for chunk in _chunks(old):
        with manifest.transaction() as db:
            for path in chunk:
                if not _is_needed(db, path):
                    path.unlink(missing_ok=True)


def _files(root: Path) -> Iterable[Path]:
    yield from root.glob("tmp/*")
    yield from root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*")


def _is_needed(db: sqlite3.Connection, path: Path) -> bool:
    name = _BODY_NAME.fullmatch(path.name)
    if not name:
        return False
    stem, picture, suffix = name.groups()
    if picture:
        query = "SELECT 1 FROM body WHERE digest BETWEEN ? AND ? AND picture LIMIT 1"
        return db.execute(query, (stem, f"{stem}g")).fetchone() is not None
    query = "SELECT 1 FROM outcome WHERE digest BETWEEN ? AND ? AND n_bytes AND image_format = ? LIMIT 1"
    image_format = next(name for name, ending in SUFFIXES.items() if ending == f".{suffix}")
    return db.execute(query, (stem, f"{stem}g", image_format)).fetchone() is not None
