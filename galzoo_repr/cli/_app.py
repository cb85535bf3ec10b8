"""The command ``galzoo-repr``: its commands, and what becomes of errors and warnings."""

import logging
import re
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from typer.core import TyperGroup

from galzoo_repr import __version__
from galzoo_repr._config import log
from galzoo_repr.cli._terminal import messages, say

__all__ = ["app", "main", "verb"]

# As they are needed one after the other.
VERBS = (
    "demo",
    "fetch",
    "embed",
    "external",
    "similar",
    "duplicates",
    "anomalies",
    "compare",
    "finetune",
    "predict",
    "pretrain",
    "push",
    "look",
    "serve-survey",
    "cite",
    "info",
)
FUNCTIONS = {
    "add_cutouts": "fetch",
    "add_embeddings": "embed",
    "find_similar": "similar",
    "add_similarity": "similar",
    "add_anomaly_scores": "anomalies",
    "add_predictions": "predict",
}
"""Verbs that do what functions do, which messages of the package name."""
BEHIND = {"--run": ("output",)}
"""Arguments of functions that an option gives under another name."""
_RENAME = "rename the column that has them"
INTERRUPTED, TERMINATED = 130, 143  # what shells report for a process that Ctrl-C, and SIGTERM, ended


class Terminated(KeyboardInterrupt):
    """SIGTERM, by which batch systems end a job: what Ctrl-C leaves in order, this must leave so, too."""


@contextmanager
def _terminable() -> Iterator[None]:
    """Raise `Terminated` on the first SIGTERM, as Python does nothing before it ends by one; the second one ends it."""

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, end)
    except ValueError:  # not in the main thread, which alone gets signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


class _Verbs(TyperGroup):
    """Runs a command and turns the errors that a user can mend into one line and an exit code."""

    def list_commands(self, ctx: typer.Context) -> list[str]:
        """Names of the commands in the order in which the help lists them."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: VERBS.index(name) if name in VERBS else len(VERBS))

    def invoke(self, ctx: typer.Context) -> object:
        try:
            with _terminable():
                return super().invoke(ctx)
        except KeyboardInterrupt as interrupt:
            terminated = isinstance(interrupt, Terminated)
            kept = ", ".join(getattr(interrupt, "__notes__", ()))
            goes_on = f"{kept}; the same command goes on from there" if kept else "nothing is kept of it"
            say("terminated" if terminated else "interrupted", goes_on, "yellow")
            raise typer.Exit(TERMINATED if terminated else INTERRUPTED) from None
        except Exception as error:
            if ctx.params.get("debug") or not _is_for_the_user(error):
                raise
            message = _in_words_of_the_shell(str(error), self.commands.get(ctx.invoked_subcommand))
            say("error", message or type(error).__name__, "bold red")
            raise typer.Exit(1) from None


def _is_for_the_user(error: Exception) -> bool:
    """Bad arguments, files and services; anything else is a fault of ours and keeps its traceback."""
    if isinstance(error, BrokenPipeError):  # the reader of our output has seen enough; typer ends quietly
        return False
    if isinstance(error, ImportError):  # of ours are those that name the extra to install
        return "pip install" in str(error)
    return isinstance(error, ValueError | TypeError | OSError) or type(error).__module__ in {
        "astroquery.exceptions",
        "astropy.io.registry.base",
    }


def _in_words_of_the_shell(message: str, verb: typer.core.TyperCommand | None) -> str:
    """Put the options of a command where a message of the package names the arguments behind them."""
    for parameter in verb.params if verb is not None else ():
        option = parameter.opts[0]
        for name in (parameter.name, *BEHIND.get(option, ())) if option.startswith("--") else ():
            of = rf"(?<![\w-]){name}"
            message = re.sub(rf"{of}='([\w.:/+-]+)'", rf"{option} \1", message)
            message = re.sub(rf"{of}=('[^']+')", rf"{option} \1", message)
            message = re.sub(rf"{of}=(nan\b|-?[\d.]*\d)(?!\w)", rf"{option} \1", message)
            message = re.sub(rf"{of}=\('?([\w-]+)'?, '?([\w-]+)'?\)", rf"{option} \1,\2", message)
            message = re.sub(rf"{of}=\('([^']+)', '([^']+)'\)", rf"{option} '\1,\2'", message)
            message = re.sub(rf"{of}=(True)?(?=[\s,.;:)]|$)", option, message)
            # As the subject of a sentence, or as what named a column.
            message = re.sub(
                rf"((?:^|[:;.] )){name}(?= (?:'[^']*' )?(?:is|must|may|names|holds|has|would|cannot)\b)",
                rf"\1{option}",
                message,
            )
            message = re.sub(rf"(?<=' of ){name}\b", option, message)
    if any(parameter.name == "radius_column" for parameter in getattr(verb, "params", ())):
        message = message.replace(_RENAME, f"name the column that has them by --radius-column, or {_RENAME}")
    for function, verb_of_it in FUNCTIONS.items():
        message = re.sub(rf"\b{function}\b(?!=)", f"galzoo-repr {verb_of_it}", message)
    return message


def _show_warnings_of(verb: typer.core.TyperCommand | None) -> None:
    """Show warnings as errors are shown, each in one line and the words of the command."""
    import astropy.logger

    # Astroquery, which comes later, would log them as astropy did when it was imported.
    astropy.logger.conf.log_warnings = False

    def show(message: Warning | str, *_: object, **__: object) -> None:
        say("warning", _in_words_of_the_shell(str(message), verb), "yellow")

    warnings.showwarning = show


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"galzoo-repr {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=_Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Galaxy morphology representations for astropy catalogues.",
)


_EXIT_CODES = "Exit codes: 0 done, 1 an error that is told, 2 not understood, 130 interrupted"
_OF_ROWS = ", 3 more galaxies failed than --fail-on allows, 4 all did"


def verb(example: str, *, rows: bool = False, name: str | None = None) -> Callable[[Callable], Callable]:
    """Make a function a command, whose help ends with an example and the exit codes; `rows` may fail, one by one."""
    ends = f"Example: galzoo-repr {example}\n\n{_EXIT_CODES}{_OF_ROWS if rows else ''}."
    return app.command(name=name, epilog=ends)


@app.callback()
def _every_verb(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop."),
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say what is being done.")] = False,
    debug: Annotated[bool, typer.Option(help="Show the traceback of an error.")] = False,
) -> None:
    _show_warnings_of(ctx.command.commands.get(ctx.invoked_subcommand))
    if verbose:
        from rich.logging import RichHandler

        log.addHandler(RichHandler(console=messages, show_path=False))
        log.setLevel(logging.INFO)


def main() -> None:
    """Run the command with the arguments of the process, and exit."""
    app(prog_name="galzoo-repr")
