"""References of images, as the Docker engine reads them: ``registry.example:5000/mail:7``."""

from __future__ import annotations

import re

from harness.errors import UsageError

#: The grammar of references (github.com/distribution/reference, reference.go), or an image's id.
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9][A-Za-z0-9-]*(?:\.[A-Za-z0-9-]+)*|\[[0-9a-fA-F:]+\])(?::\d+)?"
_REFERENCE = re.compile(
    rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::\w[\w.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*:[0-9a-fA-F]{32,})?|sha256:[0-9a-f]{64}",
    re.ASCII,
)


def check_reference(text: str) -> str:
    """The reference itself.

    Raises:
        UsageError: no image can have it.
    """
    if not _REFERENCE.fullmatch(text):
        raise UsageError(
            f"{text!r} is no reference of an image",
            cause="a reference has no scheme, no space, and capitals only in its host and tag",
            next_step="write it as for 'docker pull', such as registry.example/mail:7",
        )
    return text
