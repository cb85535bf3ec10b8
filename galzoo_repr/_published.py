"""What can be published on the Hugging Face hub."""

import os
import tempfile
from pathlib import Path
from typing import ClassVar

from galzoo_repr._hub import CARD, repository_name, upload

__all__ = ["Published"]


class Published:
    """Something that `save` writes to a folder, which `push` publishes with a model card."""

    _kind: ClassVar[str]
    # Files that an earlier version of it may have left beside those that are replaced.
    _left: ClassVar[tuple[str, ...]] = ()

    def save(self, folder: str | os.PathLike) -> None:
        """Write it to a folder."""
        raise NotImplementedError

    def _card(self, repository: str, licence: str) -> str:
        raise NotImplementedError

    def model_card(self, repository: str = "owner/name", *, licence: str = "") -> str:
        """
        Describe it as the model card of a repository does.

        Parameters
        ----------
        repository : str
            ``"owner/name"`` on the Hugging Face hub.
        licence : str
            Such as ``"CC-BY-4.0"``; that of the encoder, where its weights are part of it, when not given.

        Returns
        -------
        str
            Markdown: what the hub reads, how to load it, recipe of the images, data, figures, limits, licence.

        Examples
        --------
        >>> from galzoo_repr import Encoder
        >>> card = Encoder.load("bundled").model_card("our-survey/our-encoder")
        >>> print(card.partition("## How to load")[2].partition("Then")[0].strip())
        ```python
        from galzoo_repr import Encoder
        encoder = Encoder.load("hf-hub:our-survey/our-encoder")
        ```
        """
        return self._card(repository, licence)

    def push(
        self,
        repository: str,
        *,
        private: bool = False,
        token: str | None = None,
        licence: str = "",
        overwrite: bool = False,
    ) -> str:
        """
        Publish it on the Hugging Face hub, from which ``load("hf-hub:owner/name")`` reads it.

        Parameters
        ----------
        repository : str
            ``"owner/name"``, made if need be. It gets what `save` writes, and `model_card` as ``README.md``.
        private : bool
            Whether only its owner may see a new repository.
        token : str, optional
            Of the hub; that of the login (``hf auth login``) when not given.
        licence : str
            As for `model_card`.
        overwrite : bool
            Replace these files where they are there already. All others stay.

        Returns
        -------
        str
            Its address.

        Raises
        ------
        FileExistsError
            If the repository has files of these names and they may not be replaced.
        TypeError, ValueError
            If no repository can have this name, it holds something else or everybody can see it who shall not, or this
            cannot be saved.
        astroquery.exceptions.LoginError
            If there is no token, or the hub does not accept it.
        astroquery.exceptions.RemoteServiceError
            If the hub cannot be reached, or refuses.

        Examples
        --------
        >>> from galzoo_repr import Encoder
        >>> Encoder.load("bundled").push("our-survey/our-encoder", private=True)  # doctest: +SKIP
        'https://huggingface.co/our-survey/our-encoder'
        """
        repository = repository_name(repository)
        with tempfile.TemporaryDirectory() as folder:
            self.save(folder)
            Path(folder, CARD).write_text(self.model_card(repository, licence=licence), encoding="utf-8")
            return upload(
                Path(folder),
                repository,
                message=self._kind,
                private=private,
                token=token,
                overwrite=overwrite,
                replaced=self._left,
            )
