"""The verb that shares what was saved."""

from pathlib import Path
from typing import Annotated

import typer

from galzoo_repr.cli import _options as option
from galzoo_repr.cli._app import verb
from galzoo_repr.cli._terminal import output, print_json

_MODEL = "morphology.json"


@verb("push ring_model me/ring")
def push(
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help="A saved model, or an encoder, or its name.")
    ],
    repository: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="Made if need be.")],
    private: Annotated[bool, typer.Option("--private", help="For its owner alone, if it is new.")] = False,
    licence: Annotated[str, typer.Option(help="Such as CC-BY-4.0; that of the encoder otherwise.")] = "",
    card: Annotated[bool, typer.Option("--card", help="Show the model card, and publish nothing.")] = False,
    overwrite: option.Overwrite = False,
    as_json: option.Json = False,
) -> None:
    """Publish a model or an encoder on the Hugging Face hub, with a model card."""
    from galzoo_repr import Encoder, MorphologyModel

    shared = (MorphologyModel if Path(folder, _MODEL).is_file() else Encoder).load(folder, device="cpu")
    if card:
        text = shared.model_card(repository, licence=licence)
        if as_json:
            print_json({"card": text})
        else:
            output.print(text, markup=False, soft_wrap=True)
        return
    address = shared.push(repository, private=private, licence=licence, overwrite=overwrite)
    if as_json:
        print_json({"address": address})
    else:
        output.print(f"Published at {address}", markup=False, soft_wrap=True)
