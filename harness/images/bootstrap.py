"""A suite's base image without a registry: made by mmdebstrap(1) from its packages, and imported.

mmdebstrap and apt choose the mirror; what they bring is signed, and checked against the keys that
the machine has of the distribution.
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

# The same that Debian's slim images leave out. Up to Ubuntu 20.04, dash and bash cannot be set up
# without their manual pages.
_LEFT_OUT = {
    "debian": ("doc", "man", "info", "locale"),
    "ubuntu": ("doc", "info", "locale"),
}

# See images/base/apt.conf and dpkg.cfg, which take over in the image.
_APT = 'Acquire::Check-Valid-Until "false"'

# The heads of the lists that the packages came from; kept in the image.
_LISTS = "usr/share/postfix-matrix/base/lists"
_KEEP_LISTS = (
    'mkdir -p "$1/usr/share/postfix-matrix/base" && '
    f'grep -hE \'^(Codename|Version|Date): \' "$1"/var/lib/apt/lists/*Release >"$1/{_LISTS}"'
)

# Ubuntu 16.04 sets up systemd before PAM, and systemd's chfn(1) asks PAM: until PAM's own answers
# are there, these say yes.
_XENIAL = (
    '--extract-hook=for kind in auth account session password; do echo "$kind required '
    'pam_permit.so" >"$1/etc/pam.d/common-$kind"; done',
    '--customize-hook=chroot "$1" pam-auth-update --package --force',
)
_HOOKS = {"xenial": _XENIAL}

#: Where mmdebstrap looks for Ubuntu's keys, and the suite of Debian that packages them.
_UBUNTU_KEYS = Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg")
_KEYS_PACKAGE, _KEYS_SUITE = "ubuntu-keyring", "trixie"
# apt checks signatures as a user of its own, who cannot look into another's temporary folder.
_AS_ROOT = '--aptopt=APT::Sandbox::User "root"'

#: mmdebstrap's and apt's words that are no trouble.
_NOISE = re.compile(
    r"(I|N): |(Get|Hit|Ign|Err):\d|(Reading|Building|Fetched) |  |\s*$|E: mmdebstrap failed to run"
)
_SHOWN_LINES, _SHOWN_WIDTH = 8, 240


class NoBootstrapError(InfrastructureError):
    """The suite could not be bootstrapped; without a registry's image there is none."""


@dataclass(frozen=True, slots=True)
class Made:
    """An image that was bootstrapped: its id, and how, in words."""

    image: str
    how: str


def bootstrap(
    client: docker.DockerClient,
    family: str,
    suite: str,
    temp_dir: Path,
    cancel: Cancel,
    say: Callable[[str], None],
) -> Made:
    """Make a minimal system of the suite, and import it.

    Raises:
        NoBootstrapError: mmdebstrap is missing, or does not succeed.
        InfrastructureError: the engine, or a full disk.
        Cancelled: the user cancelled the work.
    """
    program = shutil.which("mmdebstrap")
    if program is None:
        raise NoBootstrapError(
            "mmdebstrap is not installed",
            cause="this machine reaches no container registry",
            next_step="install mmdebstrap (on Debian and Ubuntu: apt-get install mmdebstrap "
            "debian-archive-keyring)",
        )
    with tempfile.TemporaryDirectory(dir=temp_dir, prefix=f"base-{suite}-") as name:
        tar = Path(name) / "base.tar"
        options = _options(family, suite)
        if family == "ubuntu" and not _UBUNTU_KEYS.exists():
            options += [f"--keyring={_ubuntu_keys(program, tar.parent, cancel)}", _AS_ROOT]
        _mmdebstrap(program, options, suite, tar, cancel)
        say(f"importing {family.title()} {suite}")
        image = _import(client, tar, cancel)
        return Made(image, in_words(suite, _kept_lists(tar), datetime.now(UTC)))


def _options(family: str, suite: str) -> list[str]:
    # apt is no part of Ubuntu's minimal set.
    options = ["--variant=minbase", "--include=apt", f"--aptopt={_APT}"]
    options += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT[family]]
    options += ["--dpkgopt=path-include=/usr/share/doc/*/copyright", "--dpkgopt=force-unsafe-io"]
    return [*options, *_HOOKS.get(suite, ()), f"--customize-hook={_KEEP_LISTS}"]


