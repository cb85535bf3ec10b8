"""The command that plays one round of a search: read the ratings, score, choose what to show next."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from galzoo_repr._progress import say_what_is_kept
from galzoo_repr.cli._app import app
from galzoo_repr.cli._options import Beside, CatalogueIn, open_catalogue, read_beside
from galzoo_repr.cli._terminal import messages, show

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["anomalies"]

FORMATS = {".ecsv", ".parquet", ".fits", ".vot"}


@app.command()
def anomalies(
    catalogue: CatalogueIn,
    out: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of the search, made if it is not there.")
    ],
    rated: Annotated[
        list[Path] | None,
        typer.Option(help="CSV or ECSV with the columns row and rating; by default FOLDER/next_to_rate.csv."),
    ] = None,
    ratings: Annotated[str, typer.Option(help="Name of the interest: its column of ratings.")] = "interest",
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
    embedding: Annotated[str, typer.Option(help="Column of the embeddings.")] = "embedding",
    beside: Beside = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the first galaxies shown.")] = 0,
) -> None:
    """
    Find galaxies that interest you: one round of rating.

    Writes FOLDER/next_to_rate.png, the galaxies to look at, and next_to_rate.csv, to fill in the column
    rating. The next call reads it, adds the ratings to ratings.ecsv, scores every galaxy into scored.ecsv
    (or in the format of the catalogue), and shows the next galaxies.
    """
    columns = read_beside(beside)
    table = open_catalogue(catalogue)
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
    messages.print(f"{np.isfinite(values).sum()} galaxies are rated, {added} of them now")
    column = Column(values, description="Rating, higher is more interesting; NaN where not rated")
    table = with_columns(table, {ratings: column}, overwrite=True, copy=False)
    raters = [ratings, *(others or [])]
    with say_what_is_kept(lambda: f"ratings are kept in {out / 'ratings.ecsv'}"):
        options = {"embedding": embedding, "beside": columns, "seed": seed}
        scored = add_anomaly_scores(table, raters, overwrite=True, **options)
        suffix = catalogue.suffix if catalogue.suffix in FORMATS else ".ecsv"
        write_catalogue(scored, out / f"scored{suffix}", overwrite=True)
        model = InterestModel(batch=batch)
        chosen = next_to_rate(table, raters, n, model=model, first=first, **options)
    _write_sheet(table, chosen, sheet)
    _show_round(scored, chosen)
    if len(chosen):
        messages.print(f"Look at these galaxies, fill in the column rating of {sheet}, and call again")


def _write_sheet(table: "Table", chosen: "Table", sheet: Path) -> None:
    """Write the galaxies to look at: their pictures, and a table with a blank for each rating."""
    import numpy as np
    from astropy.table import MaskedColumn, Table

    from galzoo_repr.catalogue import for_spreadsheets
    from galzoo_repr.images import montage, pictures

    rows = np.asarray(chosen["row"])
    names = _names(table)
    if "cutout" not in table.colnames:
        messages.print("The catalogue has no column cutout, so there is no picture to draw")
    elif len(rows):
        labels = [f"row {row}\n{names[row]}" for row in rows]
        picture = sheet.with_suffix(".png")
        montage(pictures(table, rows), labels).save(picture)
        messages.print(f"Picture written to {picture}", soft_wrap=True)
    blank = Table({"row": rows, "galaxy": [names[row] for row in rows]})
    blank["rating"] = MaskedColumn(np.zeros(len(rows)), mask=True)
    for_spreadsheets(blank).write(sheet, format="ascii.csv", overwrite=True)


def _show_round(scored: "Table", chosen: "Table") -> None:
    """Print the best galaxies so far, and those to look at."""
    import numpy as np
    from astropy.table import Table

    order = np.argsort(np.where(scored["anomaly_rank"] > 0, scored["anomaly_rank"], len(scored) + 1))[:10]
    names = _names(scored)
    best = Table(
        {"rank": scored["anomaly_rank"][order], "row": order, "galaxy": [names[row] for row in order]}
    )
    for name in ("anomaly_score", "anomaly_score_std"):
        best[name] = scored[name][order]
        best[name].info.format = ".3f"
    show(best, "Most interesting")
    following = Table({"row": chosen["row"], "galaxy": [names[row] for row in chosen["row"]]})
    for name in ("predicted_rating", "expected_improvement"):
        following[name] = chosen[name]
        following[name].info.format = ".3g"
    show(following, "Next to rate")


def _names(table: "Table") -> list[str]:
    """Names of galaxies, or their rows where a catalogue tells neither names nor positions."""
    from galzoo_repr.catalogue import galaxy_names

    try:
        return galaxy_names(table)
    except ValueError:
        return [f"row {row}" for row in range(len(table))]
