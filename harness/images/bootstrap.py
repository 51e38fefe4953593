"""A suite's base image without a registry: mmdebstrap(1) makes it from packages; it is imported.

mmdebstrap and apt choose the mirror; the packages are signed, and their signatures are checked with
the distribution's keys on this machine.
"""

from __future__ import annotations

import email.utils
import re
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import docker

from harness.docker_engine.calls import stream_objects
from harness.docker_engine.cancel import (
    Cancel,
    run_program,
)
from harness.errors import InfrastructureError
from harness.images.docker_build import full_disk_error

#: In seconds.
TIME_LIMIT = 900.0

# The folders that Debian's slim images leave out too. Up to Ubuntu 20.04, dash and bash cannot be
# configured without their manual pages.
_LEFT_OUT = {
    "debian": ("doc", "man", "info", "locale"),
    "ubuntu": ("doc", "info", "locale"),
}

# See images/base/apt.conf and dpkg.cfg, which take over in the image.
_APT = 'Acquire::Check-Valid-Until "false"'

# The headers of the package lists; kept in the image.
_LISTS = "usr/share/postfix-matrix/base/lists"
_KEEP_LISTS = (
    'mkdir -p "$1/usr/share/postfix-matrix/base" && '
    f'grep -hE \'^(Codename|Version|Date): \' "$1"/var/lib/apt/lists/*Release >"$1/{_LISTS}"'
)

# Ubuntu 16.04 configures systemd before PAM, and systemd's chfn(1) needs PAM: until PAM's own
# configuration is there, this one permits everything.
_XENIAL = (
    '--extract-hook=for kind in auth account session password; do echo "$kind required '
    'pam_permit.so" >"$1/etc/pam.d/common-$kind"; done',
    '--customize-hook=chroot "$1" pam-auth-update --package --force',
)
# dpkg 1.17 does not make the list that it reads, and Ubuntu 14.04 configures base-files, passwd and
# login before base-passwd, which brings the users and groups that these expect.
_TRUSTY = (
    '--extract-hook=touch "$1/var/lib/dpkg/available"; for kind in passwd group; do '
    'cp "$1/usr/share/base-passwd/$kind.master" "$1/etc/$kind"; done',
)
_HOOKS = {"xenial": _XENIAL, "trusty": _TRUSTY}

#: The path where mmdebstrap looks for Ubuntu's keys, and Debian's package and suite with them.
_UBUNTU_KEYS = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")
_KEYS_PACKAGE, _KEYS_SUITE = "ubuntu-keyring", "trixie"
# apt checks signatures as a separate user, who cannot read another user's temporary folder.
_AS_ROOT = '--aptopt=APT::Sandbox::User "root"'

#: Output of mmdebstrap and apt that does not concern an error.
_NOISE = re.compile(
    r"(I|N): |(Get|Hit|Ign|Err):\d|(Reading|Building|Fetched) |  |\s*$|E: mmdebstrap failed to run"
)
_SHOWN_LINES, _SHOWN_WIDTH = 8, 240


class NoBootstrapError(InfrastructureError):
    """The suite could not be bootstrapped, so without a registry there is no image."""


@dataclass(frozen=True, slots=True)
class BootstrappedImage:
    """An image that was bootstrapped: its id, and a description of how."""

    image: str
    how: str


def bootstrap(
    client: docker.DockerClient,
    family: str,
    suite: str,
    temp_dir: Path,
    cancel: Cancel,
    say: Callable[[str], None],
) -> BootstrappedImage:
    """Make a minimal system of the suite, and import it.

    Raises:
        NoBootstrapError: mmdebstrap is not installed, or failed.
        InfrastructureError: the engine failed, or the disk is full.
        Cancelled: the user cancelled the work.
    """
    program = find_mmdebstrap()
    with tempfile.TemporaryDirectory(dir=temp_dir, prefix=f"base-{suite}-") as name:
        tar = Path(name) / "base.tar"
        options = [*list_options(family, suite, "minbase"), f"--customize-hook={_KEEP_LISTS}"]
        if family == "ubuntu" and not _UBUNTU_KEYS.exists():
            options += [f"--keyring={_extract_ubuntu_keys(program, tar.parent, cancel)}", _AS_ROOT]
        run_mmdebstrap(program, options, suite, tar, cancel)
        say(f"importing {family.title()} {suite}")
        image = import_image(client, tar, cancel)
        return BootstrappedImage(
            image, describe_bootstrap(suite, _read_kept_lists(tar), datetime.now(UTC))
        )


def find_mmdebstrap() -> str:
    """The path of mmdebstrap(1).

    Raises:
        NoBootstrapError: it is not installed.
    """
    program = shutil.which("mmdebstrap")
    if program is None:
        raise NoBootstrapError(
            "mmdebstrap is not installed",
            cause="this machine reaches no container registry",
            next_step="install mmdebstrap (on Debian and Ubuntu: apt-get install mmdebstrap "
            "debian-archive-keyring)",
        )
    return program


