"""``images list --reachable``: which releases this machine can fetch. Needs no Docker."""

from __future__ import annotations

from collections.abc import Sequence

from harness.catalog.builds import UserAdditions
from harness.catalog.releases import Release, all_releases
from harness.catalog.selectors import select_names
from harness.cli.output_forms import JSON
from harness.cli.printing import print_json, print_text
from harness.paths import cache_dir
from harness.reports.reachability_json import reachability_data
from harness.reports.reachability_text import format_reachability
from harness.sources.archives import is_cached
from harness.sources.place_checks import check_releases

_PRODUCTS = ("postfix", "openssl")


def print_reachable(
    globs: Sequence[str], additions: UserAdditions, mirrors: Sequence[str], *, form: str
) -> None:
    """Ask the places of the releases that ``globs`` select by id, and print what they answer.

    Raises:
        UsageError: a glob matches no release.
    """
    releases = list_releases(additions)
    names = select_names("release", list(releases), globs)
    cache = cache_dir()
    answers = check_releases(
        [releases[name] for name in names],
        lambda release: is_cached(cache, release),
        mirrors,
        _print_places,
    )
    if form == JSON:
        print_json(reachability_data(answers), indent=2)
    else:
        print_text("\n".join(format_reachability(answers)))


def list_releases(additions: UserAdditions) -> dict[str, Release]:
    """All releases by id, oldest first; the user's take the place of the catalog's."""
    listed = {release.id: release for product in _PRODUCTS for release in all_releases(product)}
    both = {**listed, **additions.releases}.values()
    in_order = sorted(both, key=lambda release: (_PRODUCTS.index(release.product), release.order))
    return {release.id: release for release in in_order}


def _print_places(files: int, places: Sequence[str]) -> None:
    if places:
        what = "file" if files == 1 else f"{files} files"
        print_text(f"looking for {what} at {', '.join(places)}", err=True)
