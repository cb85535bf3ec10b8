"""Catalogues of partitions: rows per second and memory, in one process, in two, and beside LSDB alone.

A simulated catalogue with embeddings is written as HATS. Then one query is scored and ranked (``add_similarity``), the
most similar galaxies are found (``find_similar``), and the same scores are computed by ``map_partitions`` of LSDB,
which neither ranks them nor keeps units and provenance. In the mode ``kill`` one worker of two ends in the middle.

``python benchmarks/hats_catalogues.py --rows 1000000 --dim 1280 --work FOLDER --json hats.json``
"""

import argparse
import json
import os
import resource
import shutil
import signal
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from galzoo_repr import hats

MODES = ("one", "two", "top", "lsdb", "kill")


def file_of(rows: int, dim: int, place: Path) -> Path:
    """A Parquet file all over the sky, written piece by piece, so that it is never in memory as a whole."""
    if place.exists():
        return place
    random = np.random.default_rng(0)
    piece = max(1, 2**24 // dim)
    writer = None
    for start in range(0, rows, piece):
        n = min(piece, rows - start)
        vectors = pa.array(random.standard_normal(n * dim, dtype=np.float32))
        arrow = pa.table(
            {
                "id": pa.array(np.arange(start, start + n)),
                "ra": pa.array(random.uniform(0, 360, n)),
                "dec": pa.array(np.degrees(np.arcsin(random.uniform(-1, 1, n)))),
                "embedding": pa.FixedSizeListArray.from_arrays(vectors, dim),
            }
        )
        writer = writer or parquet.ParquetWriter(place.with_suffix(".part"), arrow.schema)
        writer.write_table(arrow)
    writer.close()
    place.with_suffix(".part").rename(place)
    return place


def catalogue(given: argparse.Namespace, found: dict) -> Path:
    """The file as HATS, and what that took."""
    name = f"s{given.rows}x{given.dim}"
    place = given.work / name
    if not (place / "hats.properties").exists():
        file = file_of(given.rows, given.dim, given.work / f"{name}.parquet")
        before = peak()
        seconds = timed(lambda: hats.to_hats(file, place, max_rows=given.max_rows))
        found["to_hats"] = {
            "seconds": seconds,
            "rows_per_s": given.rows / seconds,
            "mb": peak(),
            "mb_before": before,
        }
        file.unlink()
    return place


def peak(pid: int | None = None) -> float:
    """Largest memory that a process has had, in megabytes."""
    if pid is None:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split("VmHWM:")[1].split()[0]) / 1e3


def timed(call) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def cluster():
    from distributed import Client, LocalCluster

    return Client(LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None))


def workers(client) -> dict[str, float]:
    return {str(pid): peak(pid) for pid in client.run(os.getpid).values()}


def measured(call, rows: int, client=None) -> dict[str, object]:
    """Seconds, also of the processors alone, which hardly depend on what else runs, and memory."""

    def used() -> float:
        return time.process_time() if client is None else sum(client.run(time.process_time).values())

    before = used()
    seconds = timed(call)
    cpu = used() - before
    return {
        "seconds": round(seconds, 1),
        "rows_per_s": round(rows / seconds),
        "cpu_seconds": round(cpu, 1),
        "rows_per_cpu_s": round(rows / cpu),
        "mb": peak() if client is None else workers(client),
    }


def of_lsdb(folder: Path, query: np.ndarray, out: Path, client) -> Callable[[], object]:
    """The same scores by LSDB alone: read, score, write."""
    import lsdb
    import pandas as pd
    import pyarrow as pa

    def score(frame):
        from astropy.table import Table

        from galzoo_repr import add_similarity

        values = np.zeros(0)
        if len(frame):
            column = pa.chunked_array(pa.array(frame["embedding"])).combine_chunks()
            vectors = column.flatten().to_numpy().reshape(len(frame), -1)
            values = np.asarray(add_similarity(Table({"embedding": vectors}), query)["similarity"])
        return frame.assign(similarity=pd.Series(values, index=frame.index, dtype="float64"))

    opened = lsdb.open_catalog(str(folder))
    scored = opened.map_partitions(score)
    client.run(lambda: __import__("lsdb") and None)  # which takes some seconds, once
    # Its own choice of compression takes longer than all else, and would compare only that.
    written = {"compression": "snappy", "compression_level": None}
    return lambda: scored.write_catalog(
        out, progress_bar=False, as_collection=False, overwrite=True, write_table_kwargs=written
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=100_000)
    options.add_argument("--dim", type=int, default=64)
    options.add_argument("--max-rows", type=int, default=50_000)
    options.add_argument("--work", type=Path, required=True)
    options.add_argument("--json", type=Path)
    options.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    given = options.parse_args()
    warnings.simplefilter("ignore")
    given.work.mkdir(parents=True, exist_ok=True)
    found = {"rows": given.rows, "dim": given.dim}
    folder = catalogue(given, found)
    query = np.random.default_rng(1).standard_normal(given.dim)
    found["partitions"] = len(hats.HatsFolder.open(folder).pixels)

    def add(out: str, client=None) -> None:
        shutil.rmtree(given.work / out, ignore_errors=True)
        hats.add_similarity(folder, query, out=given.work / out, client=client, progress=False)

    if "top" in given.modes:
        found["top 100, one process"] = measured(
            lambda: hats.find_similar(folder, query, 100, progress=False), given.rows
        )
    if "one" in given.modes:
        found["add_similarity, one process"] = measured(lambda: add("one"), given.rows)
    if {"two", "lsdb", "kill"} & set(given.modes):
        with cluster() as client:
            hats.find_similar(folder, query, 1, client=client, progress=False)  # both have imported all
            if "two" in given.modes:
                found["top 100, two processes"] = measured(
                    lambda: hats.find_similar(folder, query, 100, client=client, progress=False),
                    given.rows,
                    client,
                )
                found["add_similarity, two processes"] = measured(
                    lambda: add("two", client), given.rows, client
                )
            if "lsdb" in given.modes:
                lsdb = of_lsdb(folder, query, given.work / "lsdb", client)
                found["lsdb, two processes"] = measured(lsdb, given.rows, client)
            if "kill" in given.modes:
                found["killed"] = killed(add, given.work / "killed", client)
    text = json.dumps(found, indent=1)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


def killed(add, out: Path, client) -> dict[str, float]:
    """End a worker when some partitions are set aside, and see that all are there in the end."""
    import threading

    def strike() -> None:
        while len(list(out.glob(".galzoo_repr/aside/*.parquet"))) < 2:
            time.sleep(0.01)
        os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

    threading.Thread(target=strike, daemon=True).start()
    seconds = timed(lambda: add(out.name, client))
    found = hats.from_hats(out, columns=["id", "similarity_rank"])
    ranks = np.sort(np.asarray(found["similarity_rank"]))
    return {
        "seconds": seconds,
        "rows": len(found),
        "all_ranked": bool((ranks == np.arange(1, len(found) + 1)).all()),
    }


if __name__ == "__main__":
    main()