def list_options(family: str, suite: str, variant: str) -> list[str]:
    """The options of mmdebstrap for a small system; ``variant`` is the set of packages."""
    # Ubuntu's minimal set of packages does not contain apt.
    options = [f"--variant={variant}", "--include=apt", f"--aptopt={_APT}"]
    options += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT[family]]
    options += ["--dpkgopt=path-include=/usr/share/doc/*/copyright", "--dpkgopt=force-unsafe-io"]
    return [*options, *_HOOKS.get(suite, ())]


def _extract_ubuntu_keys(program: str, folder: Path, cancel: Cancel) -> Path:
    """Extract Ubuntu's keys from Debian's package, whose signature is checked like any other.

    For a machine where no such package is installed: Debian 12, for example, does not have it.
    """
    tar = folder / "keys.tar"
    options = ["--variant=extract", f"--include={_KEYS_PACKAGE}", f"--aptopt={_APT}"]
    run_mmdebstrap(program, options, _KEYS_SUITE, tar, cancel)
    keys = folder / _UBUNTU_KEYS.name
    try:
        keys.write_bytes(_read_member(tar, f".{_UBUNTU_KEYS}"))
    except KeyError:
        raise NoBootstrapError(
            f"Debian {_KEYS_SUITE}'s package {_KEYS_PACKAGE} has no {_UBUNTU_KEYS} any more",
            next_step=f"put Ubuntu's keys there (on Ubuntu: apt-get install {_KEYS_PACKAGE})",
        ) from None
    return keys


def run_mmdebstrap(
    program: str,
    options: Sequence[str],
    suite: str,
    tar: Path,
    cancel: Cancel,
    *sources: str,
) -> None:
    """Run mmdebstrap; ``sources`` are lines of sources.list(5), by default those of its mirror.

    Raises:
        NoBootstrapError: it failed.
        InfrastructureError: the disk is full.
        Cancelled: the user cancelled the work.
    """
    command = [program, *options, suite, str(tar), *sources]
    try:
        code, output = run_program(command, cancel, time_limit=TIME_LIMIT, cwd=tar.parent)
    except (OSError, TimeoutError) as error:
        raise NoBootstrapError(
            f"mmdebstrap {suite} failed: {error}", next_step="try it by hand"
        ) from error
    if code == 0:
        return
    if "No space left on device" in output:
        raise full_disk_error(f"base-{suite}", tar.parent)
    lines = [line for line in output.splitlines() if not _NOISE.match(line)]
    last = "\n".join(f"      {line[:_SHOWN_WIDTH]}" for line in lines[-_SHOWN_LINES:])
    cause, next_step = explain_failure(output, suite)
    raise NoBootstrapError(
        f"mmdebstrap {suite} failed ({code}):\n{last}", cause=cause, next_step=next_step
    )


def explain_failure(output: str, suite: str) -> tuple[str, str]:
    """The likely cause of a failure and the next step, from apt's output (apt-secure(8))."""
    if re.search(r"NO_PUBKEY|EXPKEYSIG|public key is not available|is not signed", output):
        return (
            "this machine does not have the keys that the suite's packages are signed with",
            "install them (apt-get install debian-archive-keyring ubuntu-keyring; a newer suite "
            "may need that package's newest version)",
        )
    if re.search(r"does not have a Release file|404 +Not Found", output):
        return f"the mirror does not have the suite {suite}", "see that the suite's name is right"
    if re.search(r"Could not (resolve|connect)|Unable to connect|connection timed out", output):
        return "the package mirror is not reached", "check the network or its proxy"
    return "the lines above usually name it", "resolve what they report"


def import_image(client: docker.DockerClient, tar: Path, cancel: Cancel) -> str:
    """POST /images/create; the last status is the new image's id.

    Raises:
        InfrastructureError: the engine reports an error.
    """
    status = ""
    with tar.open("rb") as file:
        for item in stream_objects(
            client.api, "/images/create", {"fromSrc": "-"}, cancel, body=file
        ):
            if "error" in item:
                raise InfrastructureError(f"the engine did not import the image: {item['error']}")
            status = str(item.get("status", status))
    return status


def _read_kept_lists(tar: Path) -> str:
    return _read_member(tar, f"./{_LISTS}").decode(errors="replace")


def _read_member(tar: Path, name: str) -> bytes:
    """Read a file of the archive.

    Raises:
        KeyError: the archive does not have it.
    """
    with tarfile.open(tar) as archive:
        content = archive.extractfile(name)
        return content.read() if content else b""


def describe_bootstrap(suite: str, lists: str, now: datetime) -> str:
    """``bootstrapped by mmdebstrap on 2026-11-23 from bookworm 12.15, packages of 2026-11-21``.

    The day is that of the newest package list: updates have lists of their own.
    """
    versions = re.findall(rf"^Version: (\S+)\nCodename: {re.escape(suite)}$", lists, re.MULTILINE)
    dates = [_parse_date(text) for text in re.findall(r"^Date: (.+)$", lists, re.MULTILINE)]
    packages = f", packages of {max(dates).date()}" if dates else ""
    version = f" {versions[0]}" if versions else ""
    return f"bootstrapped by mmdebstrap on {now.date()} from {suite}{version}{packages}"


def _parse_date(text: str) -> datetime:
    return email.utils.parsedate_to_datetime(text.strip().replace("UTC", "+0000"))
