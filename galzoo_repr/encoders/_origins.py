"""Where the cutouts of a catalogue are from: which kinds of pixels are taken together, and what they mean."""

from collections.abc import Sequence

from astropy.table import Table

from galzoo_repr.cutouts import Route, known_scale, survey_facts
from galzoo_repr.images import ImageRecipe

__all__ = ["Origins"]


class Origins:
    """
    Route, layer and server of cutouts, each once.

    Parameters
    ----------
    told : astropy.table.Table or None
        Answer of `galzoo_repr.cutouts.CutoutStore.describe` for the cutouts at hand.

    Attributes
    ----------
    kinds : dict
        By route, layer and server, what the provenance says of them.
    """

    def __init__(self, told: Table | None) -> None:
        names = ("route", "layer", "server", "bands", "image_format")
        # Lists: rows of a table, one by one, take a hundred times as long.
        self._told = [] if told is None else list(zip(*(told[name].tolist() for name in names), strict=True))
        self.kinds: dict[tuple[str, str, str], dict[str, object]] = {}
        for route, layer, server in {one[:3] for one in self._told}:
            if route:
                scale = known_scale(route, layer)
                self.kinds[route, layer, server] = {
                    "survey": server, "layer": layer, "route": route,
                    "zero_point": None if scale is None else scale.zero_point,
                    "native_scale": None if scale is None else scale.native_scale,
                }  # fmt: skip

    def add(self, survey: Route) -> None:
        """Count in a survey that is asked."""
        self.kinds[survey.route, survey.layer, survey.server] = survey_facts([survey])

    def factors(
        self, numbers: Sequence[int], surveys: Sequence[Route], recipe: ImageRecipe
    ) -> list[tuple[float, ...] | None]:
        """
        Flux scale of some of the cutouts at hand, by their number, by the survey as given or as documented.

        A `ValueError` where the recipe needs one and none is known.
        """
        given = {(one.route, one.layer, one.server): one.flux_scale for one in surveys}
        found: dict[tuple[str, ...], tuple[float, ...] | None] = {}
        rows = []
        for number in numbers:
            kind = self._told[number]
            if kind not in found:
                found[kind] = _factors(kind, given.get(kind[:3]) or known_scale(*kind[:2]), recipe)
            rows.append(found[kind])
        return rows

    def refuse_mixture(self, *, mixed: bool, also: Route | None = None) -> None:
        """Refuse cutouts of several layers or routes, also with those of a further survey, unless asked for."""
        kinds = {f"{layer} by {route}" for route, layer, _ in self.kinds}
        kinds = sorted(kinds if also is None else kinds | {f"{also.layer} by {also.route}"})
        if len(kinds) > 1 and not mixed:
            raise ValueError(
                f"the cutouts are of {', '.join(kinds)}, whose pixels differ, and so would the embeddings; fetch "
                "them all in one way with overwrite=True, or pass mixed_routes=True to take them together"
            )

    @property
    def facts(self) -> dict[str, object]:
        """For the provenance: one value where all agree, else a list of the different ones."""
        told = [self.kinds[kind] for kind in sorted(self.kinds)]
        facts = {}
        for key in told[0] if told else ():
            ones = [one[key] for one in told]
            different = [one for i, one in enumerate(ones) if one not in ones[:i]]
            facts[key] = different if len(different) > 1 else different[0]
        return facts


def _factors(kind: tuple[str, ...], scale: object, recipe: ImageRecipe) -> tuple[float, ...] | None:
    route, layer, _, bands, image_format = kind
    if not route or image_format != "fits":
        return None
    if scale is None and recipe.stretch != "none":
        raise ValueError(
            f"the flux scale of the cutouts of {layer} by {route} is not known: give the survey with zero_point=, the "
            "AB magnitude of one count"
        )
    return None if scale is None else scale.factors(bands)
