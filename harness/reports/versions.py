"""The versions of an image: what its label says, and what the running image reported."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.images import labels as names
from harness.observations.run_json import ImageInfo, ReadBack

READ_BACK, BY_LABEL = "read back", "by its label"


@dataclass(frozen=True, slots=True)
class ImageVersion:
    """A version and how it is known.

    ``usual`` is shown beside it where there is room, ``odd`` always: a library other than the one
    compiled with. ``doubtful``: label, library and openssl(1) do not agree.
    """

    number: str
    how: str
    usual: str = ""
    odd: str = ""
    doubtful: bool = False

    @property
    def known(self) -> str:
        """How it is known, with remarks."""
        return ", ".join(remark for remark in (self.how, self.usual, self.odd) if remark)

    @property
    def brief(self) -> str:
        """The number, with what is unusual: ``3.0.22``, ``3.0.22 (by its label)``."""
        how = self.how if self.how != READ_BACK else ""
        remarks = [remark for remark in (how, self.odd) if remark]
        return f"{self.number} ({', '.join(remarks)})" if remarks else self.number


def postfix_version(image: ImageInfo) -> ImageVersion:
    """The Postfix of an image; the number is empty where nothing is known."""
    label = image.labels.get(names.POSTFIX) or image.postfix or ""
    return _compare_label(label, image.read_back.postfix if image.read_back else "")


def openssl_version(image: ImageInfo) -> ImageVersion:
    """The OpenSSL that an image's Postfix loads; the number is empty where nothing is known."""
    label = image.labels.get(names.OPENSSL) or image.openssl or ""
    read = image.read_back or ReadBack()
    version = _compare_label(label, read.openssl_loaded)
    if read.openssl_compiled == version.number and version.number:
        version = replace(version, usual="compiled with the same")
    elif read.openssl_compiled:
        odd = _join_remarks(version.odd, f"compiled with {read.openssl_compiled}")
        version = replace(version, odd=odd)
    if read.openssl_cli not in ("", version.number):
        odd = _join_remarks(version.odd, f"openssl(1) is {read.openssl_cli}")
        version = replace(version, odd=odd, doubtful=True)
    return version


def _compare_label(label: str, read: str) -> ImageVersion:
    if not read:
        return ImageVersion(label, BY_LABEL if label else "")
    differs = label not in ("", read)
    return ImageVersion(
        read, READ_BACK, odd=f"its label says {label}" if differs else "", doubtful=differs
    )


def _join_remarks(remark: str, more: str) -> str:
    return f"{remark}, {more}" if remark else more
