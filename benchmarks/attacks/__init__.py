"""Attacks, each a function that returns if the package held, and how one is run: alone, with limits, and watched."""

import functools
import gc
import inspect
import json
import os
import resource
import signal
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ATTACKS = []


@dataclass(frozen=True)
class Outcome:
    held: bool
    seconds: float
    megabytes: float
    said: str = ""


@dataclass(frozen=True)
class Attack:
    """A call that shall return within some seconds and with so much memory beyond what was there before."""

    name: str
    call: Callable[[Path], object]
    seconds: float
    megabytes: float

    def run(self) -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            return self._run(Path(folder))

    def _run(self, folder: Path) -> Outcome:
        reading, writing = os.pipe()
        gc.collect()
        # What the process to come begins with; one that is done at once could not be asked.
        peak = before = _resident(os.getpid())
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            _perform(self.call, folder, writing)
        os.close(writing)
        while (ended := os.waitpid(pid, os.WNOHANG))[0] == 0 and time.monotonic() < began + self.seconds:
            peak = max(peak, _resident(pid))
            time.sleep(0.005)
        seconds = time.monotonic() - began
        if ended[0] == 0:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(reading)
            return Outcome(False, seconds, peak - before, f"was not done after {self.seconds:g} s")
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read()
        if os.WIFSIGNALED(ended[1]) or not said:
            return Outcome(False, seconds, peak - before, f"ended by signal {os.WTERMSIG(ended[1])}")
        fault, highest = json.loads(said)
        beyond = max(peak, highest) - before
        if not fault and beyond > self.megabytes:
            fault = f"took more than {self.megabytes:g} MB"
        return Outcome(not fault, seconds, beyond, fault)


def attack(*, seconds: float = 20.0, megabytes: float = 300.0, **cases: object) -> Callable:
    """
    Make an attack of a function that takes an empty folder; it holds if the function returns.

    With one keyword argument more, such as ``kind=[...]`` or ``kind={"name": value}``, one attack for each of these.
    """

    def register(function: Callable) -> Callable:
        name = f"{inspect.getmodule(function).__name__.split('.')[-1]}: {function.__name__.replace('_', ' ')}"
        variants = [({}, "")]
        for key, values in cases.items():
            values = values if isinstance(values, dict) else {str(one): one for one in values}
            variants = [({key: value}, f" [{label}]") for label, value in values.items()]
        for chosen, label in variants:
            call = functools.partial(function, **chosen)
            ATTACKS.append(Attack(f"{name}{label}"[:70], call, seconds, megabytes))
        return function

    return register


def refused(call: Callable[[], object], *kinds: type[Exception]) -> str:
    """The message with which a call was refused; an AssertionError if it was not."""
    try:
        given = call()
    except (ValueError, FileNotFoundError, *kinds) as error:
        if not str(error):
            raise AssertionError("it was refused without a word") from error
        return str(error)
    raise AssertionError(f"it was taken: {given!r:.80}")


def killed_again_and_again(
    act: Callable[[int], object], check: Callable[[], object], *, times: int = 20
) -> None:
    """Do something over and over in another process, kill it at some moment, and check what is there; twenty times."""
    for number in range(times):
        pid = os.fork()
        if pid == 0:
            with suppress(BaseException):
                for turn in range(10_000):
                    act(turn)
            os._exit(1)
        # Moments spread over two orders of magnitude, so that they fall into all parts of what is done.
        time.sleep(0.003 * 1.35 ** (number % 20))
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            raise AssertionError(f"it ended by itself, with status {status}")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        check()


def _perform(call: Callable[[Path], object], folder: Path, pipe: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    fault = ""
    try:
        call(folder)
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        fault = f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}: {error}"[:200]
    # What was highest since the process began; at first that of its parent.
    highest = _status("self").get("VmHWM", 0) if fault == "" else 0
    os.write(pipe, json.dumps([fault, highest]).encode())
    os._exit(0)


def _resident(pid: int) -> float:
    return _status(str(pid)).get("VmRSS", 0)


def _status(pid: str) -> dict[str, float]:
    """Memory of a process in MB, as Linux tells."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines if line.startswith("Vm")}
