"""Names of encoders, and where each comes from."""

import re
import sys
from importlib.util import find_spec
from pathlib import Path

from astropy import units as u
from astropy.table import MaskedColumn, Table

from galzoo_repr.encoders._folder import FORMAT
from galzoo_repr.images import ImageRecipe

__all__ = [
    "BUNDLED",
    "INT8",
    "ZOOBOT",
    "hub_repository",
    "is_written_in_timm",
    "list_encoders",
    "timm_names",
    "zoobot_licence",
    "zoobot_recipe",
]

BUNDLED = Path(__file__).parent / "bundled"
# The bundled encoder in whole numbers of 8 bits: another encoder, with a digest of its own.
INT8 = "bundled-int8"

#: How the names of the Zoobot encoders begin.
ZOOBOT = "zoobot-encoder-"
_ZOOBOT_OWNER = "mwalmsley"
# Galaxy Zoo's own validation enlarges the image 1.2 times and keeps the middle.
_ZOOBOT_CROP = 1 / 1.2

# Published encoders: name after "zoobot-encoder-", features, million parameters.
_ZOOBOT = (
    ("convnext_pico", 512, 8.5),
    ("convnext_nano", 640, 15.0),
    ("convnext_tiny", 768, 27.8),
    ("convnext_small", 768, 49.5),
    ("convnext_base", 1024, 87.6),
    ("convnext_large", 1536, 196.2),
    ("maxvit_rmlp_small_rw_224", 768, 64.1),
    ("maxvit_large_tf_224", 1024, 210.8),
    ("resnet18", 512, 11.2),
    ("resnet50", 2048, 23.5),
    ("resnet101", 2048, 42.5),
    ("efficientnet_b0", 1280, 4.0),
    ("greyscale-convnext_nano", 640, 15.0),
)
# Published since, fine-tuned on Galaxy Zoo Euclid or trained on all campaigns (Evo), after the settings in
# https://github.com/mwalmsley/gz-evo (gz_evo/downstream/conf/learner). What they are tells their config.json alone.
_NEWER = ("euclid", "euclid-convnext-base", "euclid-maxvit-base", "evo-maxvit_base")


def zoobot_recipe(channels: int = 3) -> ImageRecipe:
    """
    Recipe of the Zoobot encoders: 224 px, plain 0 to 1, the middle of the Galaxy Zoo field.

    The ``config.json`` published beside their weights names ImageNet's mean and standard deviation, which the
    network library fills in by itself; the encoders were trained without.

    Parameters
    ----------
    channels : int
        3, or 1 for the greyscale encoders.

    Returns
    -------
    galzoo_repr.images.ImageRecipe

    Examples
    --------
    >>> from galzoo_repr.encoders import zoobot_recipe
    >>> recipe = zoobot_recipe()
    >>> recipe.size, round(recipe.crop, 3), recipe.mean, recipe.std
    (224, 0.833, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    """
    return ImageRecipe(size=224, crop=_ZOOBOT_CROP, channels=channels)


def hub_repository(name: str) -> str | None:
    """
    Repository on the Hugging Face hub that a name stands for.

    Parameters
    ----------
    name : str
        ``"hf-hub:owner/repository"``, or a Zoobot encoder such as ``"zoobot-encoder-convnext_nano"``.

    Returns
    -------
    str or None
        ``owner/repository``, with ``@revision`` if the name has one; None if the name is not of the hub.

    Examples
    --------
    >>> from galzoo_repr.encoders._names import hub_repository
    >>> hub_repository("zoobot-encoder-resnet50")
    'mwalmsley/zoobot-encoder-resnet50'
    """
    for prefix in ("hf-hub:", "hf_hub:"):
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    if name.startswith((ZOOBOT, "baseline-encoder-regression-")):
        return f"{_ZOOBOT_OWNER}/{name}"
    return None


