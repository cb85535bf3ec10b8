"""The commands that need no galaxies of one's own: the demonstration and the simulated survey."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from galzoo_repr._folder import left_by_desktops
from galzoo_repr.cli import _options as option
from galzoo_repr.cli._app import verb
from galzoo_repr.cli._from_text import open_catalogue, read_angle
from galzoo_repr.cli._terminal import note, output, print_json, rows_of, show

if TYPE_CHECKING:
    from galzoo_repr.simulation import ReplaySurvey


@verb("demo --out galzoo-demo")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the catalogue, the pictures and the page.")] = Path(
        "galzoo-demo"
    ),
    n: Annotated[int, typer.Option("--galaxies", "-n", min=40, help="How many galaxies to look at.")] = 300,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated survey.")] = 0,
    encoder: option.EncoderName = "bundled",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files of an earlier demonstration.")
    ] = False,
    as_json: option.Json = False,
    quiet: option.Quiet = False,
) -> None:
    """Simulate a survey, embed its galaxies, and show what is found beside what chance would give. Needs no network."""
    if out.is_file() or (
        out.is_dir() and not all(left_by_desktops(one.name) for one in out.iterdir()) and not overwrite
    ):
        raise FileExistsError(f"{out} is not an empty folder; choose another --out, or add --overwrite")
    from galzoo_repr._threads import one_thread_from_the_start

    def say(line: str) -> None:
        note(f"- {line}", quiet=quiet)

    try:
        with one_thread_from_the_start():
            from galzoo_repr.demo import run_demo

            result = run_demo(out, encoder=encoder, n=n, seed=seed, progress=not quiet, say=say)
    except KeyboardInterrupt as interrupt:
        # What its steps keep is in a folder that goes with it.
        raise type(interrupt) from None
    if as_json:
        files = [str(path) for path in result.files]
        print_json(
            {"out": str(out), "seconds": result.seconds, "files": files, "summary": rows_of(result.summary)}
        )
        return
    show(result.summary, f"Found among {len(result.catalogue)} galaxies, and what chance would give")
    output.print(f"Written in {result.seconds:.0f} s: {', '.join(path.name for path in result.files)}")
    output.print(f"Look at {out / 'index.html'}", soft_wrap=True)
    output.print(f"Rate and explore them: galzoo-repr look {out / 'catalogue.parquet'}", soft_wrap=True)


@verb("serve-survey --port 8000", name="serve-survey")
def serve_survey(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated sky.")] = 0,
    replay: Annotated[
        Path | None, typer.Option(help="Folder of FITS or JPEG images to serve instead, as they are.")
    ] = None,
    positions: Annotated[
        Path | None,
        typer.Option(help="Table of the columns file, ra and dec for them; by default from FITS headers."),
    ] = None,
    tolerance: Annotated[
        str, typer.Option(help="How far from a recorded position a request may be.")
    ] = "5 arcsec",
    resize: Annotated[
        bool, typer.Option("--resize", help="Resample recorded JPEG images to the size asked for.")
    ] = False,
) -> None:
    """Serve a simulated survey that answers as the Legacy Survey viewer does, until Ctrl-C."""
    if replay is None and (positions is not None or resize):
        raise ValueError("--positions and --resize are about recorded images; add --replay FOLDER")
    if replay is not None and not replay.is_dir():
        raise FileNotFoundError(f"there is no folder {replay}; give the one that holds the images")
    from galzoo_repr._threads import one_thread_from_the_start

    with one_thread_from_the_start():
        if replay is None:
            from galzoo_repr import SimulatedSurvey

            survey = SimulatedSurvey(seed=seed)
        else:
            survey = _recorded(replay, positions, tolerance, resize)
        with survey.serve(port=port) as service:
            typer.echo(service.url)
            service.wait()


def _recorded(folder: Path, positions: Path | None, tolerance: str, resize: bool) -> "ReplaySurvey":
    """Survey of the images of a folder."""
    from galzoo_repr.simulation import replay

    table = None if positions is None else open_catalogue(positions)
    return replay(folder, table, tolerance=read_angle(tolerance, "--tolerance"), resize=resize)
