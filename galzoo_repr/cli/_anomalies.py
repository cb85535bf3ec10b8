"""The command that plays one round of a search: read the ratings, score, choose what to show next."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from galzoo_repr._arguments import check_column
from galzoo_repr._progress import say_what_is_kept
from galzoo_repr.cli import _options as option
from galzoo_repr.cli._app import verb
from galzoo_repr.cli._from_text import open_catalogue, read_beside
from galzoo_repr.cli._terminal import note, print_json, rows_of, show

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["anomalies"]

FORMATS = {".ecsv", ".parquet", ".fits", ".vot"}
_PANEL = 240  # pixels of a galaxy that is to be rated


@verb("anomalies embedded.parquet search")
def anomalies(
    catalogue: option.CatalogueIn,
    out: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of the search, made if it is not there.")
    ],
    rated: Annotated[
        list[Path] | None,
        typer.Option(
            help="CSV or ECSV with the columns rating and row, or name; by default FOLDER/next_to_rate.csv."
        ),
    ] = None,
    ratings: option.Interest = "interest",
    others: Annotated[
        list[str] | None,
        typer.Option(help="Column of another rater, to learn from too; may be given several times."),
    ] = None,
    n: Annotated[int, typer.Option("--number", "-n", min=1, help="How many galaxies to show next.")] = 10,
    batch: Annotated[
        Literal["distinct", "top"], typer.Option(help="Galaxies that are not alike, or simply the best.")
    ] = "distinct",
    first: Annotated[
        Literal["diverse", "outliers", "random"], typer.Option(help="What to show while nothing is rated.")
    ] = "diverse",
    embedding: option.Embedding = "embedding",
    beside: option.Beside = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the first galaxies shown.")] = 0,
    as_json: option.Json = False,
    quiet: option.Quiet = False,
) -> None:
    """
    Find galaxies that interest you: one round of rating.

    Writes FOLDER/next_to_rate.png, the galaxies to look at, and next_to_rate.csv, to fill in the column
    rating. The next call reads it, adds the ratings to ratings.ecsv, scores every galaxy into scored.ecsv
    (or in the format of the catalogue), and shows the next galaxies.
    """
    columns, theirs = read_beside(beside), others or []
    if twice := [name for name in theirs if [ratings, *theirs].count(name) > 1]:
        raise ValueError(f"--others names {twice[0]!r}, which counts already; each rater counts once")
    table = open_catalogue(catalogue)
    theirs = [check_column("--others", name, table.colnames) for name in theirs]
    sheet = out / "next_to_rate.csv"
    answers = [open_catalogue(path) for path in rated or ([sheet] if sheet.exists() else [])]
    import numpy as np
    from astropy.table import Column

    from galzoo_repr.catalogue import read_embeddings

    # Before what takes seconds to be imported.
    read_embeddings(table, embedding)

    from galzoo_repr.anomaly import InterestModel, add_anomaly_scores, next_to_rate, record_answers
    from galzoo_repr.catalogue import with_columns, write_catalogue

    values, added = record_answers(table, answers, out / "ratings.ecsv", ratings=ratings, embedding=embedding)
    n_rated = int(np.isfinite(values).sum())
    note(f"{n_rated} galaxies are rated, {added} of them now", quiet=quiet)
    column = Column(values, description="Rating, higher is more interesting; NaN where not rated")
    table = with_columns(table, {ratings: column}, overwrite=True, copy=False)
    raters = [ratings, *theirs]
    with say_what_is_kept(lambda: f"ratings are kept in {out / 'ratings.ecsv'}"):
        options = {"embedding": embedding, "beside": columns, "seed": seed}
        scored = add_anomaly_scores(table, raters, overwrite=True, **options)
        suffix = catalogue.suffix if catalogue.suffix in FORMATS else ".ecsv"
        write_catalogue(scored, written := out / f"scored{suffix}", overwrite=True)
        model = InterestModel(batch=batch)
        chosen = next_to_rate(table, raters, n, model=model, first=first, **options)
    _write_sheet(table, chosen, sheet, quiet)
    best, following = _round(scored, chosen)
    if as_json:
        told = {"out": str(written), "rated": n_rated, "rated_now": added, "sheet": str(sheet)}
        print_json({**told, "most_interesting": rows_of(best), "next_to_rate": rows_of(following)})
        return
    show(best, _title(scored))
    show(following, "Next to rate")
    if len(chosen):
        note(f"Look at these galaxies, fill in the column rating of {sheet}, and call again", quiet=quiet)


def _write_sheet(table: "Table", chosen: "Table", sheet: Path, quiet: bool) -> None:
    """Write the galaxies to look at: their pictures, and a table with a blank for each rating."""
    import numpy as np
    from astropy.table import MaskedColumn, Table

    from galzoo_repr.catalogue import for_spreadsheets
    from galzoo_repr.images import montage, on_the_sky, picture_column, pictures

    rows = np.asarray(chosen["row"])
    names = _names(table)
    if not picture_column(table):
        note("The catalogue has no column cutout or file_loc, so there is no picture to draw", quiet=quiet)
    elif len(rows):
        labels = [f"row {row}\n{names[row]}" for row in rows]
        picture = sheet.with_suffix(".png")
        montage(pictures(table, rows), labels, **on_the_sky(table[rows]), panel=_PANEL).save(picture)
        note(f"Picture written to {picture}", quiet=quiet)
    blank = Table({"row": rows, "galaxy": [names[row] for row in rows]})
    blank["rating"] = MaskedColumn(np.zeros(len(rows)), mask=True)
    for_spreadsheets(blank).write(sheet, format="ascii.csv", overwrite=True)


def _title(scored: "Table") -> str:
    import numpy as np

    if np.isfinite(scored["anomaly_score_std"]).any():
        return "Most interesting"
    if "nothing was rated" in scored["anomaly_score"].description:
        return "Most unusual: nothing is rated"
    return "Most unusual: low or equal ratings"


def _round(scored: "Table", chosen: "Table") -> "tuple[Table, Table]":
    """Tables to print: the best galaxies so far, and those to look at."""
    import numpy as np
    from astropy.table import Table

    order = np.argsort(np.where(scored["anomaly_rank"] > 0, scored["anomaly_rank"], len(scored) + 1))[:10]
    names = _names(scored)
    best = Table(
        {"rank": scored["anomaly_rank"][order], "row": order, "galaxy": [names[row] for row in order]}
    )
    # Without ratings the score is how unusual a galaxy is, and has no standard deviation.
    has_std = np.isfinite(scored["anomaly_score_std"]).any()
    for name in ("anomaly_score", "anomaly_score_std") if has_std else ("anomaly_score",):
        best[name] = scored[name][order]
        best[name].info.format = ".3f"
    following = Table({"row": chosen["row"], "galaxy": [names[row] for row in chosen["row"]]})
    for name in ("predicted_rating", "expected_improvement") if has_std else ():
        following[name] = chosen[name]
        following[name].info.format = ".3g"
    return best, following


def _names(table: "Table") -> list[str]:
    """Names of galaxies, or their rows where a catalogue tells neither names nor positions."""
    from galzoo_repr.catalogue import galaxy_names

    try:
        return galaxy_names(table)
    except ValueError:
        return [f"row {row}" for row in range(len(table))]
