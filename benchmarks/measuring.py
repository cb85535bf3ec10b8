"""What all benchmarks share: ways that take turns, one form of table, and one of JSON."""

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

__all__ = ["compare", "cores", "fastest", "here", "seconds_by_turns", "show", "write_json"]


def seconds_by_turns(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Wall seconds of each way in each round; they take turns, which is fair where the machine's speed drifts."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def compare(ways: dict[str, Callable[[], object]], rounds: int, per_round: int) -> dict[str, float]:
    """Median items per second of each way, after a first call that is not counted."""
    for way in ways.values():
        way()
    return {
        name: per_round / statistics.median(times) for name, times in seconds_by_turns(ways, rounds).items()
    }


def fastest(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Least seconds of each way."""
    return {name: min(times) for name, times in seconds_by_turns(ways, rounds).items()}


def show(title: str, values: dict[str, float], unit: str = "/s") -> dict[str, float]:
    """Print values beside their ratio to the first one, and give them back."""
    print(f"\n{title}")
    base = next(iter(values.values()))
    for name, value in values.items():
        print(f"  {name:<52}{value:>12,.2f} {unit} {value / base:>8.2f} x", flush=True)
    return values


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def here() -> dict:
    """Say of which commit, and on what machine beside how much other work, something is measured."""
    folder = Path(__file__).parent
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    commit = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout.strip()
    return {
        "commit": commit or "unknown",
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {cores()} cores",
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def write_json(path: Path | None, figures: dict, about: dict, *, told: bool = True) -> None:
    """Write figures with what `here` said before they were measured; into a folder under the name of the commit."""
    if path is None:
        return
    if path.is_dir():
        path = path / f"{about['commit']}.json"
    path.write_text(json.dumps({"about": about, **figures}, indent=2, default=_plain) + "\n")
    if told:
        print(f"\nwritten: {path}")


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
