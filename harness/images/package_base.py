"""A suite's base image from pinned package files: for a suite whose index has left the mirrors.

mmdebstrap(1) installs the essential packages and apt from a folder with an index that is made here.
The files of the other packages go into the image, so that apt there installs them without a mirror.
"""

from __future__ import annotations

import platform
import shlex
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import docker

from harness.catalog.checksum_trust import describe_corroboration
from harness.catalog.package_files import PackageFile, least_corroborated
from harness.docker_engine.cancel import Cancel
from harness.images.bootstrap import (
    BootstrappedImage,
    NoBootstrapError,
    find_mmdebstrap,
    import_image,
    list_options,
    run_mmdebstrap,
)
from harness.images.package_index import write_index

#: The folder in the image with the files of packages that its base does not install.
_PACKAGES = "usr/share/postfix-matrix/base/packages"

# $1: the new system; FOLDER: all package files and their index. The note is what provenance reads
# back (see images/base/lists.sh).
_KEEP_PACKAGES = r"""set -eu
packages="$1/PACKAGES"
mkdir -p "$packages"
for file in FOLDER/*.deb; do
    package=${file##*/}
    package=${package%%_*}
    for list in "$1/var/lib/dpkg/info/$package".list "$1/var/lib/dpkg/info/$package":*.list; do
        [ ! -e "$list" ] || continue 2
    done
    cp "$file" "$packages"
done
awk -v RS= -v ORS='\n\n' -v folder="$packages" '{
    for (i = 1; i < NF; i++) if ($i == "Filename:") file = $(i + 1)
    if ((getline line <(folder "/" file)) > 0) print
    close(folder "/" file)
}' FOLDER/Packages >"$packages/Packages"
rm -rf "$1/etc/apt/sources.list.d" "$1"/var/lib/apt/lists/*
mkdir "$1/etc/apt/sources.list.d"
echo 'deb [trusted=yes] file:/PACKAGES ./' >"$1/etc/apt/sources.list"
echo 'packages of files pinned by SHA-256, whose signatures were not checked' \
    >"$1/usr/share/postfix-matrix/base/unsigned"
"""


def assemble_base(
    client: docker.DockerClient,
    family: str,
    suite: str,
    paths: Mapping[PackageFile, Path],
    temp_dir: Path,
    cancel: Cancel,
    say: Callable[[str], None],
) -> BootstrappedImage:
    """Make a minimal system of the suite from the files at these paths, and import it.

    Raises:
        NoBootstrapError: mmdebstrap is not installed, or failed.
        InfrastructureError: the engine failed, or the disk is full.
        Cancelled: the user cancelled the work.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        raise NoBootstrapError(
            f"the package files of {suite} are for amd64, and this machine is {platform.machine()}",
            next_step="run on a machine with an amd64 processor",
        )
    program = find_mmdebstrap()
    say(f"installing {family.title()} {suite} from {len(paths)} package files")
    with tempfile.TemporaryDirectory(dir=temp_dir, prefix=f"base-{suite}-") as name:
        folder, tar = Path(name) / "packages", Path(name) / "base.tar"
        _fill_folder(folder, paths)
        options = [*list_options(family, suite, "apt"), f"--customize-hook={keep_hook(folder)}"]
        run_mmdebstrap(program, options, suite, tar, cancel, f"deb [trusted=yes] copy:{folder} ./")
        say(f"importing {family.title()} {suite}")
        image = import_image(client, tar, cancel)
    return BootstrappedImage(image, describe_assembly(suite, tuple(paths), datetime.now(UTC)))


def keep_hook(folder: Path) -> str:
    """The shell script that prepares the new system, ``$1``, to install the folder's other files.

    The script puts the files of packages that are not installed into the system, with their index,
    and makes them apt's only source.
    """
    script = _KEEP_PACKAGES.replace("PACKAGES", _PACKAGES)
    return script.replace("FOLDER", shlex.quote(str(folder)))


def describe_assembly(suite: str, files: tuple[PackageFile, ...], now: datetime) -> str:
    """How the base was made, for the image's label."""
    trust = describe_corroboration(least_corroborated(files))
    return (
        f"made by mmdebstrap on {now.date()} from {len(files)} package files of {suite}, "
        f"each pinned by SHA-256 ({trust})"
    )


def _fill_folder(folder: Path, paths: Mapping[PackageFile, Path]) -> None:
    """Copy the files into a new folder, with their index."""
    folder.mkdir()
    for file, path in paths.items():
        shutil.copyfile(path, folder / file.name)
    (folder / "Packages").write_text(write_index(paths), "utf-8")
