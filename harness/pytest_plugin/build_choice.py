"""On which builds a test runs: the marker's, or the option's, or the configuration file's."""

from __future__ import annotations

from collections.abc import Sequence

from harness.catalog.builds import NO_ADDITIONS, UserAdditions
from harness.errors import UsageError
from harness.run.choosing import choose_builds


def choose_globs(
    marker: Sequence[object] | None, option: str | None, ini: Sequence[str]
) -> tuple[str, ...]:
    """The globs in effect; () for the builds of a run that names none.

    Args:
        marker: the arguments of the closest ``postfix_builds`` marker; None: there is none.
        option: the value of ``--postfix-builds``; ini: that of the key ``postfix_builds``.

    Raises:
        UsageError: the marker has no globs.
    """
    if marker is None:
        return (option,) if option else tuple(ini)
    if not marker or not all(isinstance(glob, str) and glob.strip() for glob in marker):
        raise UsageError(
            f"the marker postfix_builds has {', '.join(map(repr, marker)) or 'no argument'}",
            next_step="write globs: @pytest.mark.postfix_builds('debian-*,ubuntu-16.04')",
        )
    return tuple(str(glob) for glob in marker)


def list_builds(globs: tuple[str, ...], images: UserAdditions = NO_ADDITIONS) -> tuple[str, ...]:
    """The ids of the builds that globs choose, in the catalog's order.

    ``images`` of the user's own need not be among them: each test has globs of its own.

    Raises:
        UsageError: a glob matches nothing.
    """
    return tuple(choose_builds(globs, images, must_use_additions=False))
