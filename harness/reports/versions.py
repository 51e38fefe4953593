"""The versions of an image: what its label says, and what the running image said. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.images import labels as names
from harness.observations.run_folder import (
    ImageInfo,
    ReadBack,
)

READ_BACK, BY_LABEL = "read back", "by its label"


@dataclass(frozen=True, slots=True)
class ImageVersion:
    """A version and how it is known.

    ``usual`` is said beside it where there is room, ``odd`` always: a library other than the one
    compiled with. ``doubtful``: label, library and openssl(1) do not say the same.
    """

    number: str
    how: str
    usual: str = ""
    odd: str = ""
    doubtful: bool = False

    @property
    def known(self) -> str:
        """How it is known, and what there is to be said of it."""
        return ", ".join(words for words in (self.how, self.usual, self.odd) if words)

    @property
    def brief(self) -> str:
        """The number, with what is not as usual: ``3.0.22``, ``3.0.22 (by its label)``."""
        told = [words for words in (self.how if self.how != READ_BACK else "", self.odd) if words]
        return f"{self.number} ({', '.join(told)})" if told else self.number


def postfix_version(image: ImageInfo) -> ImageVersion:
    """The Postfix of an image; an empty number where nothing says."""
    label = image.labels.get(names.POSTFIX) or image.postfix or ""
    return _version(label, image.read_back.postfix if image.read_back else "")


def openssl_version(image: ImageInfo) -> ImageVersion:
    """The OpenSSL that an image's Postfix loads; an empty number where nothing says."""
    label = image.labels.get(names.OPENSSL) or image.openssl or ""
    read = image.read_back or ReadBack()
    found = _version(label, read.openssl_loaded)
    if read.openssl_compiled == found.number and found.number:
        found = replace(found, usual="compiled with the same")
    elif read.openssl_compiled:
        found = replace(found, odd=_and(found.odd, f"compiled with {read.openssl_compiled}"))
    if read.openssl_cli not in ("", found.number):
        odd = _and(found.odd, f"openssl(1) is {read.openssl_cli}")
        found = replace(found, odd=odd, doubtful=True)
    return found


def _version(label: str, read: str) -> ImageVersion:
    if not read:
        return ImageVersion(label, BY_LABEL if label else "")
    lies = label not in ("", read)
    return ImageVersion(
        read, READ_BACK, odd=f"its label says {label}" if lies else "", doubtful=lies
    )


def _and(words: str, more: str) -> str:
    return f"{words}, {more}" if words else more