def is_zoobot(repository: str) -> bool:
    """Whether a repository on the hub holds an encoder trained on plain 0 to 1 images of Galaxy Zoo."""
    return repository.split("/")[0] == _ZOOBOT_OWNER


def zoobot_licence(repository: str) -> str:
    """Licence of the weights in a repository of Zoobot; empty where it is not known."""
    return "" if repository.rpartition("/")[2].removeprefix(ZOOBOT) in _NEWER else "Apache-2.0"


def is_written_in_timm(name: str) -> bool:
    """
    Tell whether timm may have a model of this name, by its source, as it takes seconds to be imported.

    Where timm is imported already, or its source is not to be found, it has to be asked itself.
    """
    sources = _timm_sources()
    if "timm" in sys.modules:
        return True
    word = re.compile(rf"\b{re.escape(name.partition('.')[0])}\b")
    return not sources or any(word.search(path.read_text(encoding="utf-8")) for path in sources)


def timm_names() -> list[str]:
    """Names of the networks of timm, by its source, as those of `timm.list_models`."""
    model = re.compile(r"@register_model\s+def (\w+)")
    return [name for path in _timm_sources() for name in model.findall(path.read_text(encoding="utf-8"))]


def _timm_sources() -> list[Path]:
    spec = find_spec("timm")
    return [] if spec is None else list(Path(spec.submodule_search_locations[0], "models").glob("*.py"))


def list_encoders() -> Table:
    """
    List the encoders known by name.

    Returns
    -------
    astropy.table.Table
        Columns ``name`` (for ``encoder=``), ``dim``, ``parameters``, ``channels``, ``size`` (pixels), ``licence``,
        ``network`` (whether the first use downloads weights), ``normalisation`` (of values in 0 to 1) and ``source``.
        What is not known of an encoder before it is downloaded is masked. Besides these, any
        ``hf-hub:owner/repository``, any name of a timm model, and any folder written by `Encoder.save` will
        do.

    Examples
    --------
    >>> from galzoo_repr.encoders import list_encoders
    >>> "zoobot-encoder-convnext_nano" in list_encoders()["name"]
    True
    """
    rows = []
    if (BUNDLED / FORMAT.card).exists():
        about = FORMAT.read_card(BUNDLED)
        recipe = about["recipe"]
        facts = (
            about["feature_dim"],
            about["parameters"],
            recipe["channels"],
            recipe["size"],
            about["licence"],
        )
        normalisation = _normalisation(ImageRecipe.from_dict(recipe))
        rows += [(name, *facts, False, normalisation, "galzoo_repr") for name in ("bundled", INT8)]
    for name, dim, millions in (*_ZOOBOT, *((name, 0, 0) for name in _NEWER)):
        channels = 1 if name.startswith("greyscale") else 3
        repository, recipe = f"{ZOOBOT}{name}", zoobot_recipe(channels)
        facts = (
            dim,
            round(millions * 1e6),
            channels,
            recipe.size,
            zoobot_licence(repository),
            True,
            _normalisation(recipe),
        )
        rows.append((repository, *facts, f"https://huggingface.co/{_ZOOBOT_OWNER}/{repository}"))
    names = ("name", "dim", "parameters", "channels", "size", "licence", "network", "normalisation", "source")
    table = Table(rows=rows, names=names)
    newer = [name.removeprefix(ZOOBOT) in _NEWER for name in table["name"]]
    for name in ("dim", "parameters", "channels", "licence"):
        table[name] = MaskedColumn(table[name], mask=newer)
    table["size"].unit = u.pix
    return table


def _normalisation(recipe: ImageRecipe) -> str:
    """What a recipe does with values in 0 to 1, in words."""
    if not any(recipe.mean) and {*recipe.std} == {1.0}:
        return "none"
    mean, std = (
        ", ".join(f"{one:g}" for one in dict.fromkeys(values)) for values in (recipe.mean, recipe.std)
    )
    return f"mean {mean}, std {std}"
