"""Long work shows that it goes on, and an interrupt says what is left of it."""

import io
import time

import pytest

from galzoo_repr._progress import closing_line, progress_bar, say_what_is_kept


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown_while(seconds, monkeypatch, stream, **options):
    """What a bar writes while one step takes so long."""
    monkeypatch.setattr("sys.stderr", stream)
    with progress_bar(3, "waiting", "step", **options) as bar:
        time.sleep(seconds)
        bar.update()
    return stream.getvalue()


def test_a_bar_moves_while_one_step_takes_long(monkeypatch):
    monkeypatch.setattr("galzoo_repr._progress._BEAT_SECONDS", 0.02)
    text = shown_while(0.3, monkeypatch, Terminal(), shown=True)
    assert text.count("waiting:   0%") > 3
    assert "1/3" in text


def test_a_file_gets_a_line_now_and_then_and_one_at_the_end(monkeypatch):
    monkeypatch.setattr("galzoo_repr._progress._BEAT_SECONDS", 0.02)
    (closing,) = shown_while(0.3, monkeypatch, io.StringIO(), shown=True).splitlines()
    assert closing.startswith("waiting:  33% 1/3 [")
    monkeypatch.setattr("galzoo_repr._progress._LINE_SECONDS", 0.1)
    lines = shown_while(0.35, monkeypatch, io.StringIO(), shown=True).splitlines()
    assert 3 <= len(lines) <= 4
    assert lines[0].startswith("waiting:   0% 0/3 [")


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_bar_that_is_off_writes_nothing(stream, monkeypatch):
    assert shown_while(0.01, monkeypatch, stream(), shown=False) == ""


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"seconds": 0.04, "failed": 0, "limited_by": ""}, "10 galaxies in 0.04 s: none failed"),
        (
            {"seconds": 300, "embedded": 6, "embedded_before": 3, "failed": 1, "limited_by": "reading files"},
            "10 galaxies in 5.0 min: embedded 6 (0.02 per s), 3 embedded before, 1 failed; limited by reading files",
        ),
        (
            {
                "seconds": 7200,
                "fetched": 9000,
                "fetching_seconds": 90,
                "failed": 0,
                "limited_by": "the answers",
            },
            "10 galaxies in 2.0 h: fetched 9,000 (100 per s), none failed; limited by the answers",
        ),
    ],
)
def test_the_closing_line_says_rates_and_what_limited(figures, words):
    assert closing_line(10, figures) == words


@pytest.mark.parametrize("kept", ["3 epochs are kept in there", None])
def test_an_interrupt_says_what_is_kept(kept):
    with pytest.raises(KeyboardInterrupt) as caught, say_what_is_kept(lambda: kept):
        raise KeyboardInterrupt
    assert getattr(caught.value, "__notes__", []) == ([kept] if kept else [])


def test_other_errors_are_left_alone():
    with pytest.raises(ValueError, match="wrong") as caught, say_what_is_kept(lambda: "all"):
        raise ValueError("wrong")
    assert not hasattr(caught.value, "__notes__")
