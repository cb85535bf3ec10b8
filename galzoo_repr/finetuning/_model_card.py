"""The model card of a fine-tuned feature."""

from collections.abc import Mapping
from typing import Protocol

from galzoo_repr._hub import code_block, front_matter, markdown_table
from galzoo_repr.encoders import Encoder, recipe_rows
from galzoo_repr.finetuning._report import Report

__all__ = ["card_of"]


class _Described(Protocol):
    """What a model has that goes into its card."""

    label: str
    task: str
    classes: tuple[str, ...]
    unit: str
    card: dict
    report: Report
    encoder: Encoder | None


_LOAD = """from galzoo_repr import MorphologyModel
model = MorphologyModel.load("hf-hub:{repository}")"""
_USE = """from galzoo_repr import add_predictions
galaxies = add_predictions(galaxies, model)"""
_LIMITS = """- It knows galaxies like those that were labelled: for other surveys, depths or redshifts its answers may
  be wrong without looking so. The column that ends in `_unlike` says how far a galaxy is from all labelled ones.
- Probabilities are for the balance of the labels unless `prior=` says another.
- It learned what its labels mean, with their mistakes."""


def card_of(model: _Described, repository: str, licence: str) -> str:
    """Give Markdown as `MorphologyModel.model_card` does."""
    made_by = model.card["encoder"]
    beside = model.card.get("beside", {})
    columns = f" and the columns {', '.join(f'`{name}`' for name in beside)}" if beside else ""
    if model.encoder is not None:
        licence = licence or model.encoder.licence
    name = made_by["name"]
    parts = [
        front_matter(
            licence=licence,
            tags=("astronomy", "galaxies", "morphology", "galaxy-zoo"),
            pipeline_tag="tabular-regression" if model.task == "regression" else "image-classification",
        ),
        f"# {' '.join(model.label.split())}",
        f"A model of one feature of galaxies, {_answers(model)}, by "
        f"[galzoo_repr](https://pypi.org/project/galzoo-repr/) from embeddings of the encoder `{name or 'unknown'}`.",
        "## How to load",
        code_block(_LOAD.format(repository=repository)),
        f"Then, for a table of galaxies with embeddings of that encoder{columns}"
        + (":" if model.encoder is None else ", or with images:"),
        code_block(_USE),
        "## Recipe of the images",
        _recipe(model),
        *(["## Columns read beside the embedding", _beside(beside)] if beside else []),
        "## Data",
        markdown_table(["what", "value"], _data(model)),
        "## Figures",
        _figures(model),
        "## Limits",
        _LIMITS,
        "## Licence",
        licence or "None is stated: ask whoever published it before you use it.",
    ]
    return "\n\n".join(parts) + "\n"


def _answers(model: _Described) -> str:
    if model.task == "regression":
        return f"a number{f' in {model.unit}' if model.unit else ''}"
    return "which is " + " or ".join([*model.classes, *(["not"] if model.task == "binary" else [])])


def _recipe(model: _Described) -> str:
    made_by = model.card["encoder"]
    if model.encoder is None:
        rows = [
            ("encoder", f"`{made_by['name'] or 'unknown'}`"),
            ("digest of the encoder", made_by["digest"]),
        ]
        rows += [
            ("digest of its recipe", made_by["recipe_digest"]),
            ("numbers in an embedding", made_by["dim"]),
        ]
        return "\n\n".join(
            [
                "That of the encoder, whose embeddings alone it reads; their digest is checked.",
                markdown_table(["what", "value"], rows),
            ]
        )
    rows = [("architecture (timm)", str(model.encoder.architecture))]
    return markdown_table(["what", "value"], rows + recipe_rows(model.encoder.recipe, model.encoder.views))


def _beside(beside: Mapping[str, Mapping[str, float | str]]) -> str:
    rows = [
        (name, of["unit"] or "none", f"{of['weight']:g}", f"{of['centre']:.6g}", f"{of['scale']:.6g}")
        for name, of in beside.items()
    ]
    return markdown_table(["column", "unit", "weight", "centre", "scale"], rows)


def _data(model: _Described) -> list[tuple[str, object]]:
    card = model.card
    rows = [("labelled images", card["n_labelled"])]
    rows += [(f"of them {name}", count) for name, count in card["labels"].items()]
    rows += [(key, one) for key, one in card.get("survey", {}).items() if one]
    rows += [(key, card[key]) for key in ("coords", "depth", "strength", "members", "seed") if key in card]
    rows += [("digest of embeddings and labels", card["data_digest"])] if "data_digest" in card else []
    return rows + [(f"version of {key}", one) for key, one in card.get("versions", {}).items()]


def _figures(model: _Described) -> str:
    report = model.report
    if not report.n_folds:
        return "None: there were too few labelled galaxies to hold some out."
    rows = [
        (
            f"{one.part}: {one.name}" if one.part else one.name,
            *(f"{v:.4g}" for v in (one.value, one.low, one.high)),
        )
        for one in report.metrics
    ]
    parts = [
        f"On {report.n_galaxies} labelled galaxies, held out in turn in {report.n_folds} folds, intervals of 95 %:",
        markdown_table(["figure", "value", "from", "to"], rows),
    ]
    if report.confusion.size:
        table = ((name, *row) for name, row in zip(report.classes, report.confusion, strict=True))
        parts.append(markdown_table(["true, predicted as", *report.classes], table))
    return "\n\n".join(parts)
