"""The campaign's bad folders: something else in a folder's place, an empty one, one to write to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.campaign import file_bases as bases
from tests.campaign.case import CampaignCase
from tests.campaign.file_bases import FileBase, command

_USAGE = frozenset({4})


def list_misplaced() -> Iterator[CampaignCase]:
    """Files where folders belong, folders where files belong, and links to nowhere."""
    for base, folder_name, commands in _FOLDERS:
        for name, make in _NO_FOLDERS.items():
            for number, arguments in enumerate(commands):

                def build(
                    folder: Path,
                    base: FileBase = base,
                    folder_name: str = folder_name,
                    make: Callable[[Path], object] = make,
                ) -> None:
                    base.build(folder)
                    (folder / folder_name).rename(folder / "elsewhere")
                    make(folder / folder_name)

                yield CampaignCase(
                    f"badfiles/{folder_name} is {name}/{number}",
                    "no folder",
                    build,
                    arguments,
                    _USAGE,
                    (Path(folder_name).name,),
                )


_FOLDERS = (
    (bases.SCENARIO_TOML, "scenarios", bases.SCENARIO_TOML.commands),
    (bases.SCENARIO_TOML, "scenarios/advice/files", bases.SCENARIO_TOML.commands[:3]),
    (bases.RUN_JSON, "run", bases.RUN_JSON.commands),
    (bases.MAIN_CF_FILE, "postfix", bases.MAIN_CF_FILE.commands),
)
_NO_FOLDERS: dict[str, Callable[[Path], object]] = {
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a link in a circle": lambda path: path.symlink_to(path.name),
    "a FIFO": lambda path: os.mkfifo(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a file": lambda path: path.write_bytes(b"\0text") and None,
}


def list_lacking() -> Iterator[CampaignCase]:
    """Folders without the file that makes them what they are, and outputs that are not writable."""
    for base, lacking in ((bases.RUN_JSON, "run/run.json"), (bases.MAIN_CF_FILE, "postfix/")):
        for number, arguments in enumerate(base.commands):

            def build(folder: Path, base: FileBase = base, lacking: str = lacking) -> None:
                base.build(folder)
                path = folder / lacking
                for file in [path] if path.is_file() else list(path.iterdir()):
                    file.unlink()

            name = Path(lacking).parts[0]
            yield CampaignCase(
                f"badfiles/{name} lacks its file/{number}", "empty folder", build, arguments,
                _USAGE, (name,),
            )  # fmt: skip
    for name, arguments in _OUTPUTS.items():
        yield CampaignCase(
            f"badfiles/output/{name}", "output", _build_outputs, arguments,
            frozenset({3, 4}), ("/",),
        )  # fmt: skip


def _build_outputs(folder: Path) -> None:
    bases.write_run(folder)
    bases.write_configuration(folder)
    (folder / "full").symlink_to("/dev/full")
    (folder / "nowhere").symlink_to("missing/folder")
    bases.write(folder / "file", "text\n")


_RECORD = ("record", "@postfix", "-b", "debian-12", "-o")
_OUTPUTS = {
    "merge full": command("merge", "@run", "@other", "-o", "@full"),
    "merge file": command("merge", "@run", "@other", "-o", "@file"),
    "merge in a file": command("merge", "@run", "@other", "-o", "@file/merged"),
    "publish full": command("publish", "@run", "--into", "@full"),
    "publish file": command("publish", "@run", "--into", "@file"),
    "publish in a file": command("publish", "@run", "--into", "@file/site"),
    "publish foreign": command("publish", "@run", "--into", "@postfix"),
    "record full": command(*_RECORD, "@full"),
    "record file": command(*_RECORD, "@file"),
    "record folder": command(*_RECORD, "@run"),
    "record in a file": command(*_RECORD, "@file/snapshot.json"),
    "lock folder": command(
        "images", "push", "debian-12", "--registry", "ghcr.io/example/images", "--lock", "@run"
    ),
}
