"""Does fetching survive a night, and what does the care cost?

Prints the table; exits with 1 where a promise is broken. Run as ``python benchmarks/fetch_faults.py
[faults] [kills] [shared] [speed] [lookup] [footprint]``; all parts by default, some ten minutes on two cores.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

import astropy.units as u
import numpy as np
import requests
from astropy.table import Table
from astroquery.hips2fits import hips2fitsClass
from mocpy import MOC

from galzoo_repr import CutoutStore, LegacySurvey, add_cutouts
from galzoo_repr.cutouts import USABLE, Coverage, HipsSurvey, fetch, fetch_into

HERE = Path(__file__).parent
SIZE, BANDS = 64, "grz"
PROMISES = []


@contextmanager
def service(**settings):
    """Run a light viewer in another process."""
    command = [sys.executable, str(HERE / "fetch_service.py"), json.dumps(settings)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()


def stats(url):
    """Counters of the service."""
    with urlopen(url.replace("/viewer", "/stats")) as answer:
        return json.load(answer)


def promise(kept, text):
    """Print a line of the table and remember whether it holds."""
    PROMISES.append(bool(kept))
    print(f"  {'ok ' if kept else 'NOT'}  {text}", flush=True)


def ask(survey, positions, size=SIZE):
    """Make requests for positions."""
    return [survey.request(ra, dec, size, 0.262 * u.arcsec, bands=BANDS) for ra, dec in positions]


def faults(n):
    """One request in five fails at random; some rows cannot succeed at all."""
    print(f"\n{n} rows, 20 % of requests hit by all faults, pace 400/s, 8 in flight")
    random.seed(0)
    trouble = {
        "no_coverage": [61.5],
        "band_missing": [1.5],
        "partial": [2.5],
        "server_error": [3.5],
        "truncated": [4.5],
    }
    expected = ["ok"] * (n - n // 20)
    expected += [list(trouble)[i % len(trouble)] for i in range(n // 20)]
    random.shuffle(expected)
    declinations = [random.choice(trouble[status]) if status in trouble else -5.0 for status in expected]
    positions = [(360 * i / n, dec) for i, dec in enumerate(declinations)]
    with service(fraction=0.2, retry_after=0, stall=30) as url, tempfile.TemporaryDirectory() as folder:
        survey = LegacySurvey(server=url, timeout=3, rate=400, workers=8)
        with CutoutStore(folder) as store:
            started = time.perf_counter()
            outcomes = dict(fetch_into(store, survey, ask(survey, positions, 32)))
            seconds = time.perf_counter() - started
            bad = len(store.verify())
        report = stats(url)
    got = [outcomes[row].status for row in range(n)]
    wrong = Counter((e, g) for e, g in zip(expected, got, strict=True) if e != g)
    print(f"  {seconds:.0f} s, faults sent: {report['faults']}")
    promise(not wrong, f"every row has the right status {dict(Counter(got))} {dict(wrong) or ''}")
    promise(
        report["requests"] <= 1.5 * n, f"requests sent: {report['requests'] / n:.2f} per row (allowed 1.5)"
    )
    promise(report["max_in_flight"] <= 8, f"most in flight: {report['max_in_flight']} (allowed 8)")
    promise(
        report["busiest_second"] <= 408,
        f"busiest second: {report['busiest_second']} requests (allowed 400 + 8)",
    )
    promise(bad == 0, f"bodies that do not verify: {bad}")


WORKER = """
import sys
import astropy.units as u
from galzoo_repr import CutoutStore, LegacySurvey
from galzoo_repr.cutouts import fetch_into
survey = LegacySurvey(server=sys.argv[1], workers=8)
n = int(sys.argv[3])
asked = [survey.request(360 * i / n, -5.0, 64, 0.262 * u.arcsec) for i in range(n)]
with CutoutStore(sys.argv[2]) as store:
    outcomes = dict(fetch_into(store, survey, asked))
