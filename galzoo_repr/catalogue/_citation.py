"""What to cite for a catalogue, as its record of how it was made tells."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, metadata
from importlib.resources import files

from astropy.table import Table

from galzoo_repr.catalogue._columns import as_table

__all__ = ["cite"]

_ENTRY = re.compile(r"^@\w+\{.*?^\}", re.MULTILINE | re.DOTALL)
_AT_ALL_EVENTS = ("walmsley2022representations", "walmsley2022decals")
_CLASSICAL = ("add_anomaly_scores", "add_predictions", "next_to_rate", "which_to_label")  # by scikit-learn


def cite(table: Table | None = None) -> str:
    """
    Give what to cite, in BibTeX.

    Parameters
    ----------
    table : `~astropy.table.Table`, optional
        A catalogue with columns of the package: its record says which images, encoder and methods were used. Without
        one, what most work with the package uses.

    Returns
    -------
    str
        Entries for the package, the method (Walmsley et al. 2022), Galaxy Zoo DECaLS, the survey, the encoder, and
        the programs that computed: astropy, astroquery, timm, scikit-learn, and for approximate neighbours and maps
        PyNNDescent and UMAP. Lines that begin with ``%`` say what else is asked of you; BibTeX passes over them.

    Raises
    ------
    TypeError
        If ``table`` is no catalogue.

    Notes
    -----
    The entries of astropy and astroquery are those that they bring along. A file in FITS keeps the encoder and the
    survey alone.

    Examples
    --------
    >>> import galzoo_repr as gzr
    >>> gzr.cite().splitlines()[0]
    '@software{galzoo_repr,'
    """
    parts = [_of_the_package(), *_sentences_and_keys(None if table is None else as_table(table, copy=False))]
    known = dict(_entries((files(__package__) / "references.bib").read_text(encoding="utf-8")))
    return "\n\n".join(known.get(part, part) for part in parts) + "\n"


def _sentences_and_keys(table: Table | None) -> Iterator[str]:
    """Keys of the entries, whole entries of others, and remarks."""
    calls = _calls(table)
    yield from _AT_ALL_EVENTS
    yield from _of_the_images(table, calls)
    yield from _of_the_encoder(table, calls)
    yield from _brought_along("astropy")
    if table is None or any(name.startswith(_CLASSICAL) for name in calls):
        yield "pedregosa2011sklearn"
    if any(_may_be_approximate(facts) for facts in calls.values()):
        yield "dong2011nndescent"
    if calls.get("add_map", {}).get("method") == "umap":
        yield "mcinnes2018umap"


def _calls(table: Table | None) -> Mapping[str, Mapping]:
    record = {} if table is None else table.meta.get("galzoo_repr")
    if not isinstance(record, Mapping):
        return {}
    return {str(name): facts for name, facts in record.items() if isinstance(facts, Mapping)}


def _recorded(table: Table, calls: Mapping[str, Mapping], fact: str, flat: str) -> str:
    """A fact of the embeddings or cutouts; the flat key is what FITS keeps of it."""
    for name in ("add_embeddings", "add_cutouts"):
        if value := calls.get(name, {}).get(fact):
            return str(value)
    return str(table.meta.get(flat) or "")


def _of_the_images(table: Table | None, calls: Mapping[str, Mapping]) -> Iterator[str]:
    layer = "ls-dr10" if table is None else _recorded(table, calls, "layer", "GZRLAYER")
    if not layer:
        yield "% The images did not come from a survey by way of the package: cite where they are from."
        return
    if layer.startswith(("ls-", "decals")) or "legacy" in layer.lower():
        yield "dey2019legacy"
        yield "% The Legacy Surveys ask for their acknowledgement: https://www.legacysurvey.org/acknowledgment/"
    else:
        yield f"% The images are of {layer}: cite its survey."
    yield from _brought_along("astroquery")


def _of_the_encoder(table: Table | None, calls: Mapping[str, Mapping]) -> Iterator[str]:
    encoder = "bundled" if table is None else _recorded(table, calls, "encoder", "GZRENC")
    if not encoder:
        return
    if "zoobot" in encoder.lower() or "mwalmsley/" in encoder:
        yield "walmsley2023zoobot"
    elif encoder.startswith("bundled"):
        yield "tan2019efficientnet"
    else:
        yield f"% The encoder is {encoder}: cite those who trained it; Encoder.load(...).origin says more."
    yield "wightman2019timm"


def _may_be_approximate(facts: Mapping) -> bool:
    """Whether neighbours were found by a graph, or may have been, as in large catalogues."""
    return facts.get("method") in ("pynndescent", "auto", "local_outlier_factor")


def _of_the_package() -> str:
    from galzoo_repr import __version__

    try:
        about = metadata("galzoo_repr").json
    except PackageNotFoundError:  # a source tree that was never installed
        about = {}
    addresses = dict(each.split(", ", 1) for each in about.get("project_url", ()))
    fields = {
        "author": f"{{{about.get('author', 'The galzoo_repr developers')}}}",
        "title": "{galzoo\\_repr}: galaxy morphology representations for astropy catalogues",
        "version": __version__,
        "year": str(datetime.now().year),
        "url": addresses.get("Repository", ""),
    }
    lines = ",\n".join(f"  {name:7} = {{{value}}}" for name, value in fields.items() if value)
    return f"@software{{galzoo_repr,\n{lines}\n}}"


def _entries(text: str) -> Iterator[tuple[str, str]]:
    for entry in _ENTRY.findall(text):
        yield entry[entry.index("{") + 1 : entry.index(",")].strip(), entry


def _brought_along(package: str) -> list[str]:
    """Entries that a package has in its file CITATION, the newest first."""
    return [entry for _, entry in _entries((files(package) / "CITATION").read_text(encoding="utf-8"))]