def _ubuntu_keys(program: str, folder: Path, cancel: Cancel) -> Path:
    """Ubuntu's keys out of Debian's package of them, whose signature is checked like any other's.

    For a machine that has no such package installed: Debian 12 has none, for one.
    """
    tar = folder / "keys.tar"
    options = ["--variant=extract", f"--include={_KEYS_PACKAGE}", f"--aptopt={_APT}"]
    _mmdebstrap(program, options, _KEYS_SUITE, tar, cancel)
    keys = folder / _UBUNTU_KEYS.name
    try:
        keys.write_bytes(_member(tar, f".{_UBUNTU_KEYS}"))
    except KeyError:
        raise NoBootstrapError(
            f"Debian {_KEYS_SUITE}'s package {_KEYS_PACKAGE} has no {_UBUNTU_KEYS} any more",
            next_step=f"put Ubuntu's keys there (on Ubuntu: apt-get install {_KEYS_PACKAGE})",
        ) from None
    return keys


def _mmdebstrap(
    program: str, options: Sequence[str], suite: str, tar: Path, cancel: Cancel
) -> None:
    command = [program, *options, suite, str(tar)]
    try:
        code, words = run_program(command, cancel, time_limit=TIME_LIMIT, cwd=tar.parent)
    except (OSError, TimeoutError) as error:
        raise NoBootstrapError(
            f"mmdebstrap {suite} failed: {error}", next_step="try it by hand"
        ) from error
    if code == 0:
        return
    if "No space left on device" in words:
        raise full_disk_error(f"base-{suite}", tar.parent)
    lines = [line for line in words.splitlines() if not _NOISE.match(line)]
    last = "\n".join(f"      {line[:_SHOWN_WIDTH]}" for line in lines[-_SHOWN_LINES:])
    cause, next_step = explain(words, suite)
    raise NoBootstrapError(
        f"mmdebstrap {suite} failed ({code}):\n{last}", cause=cause, next_step=next_step
    )


def explain(words: str, suite: str) -> tuple[str, str]:
    """The likely cause of a failure and the next step, from apt's words (apt-secure(8))."""
    if re.search(r"NO_PUBKEY|EXPKEYSIG|public key is not available|is not signed", words):
        return (
            "this machine lacks the keys that the suite's packages are signed with",
            "install them (apt-get install debian-archive-keyring ubuntu-keyring; a newer suite "
            "may need that package's newest version)",
        )
    if re.search(r"does not have a Release file|404 +Not Found", words):
        return f"the mirror does not have the suite {suite}", "see that the suite's name is right"
    if re.search(r"Could not (resolve|connect)|Unable to connect|connection timed out", words):
        return "the package mirror is not reached", "see to the network or its proxy"
    return "the lines above usually name it", "see to what they say"


def _import(client: docker.DockerClient, tar: Path, cancel: Cancel) -> str:
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
                raise InfrastructureError(f"the engine took no image: {item['error']}")
            status = str(item.get("status", status))
    return status


def _kept_lists(tar: Path) -> str:
    return _member(tar, f"./{_LISTS}").decode(errors="replace")


def _member(tar: Path, name: str) -> bytes:
    """A file of the archive.

    Raises:
        KeyError: it is not there.
    """
    with tarfile.open(tar) as archive:
        content = archive.extractfile(name)
        return content.read() if content else b""


def in_words(suite: str, lists: str, now: datetime) -> str:
    """``bootstrapped by mmdebstrap on 2026-11-23 from bookworm 12.15, packages of 2026-11-21``.

    The day is that of the newest list: updates have lists of their own.
    """
    versions = re.findall(rf"^Version: (\S+)\nCodename: {re.escape(suite)}$", lists, re.MULTILINE)
    dates = [_date(one) for one in re.findall(r"^Date: (.+)$", lists, re.MULTILINE)]
    of = f", packages of {max(dates).date()}" if dates else ""
    version = f" {versions[0]}" if versions else ""
    return f"bootstrapped by mmdebstrap on {now.date()} from {suite}{version}{of}"


def _date(text: str) -> datetime:
    return email.utils.parsedate_to_datetime(text.strip().replace("UTC", "+0000"))
