"""The model card of an encoder."""

from collections.abc import Iterator, Mapping

from galzoo_repr._hub import code_block, front_matter, markdown_table
from galzoo_repr.encoders._folder import SavedEncoder
from galzoo_repr.images import ImageRecipe

__all__ = ["card_of", "recipe_rows"]

_LOAD = """from galzoo_repr import Encoder
encoder = Encoder.load("hf-hub:{repository}")"""
_USE = """from galzoo_repr import add_embeddings
galaxies = add_embeddings(galaxies, encoder=encoder)"""
# What the card has sections of its own for, or that is too long for one.
_APART = ("limits", "validation", "schema")
_LONGEST = 300


def card_of(encoder: SavedEncoder, repository: str, licence: str = "") -> str:
    """Give Markdown as `Encoder.model_card` does."""
    about, licence = encoder.card, licence or encoder.licence
    start = str(about.get("repository", ""))
    parts = [
        front_matter(
            licence=licence,
            tags=("astronomy", "galaxies", "morphology", "galaxy-zoo", "timm"),
            pipeline_tag="image-feature-extraction",
            base_model=start if start != repository else None,
        ),
        f"# {' '.join(encoder.name.split())}",
        f"An encoder of galaxy images: a network that turns the image of a galaxy into {encoder.dim} numbers, which "
        "are alike for galaxies that look alike. For similarity, anomalies and labels from few examples, with "
        "[galzoo_repr](https://pypi.org/project/galzoo-repr/).",
        "## How to load",
        code_block(_LOAD.format(repository=repository)),
        "Then, for a table of galaxies with positions:",
        code_block(_USE),
        "## Recipe of the images",
        "Images are made so by `galzoo_repr`; others have to be made so before.",
        markdown_table(["what", "value"], recipe_rows(encoder.recipe, encoder.views)),
        "## Network",
        markdown_table(["what", "value"], _network_rows(encoder)),
        "## Data and training",
        _facts(about) or "Nothing is known of the data that it was trained on.",
        "## Figures",
        _figures(about) or "None were measured on galaxies that training did not see.",
        "## Limits",
        _limits(about),
        "## Licence",
        licence or "None is stated: ask whoever published it before you use it.",
    ]
    return "\n\n".join(parts) + "\n"


def recipe_rows(recipe: ImageRecipe, views: int) -> list[tuple[str, str]]:
    """
    Each property of the images of a recipe, and its value in words.

    Examples
    --------
    >>> from galzoo_repr.encoders import recipe_rows, zoobot_recipe
    >>> for what, value in recipe_rows(zoobot_recipe(), views=1)[3:6]:
    ...     print(f"{what}: {value}")
    crop: the middle 0.833 of each side
    size: 224 x 224 px
    stretch: galaxy_zoo_decals
    """
    field = (
        f"{recipe.fov:g} arcsec"
        if recipe.fov_rule == "fixed"
        else "424 px of max(min(0.04 r50, 0.02 r90), 0.1 arcsec), as Galaxy Zoo DECaLS"
    )
    written = recipe.to_dict()
    rows = [
        ("bands", ", ".join(recipe.bands)),
        ("field of view", field),
        (
            "pixel scale",
            f"{recipe.pixel_scale:g} arcsec, or coarser where that makes over {recipe.max_pixels} px",
        ),
        ("crop", f"the middle {recipe.crop:.3g} of each side"),
        ("size", f"{recipe.size} x {recipe.size} px"),
        ("stretch", written["stretch"]),
        ("channels", str(recipe.channels)),
        ("mean taken off", ", ".join(f"{one:g}" for one in recipe.mean)),
        ("divided by", ", ".join(f"{one:g}" for one in recipe.std)),
        ("views averaged", str(views)),
        ("digest", f"`{recipe.digest}`"),
    ]
    if recipe.matrix is not None:
        shares = "; ".join(", ".join(f"{one:g}" for one in row) for row in recipe.matrix)
        rows.insert(7, ("shares of the bands in each channel", shares))
    return rows


def _network_rows(encoder: SavedEncoder) -> list[tuple[str, str]]:
    return [
        ("architecture (timm)", str(encoder.architecture)),
        ("parameters", f"{sum(one.numel() for one in encoder.model.parameters()):,}"),
        ("numbers in an embedding", str(encoder.dim)),
        ("comes from", encoder.origin or "not stated"),
        ("digest", f"`{encoder.digest}`"),
    ]


def _facts(about: Mapping) -> str:
    rows = list(_flat({key: value for key, value in about.items() if key not in _APART}))
    if isinstance(schema := about.get("schema"), Mapping):
        questions = schema.get("questions", ())
        rows.insert(0, ("questions", f"{len(questions)} of {schema.get('name', 'a schema')}"))
    return markdown_table(["what", "value"], rows) if rows else ""


def _flat(about: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Entries of nested dictionaries in lines, as ``training: epochs``."""
    if isinstance(about, Mapping):
        for key, value in about.items():
            yield from _flat(value, f"{name}: {key}" if name else str(key))
    elif isinstance(about, list | tuple) and any(isinstance(one, Mapping) for one in about):
        for number, one in enumerate(about, 1):
            yield from _flat(one, f"{name} {number}")
    else:
        value = ", ".join(map(str, about)) if isinstance(about, list | tuple) else str(about)
        yield name, value if len(value) <= _LONGEST else f"{value[:_LONGEST]}..."


def _figures(about: Mapping) -> str:
    found = about.get("validation")
    if not isinstance(found, Mapping):
        return ""
    questions = found.get("questions")
    whole = list(_flat({key: value for key, value in found.items() if key != "questions"}))
    parts = ["On galaxies that were held out of training:"]
    if whole:
        parts.append(markdown_table(["what", "value"], whole))
    if isinstance(questions, Mapping):
        names = dict.fromkeys(name for one in questions.values() for name in one)
        rows = [(key, *(_short(one.get(name, "")) for name in names)) for key, one in questions.items()]
        parts.append(markdown_table(["question", *(name.replace("_", " ") for name in names)], rows))
    return "\n\n".join(parts) if len(parts) > 1 else ""


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _limits(about: Mapping) -> str:
    own = about.get("limits", ())
    own = [own] if isinstance(own, str) else list(own)
    always = (
        "Images in another stretch, scale or survey than in the recipe are another world to it: compare on galaxies "
        "that you know first."
    )
    return "\n".join(f"- {' '.join(str(one).split())}" for one in [*own, always])