assert len(outcomes) == n
assert {outcome.status for outcome in outcomes.values()} == {"ok"}
"""


def start(url, folder, n):
    """Fetch in another process."""
    return subprocess.Popen([sys.executable, "-c", WORKER, url, folder, str(n)])


def published(store):
    """Positions, as they are sent, whose bodies lie under their names."""
    notes = map(json.loads, (store.root / "journal.jsonl").read_text().splitlines())
    bodies = {path.stem for path in store.root.glob("[0-9a-f][0-9a-f]/*/*.fits")}
    return {f"{note['ra']:.7f}{note['dec']:.7f}" for note in notes if note["digest"][:32] in bodies}


def kills(n, times=10):
    """Kill -9 at random moments, resume each time."""
    print(f"\n{n} rows, kill -9 at {times} random moments, resumed each time")
    with service(latency=0.05) as url, tempfile.TemporaryDirectory() as folder:
        moments = []
        for _ in range(times):
            process = start(url, folder, n)
            goal = (len(moments) and moments[-1][0]) + random.randint(1, 2 * n // (times + 2))
            while process.poll() is None and stats(url)["requests"] < goal:
                time.sleep(random.uniform(0.005, 0.03))
            process.send_signal(signal.SIGKILL)
            process.wait()
            with CutoutStore(folder) as store:
                moments.append((int(store.stats()["n"].sum()), published(store), stats(url)["times"]))
        print(f"  published at each kill: {[len(bodies) for _, bodies, _ in moments]}")
        promise(start(url, folder, n).wait() == 0, "the last call completes")
        report = stats(url)
        with CutoutStore(folder) as store:
            promise(len(store.verify()) == 0, "all bodies verify")
            kept = published(store)
            promise(len(kept) == n and int(store.stats()["n"].sum()) == n, f"complete: {len(kept)} of {n}")
            orphans = len(list(store.root.glob("*/*/.*")))
    lost = sum(len(bodies - kept) for _, bodies, _ in moments)
    again = sum(report["times"][body] > asked[body] for _, bodies, asked in moments for body in bodies)
    promise(lost == 0, f"published, then lost: {lost}")
    promise(again == 0, f"published, then fetched again: {again}")
    print(f"       fetched again because they were on their way: {report['requests'] - n}")
    print(f"       temporary files left by the kills: {orphans} (removed by prune)")


def shared(n):
    """Two processes, the same rows, one store."""
    print(f"\n{n} rows, two processes at once")
    with service(latency=0.02) as url, tempfile.TemporaryDirectory() as folder:
        processes = [start(url, folder, n) for _ in range(2)]
        promise([p.wait() for p in processes] == [0, 0], "both results are complete")
        report = stats(url)
        promise(report["requests"] == n, f"requests sent: {report['requests']} for {n} rows")
        with CutoutStore(folder) as store:
            promise(len(store.verify()) == 0, "all bodies verify")


def speed(n_fast, n_slow):
    """Beside a thread pool over requests.Session that looks at nothing, and beside stock astroquery."""
    for latency, n, least in ((0.0, n_fast, 0.7), (0.2, n_slow, 0.95)):
        print(
            f"\n{n} cutouts of 3 x 256 x 256 (0.8 MB), latency {latency * 1000:.0f} ms, 8 threads: per second"
        )
        rates = {name: [] for name in (plain, survey_only, survey_store, stock, hips)}
        with service(latency=latency) as url:
            for _ in range(3):
                for measure in rates:
                    count = n // 4 if measure in (stock, hips) else n
                    # Removing the files again is no part of fetching, and slow on some disks.
                    with tempfile.TemporaryDirectory() as folder:
                        started = time.perf_counter()
                        measure(url, count, folder)
                        rates[measure].append(count / (time.perf_counter() - started))
        best = {measure: max(values) for measure, values in rates.items()}
        for measure, rate in best.items():
            print(f"       {measure.__doc__:72s} {rate:7.1f}  {rate / best[plain]:.2f}")
        ratio = best[survey_only] / best[plain]
        promise(ratio >= least, f"of the plain pool: {ratio:.2f} (at least {least})")


def _payloads(url, n):
    survey = LegacySurvey(server=url)
    return [survey._payload(request) for request in ask(survey, [(360 * i / n, -5.0) for i in range(n)], 256)]


def plain(url, n, folder):
    """Fetch with a requests.Session per thread, nothing checked, nothing kept."""
    here = threading.local()

    def get(payload):
        if not hasattr(here, "session"):
            here.session = requests.Session()
        return len(here.session.get(f"{url}/fits-cutout", params=payload, timeout=60).content)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(get, _payloads(url, n)))


def survey_only(url, n, folder):
    """Fetch with LegacySurvey: deadline, pace, every check, nothing kept."""
    survey = LegacySurvey(server=url, workers=8)
    positions = [(360 * i / n, -5.0) for i in range(n)]
    outcomes = fetch(survey, ask(survey, positions, 256), publish=lambda request, attempt: None)
    assert {outcome.status for _, outcome in outcomes} == {"ok"}


def survey_store(url, n, folder):
    """Fetch into a store: the same, and hashed, written and recorded."""
    survey = LegacySurvey(server=url, workers=8)
    with CutoutStore(folder) as store:
        outcomes = dict(fetch_into(store, survey, ask(survey, [(360 * i / n, -5.0) for i in range(n)], 256)))
    assert {outcome.status for outcome in outcomes.values()} <= USABLE


def stock(url, n, folder):
    """Fetch with stock astroquery.hips2fits, one band of three (0.3 MB)."""
    query = hips2fitsClass()
    query.server = url.replace("/viewer", "/hips")

    def get(i):
        angle = (i * 360 / n) * u.deg
        return query.query("CDS/P/x/r", 256, 256, "TAN", angle, 0 * u.deg, 0.01 * u.deg)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(get, range(n)))


def hips(url, n, folder):
    """Fetch with HipsSurvey, one band of three (0.3 MB)."""
    survey = HipsSurvey(server=url.replace("/viewer", "/hips"), workers=8)
    asked = [survey.request(360 * i / n, 0.0, 256, 0.262 * u.arcsec, bands="r") for i in range(n)]
    outcomes = fetch(survey, asked, publish=lambda request, attempt: None)
    assert {outcome.status for _, outcome in outcomes} == {"ok"}


@contextmanager
def timed(n, least, what):
    """Promise rows per second of processor time, and print those by the clock, which others slow down."""
    cpu, clock = time.process_time(), time.perf_counter()
    yield
    cpu, clock = (
        n / (now - then) for now, then in ((time.process_time(), cpu), (time.perf_counter(), clock))
    )
    promise(
        cpu >= least,
        f"{what}: {cpu:,.0f} rows per CPU second, {clock:,.0f} by the clock (at least {least:,})",
    )


def footprint(n):
    """Positions against maps as intricate as those of the Legacy Surveys, a map for each band."""
    print(f"\n{n} positions, three bands")
    generator = np.random.default_rng(0)

    def positions(count):
        return generator.uniform(0, 360, count), np.degrees(np.arcsin(generator.uniform(-0.3, 1, count)))

    maps = {}
    for band in BANDS:
        ra, dec = positions(100_000)
        maps[band] = MOC.from_lonlat(ra * u.deg, dec * u.deg, max_norder=9)
    ra, dec = positions(n)
    with timed(n, 500_000, "Coverage.contains"):
        Coverage(maps).contains(ra, dec, BANDS)


def lookup(n):
    """Everything cached: what add_cutouts costs per row."""
    print(f"\n{n} rows, all in the store")
    table = Table({"ra": np.linspace(0, 359, n), "dec": np.full(n, -5.0)})
    with service() as url, tempfile.TemporaryDirectory() as folder:
        survey = LegacySurvey(server=url, workers=8)
        options = {"survey": survey, "store": folder, "fov": 2 * u.arcsec, "progress": False}
        add_cutouts(table[:: n // 200], **options)
        with CutoutStore(folder) as store:
            known = [(request, outcome) for _, request, outcome in store.manifest.rows()]
            fill = ask(survey, zip(table["ra"], table["dec"], strict=True), 8)
            store.record([(request, known[i % len(known)][1]) for i, request in enumerate(fill)])
            with timed(n, 20_000, "CutoutStore.lookup"):
                store.lookup(fill)
        with timed(n, 20_000, "add_cutouts, table to table"):
            result = add_cutouts(table, **options)
        assert set(result["cutout_status"]) == {"ok"}


def main():
    """Run the parts asked for."""
    parts = {
        "faults": lambda: faults(5000),
        "kills": lambda: kills(2000),
        "shared": lambda: shared(2000),
        "speed": lambda: speed(400, 400),
        "lookup": lambda: lookup(100_000),
        "footprint": lambda: footprint(1_000_000),
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", help=", ".join(parts))
    chosen = parser.parse_args().part or list(parts)
    if unknown := set(chosen) - set(parts):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(parts)}")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name in chosen:
        parts[name]()
    print(f"\n{sum(PROMISES)} of {len(PROMISES)} promises kept")
    sys.exit(not all(PROMISES))


if __name__ == "__main__":
    main()
