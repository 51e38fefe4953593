"""``postfix-matrix publish``: runs as a static site, for any host; without Docker."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import click

from harness.cli.argument_checks import WholeNumber
from harness.cli.grouped_help import GroupedCommand, OptionGroup, format_examples, grouped_option
from harness.cli.output_paths import OutputFolder
from harness.cli.printing import print_text
from harness.counts import format_count
from harness.errors import UsageError
from harness.run.run_folders import run_folder
from harness.site.publication import PublishOptions, publish_runs
from harness.site.run_checks import common_licence

_KEPT = 90
#: An SPDX licence expression, as far as its form goes (SPDX 2.3, annex D).
_LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*(?: (?:AND|OR|WITH) [A-Za-z0-9][A-Za-z0-9.+-]*)*")
#: A host, a port and a path; no login, which would be published, no query and no fragment.
_ADDRESS = re.compile(
    r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?(?:/[\w.~!$&'()*+,;=:@%/-]*)?",
    re.ASCII,
)


@click.command(
    "publish",
    cls=GroupedCommand,
    epilog=format_examples(
        "postfix-matrix publish runs/latest --into site",
        "postfix-matrix publish runs/latest --into site --base-url https://example.org/tls/",
    ),
)
@click.argument("runs", metavar="RUN…", type=click.Path(path_type=Path), nargs=-1, required=True)
@grouped_option(
    OptionGroup.OUTPUT,
    "--into",
    type=OutputFolder(),
    required=True,
    metavar="SITE",
    help="Folder of the site: new, empty, or written by this command before. It is replaced at "
    "once, when everything has been written.",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--keep",
    type=WholeNumber(1),
    default=_KEPT,
    show_default=True,
    help="Keep the data of that many runs. Cells stay, however old they are.",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--base-url",
    metavar="URL",
    help="Where the site will be, for feeds and search engines: https://example.org/tls/",
)
@grouped_option(
    OptionGroup.OUTPUT,
    "--licence",
    metavar="NAME",
    help="Licence of the data, by its SPDX id.  [default: that of the runs]",
)
def publish_command(
    runs: tuple[Path, ...], into: Path, keep: int, base_url: str | None, licence: str | None
) -> None:
    """Write runs as a static site that anyone can host.

    Each RUN is a run folder. A cell shows its newest measurement; what a run did not measure stays
    as it was. Publish every night into the same folder: pages, feeds and data say what changed.
    """
    if licence is not None and not _LICENCE.fullmatch(licence):
        raise UsageError(
            f"--licence {licence!r} is no SPDX id",
            next_step="name one of spdx.org/licenses, such as CC-BY-4.0",
        )
    folders = [run_folder(folder) for folder in runs]
    options = PublishOptions(
        keep=keep,
        base_url=_check_address(base_url),
        licence=licence or common_licence(folders),
        now=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    result = publish_runs(folders, into, options, lambda text: print_text(text, err=True))
    for name, size in sorted(result.large.items())[:10]:
        print_text(f"note: {name} has {size // 1000} kB, more than a page should have", err=True)
    print_text(
        f"{into}: {result.cells} cells on {result.pages} pages; "
        f"{format_count(len(result.runs), 'run')} kept"
    )


def _check_address(url: str | None) -> str | None:
    """The address with a slash at its end.

    Raises:
        UsageError: it is no address of the web.
    """
    if url is None:
        return None
    if not _ADDRESS.fullmatch(url):
        raise UsageError(
            f"--base-url {url!r} is no address of a folder on the web",
            next_step="write it as https://example.org/tls/",
        )
    return url if url.endswith("/") else f"{url}/"
