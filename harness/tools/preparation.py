"""The build context of a tool's image: a build with what the tool needs, and what it starts from.

An image's tag is a hash of all that it is made from, so an image that has the tag is the right one.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.files import file_digest
from harness.images.context import pack_files
from harness.tools.recorders import RECORDED, SCRIPT
from harness.tools.tool_file import ToolBase, ToolNeeds

#: The repository of the images; the tag is the beginning of the hash.
REPOSITORY = "postfix-matrix/tool"
#: Where wheels are installed in the container: packages, and their programs in ``bin``.
WHEELS_DIRECTORY = "/opt/postfix-matrix-tool"
#: The name of the host that a tool runs on, also Debian's mail name.
MAIL_NAME = "mail.example.test"
#: Increased when images are made in another way that their content does not show.
_GENERATION = 1
_CONTEXT = "postfix-matrix-prepare"

# Postfix of Debian 13 and newer only recommends ssl-cert, which apt installs on a server, and which
# this project's images do not have. Where its key is missing, Debian's answer turns TLS off.
_BASES = {
    ToolBase.STOCK: "",
    ToolBase.EMPTY: 'rm -rf "$directory"/* "$directory"/.[!.]*\n',
    ToolBase.DEBCONF: f"""\
command -v debconf-set-selections >/dev/null || {{
    echo 'base debconf: this build has no debconf, which is of Debian and Ubuntu' >&2; exit 1; }}
rm -f "$directory/main.cf" "$directory/master.cf"
key=/etc/ssl/private/ssl-cert-snakeoil.key
[ -e $key ] || openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -keyout $key \\
    -out /etc/ssl/certs/ssl-cert-snakeoil.pem -subj /CN={MAIL_NAME}
echo {MAIL_NAME} >/etc/mailname
printf 'postfix postfix/%s\\n' 'main_mailer_type select Internet Site' \\
    'mailname string {MAIL_NAME}' 'protocols select all' | debconf-set-selections
DEBIAN_FRONTEND=noninteractive dpkg-reconfigure -f noninteractive postfix
[ -s "$directory/main.cf" ] || {{ echo 'base debconf: no main.cf was made' >&2; exit 1; }}
""",
}


@dataclass(frozen=True, slots=True)
class ImageContext:
    """A Dockerfile with its files, content and mode by path; ``arguments`` go into the hash."""

    dockerfile: str
    files: Mapping[str, tuple[bytes, int]] = field(default_factory=dict)
    arguments: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The hash of all of it, in hex."""
        content = {
            "generation": _GENERATION,
            "dockerfile": self.dockerfile,
            "arguments": dict(self.arguments),
            "files": {
                name: [hashlib.sha256(data).hexdigest(), mode]
                for name, (data, mode) in self.files.items()
            },
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def reference(self) -> str:
        """``postfix-matrix/tool:0123456789ab``."""
        return f"{REPOSITORY}:{self.digest[:12]}"

    def to_archive(self) -> io.BytesIO:
        """The context as the engine takes it."""
        files = {"Dockerfile": (self.dockerfile.encode(), 0o644), **self.files}
        return pack_files(dict(sorted(files.items())))


def packages_context(image: str, needs: ToolNeeds) -> ImageContext:
    """The image with the packages that a tool needs; ``image`` is the build's id."""
    debs = {f"debs/{deb.name}": (deb.read_bytes(), 0o644) for deb in needs.debs}
    steps = [f"FROM {image}"]
    names = list(needs.apt)
    if debs:
        steps.append(f"COPY debs /{_CONTEXT}/debs")
        names += [f"/{_CONTEXT}/{name}" for name in debs]
    steps.append(
        "RUN command -v apt-get >/dev/null"
        " || { echo 'needs.apt: this build has no apt (Debian, Ubuntu)' >&2; exit 1; }"
        f" && apt-get update && apt-get install {' '.join(names)} && rm -rf /{_CONTEXT}"
    )
    return ImageContext("\n".join(steps) + "\n", debs)


def wheels_context(image: str, folder: Path, needs: ToolNeeds, python: str) -> ImageContext:
    """The image with the packages of PyPI that pip installed into a folder of this machine.

    ``python`` is the version of the container's Python, for which they were chosen.
    """
    files = {
        f"wheels/{path.relative_to(folder).as_posix()}": (
            path.read_bytes(),
            0o755 if path.stat().st_mode & 0o100 else 0o644,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    dockerfile = f"FROM {image}\nCOPY wheels {WHEELS_DIRECTORY}\n"
    return ImageContext(dockerfile, files, {"wheels": digest_wheels(needs), "python": python})


def digest_wheels(needs: ToolNeeds) -> str:
    """What identifies the packages of PyPI that a tool needs."""
    lock = "" if needs.wheels is None else file_digest(needs.wheels)
    return json.dumps([lock, {name: list(paths) for name, paths in needs.parts.items()}])


def base_context(image: str, base: ToolBase | Path) -> ImageContext:
    """The image with the recorders of service managers, and with what the tool starts from."""
    files: dict[str, tuple[bytes, int]] = {"prepare/recorder": (SCRIPT.encode(), 0o755)}
    steps = [f"FROM {image}"]
    commands = ["set -e", "directory=$(postconf -dh config_directory)"]
    if isinstance(base, Path):
        files |= {
            f"prepare/base/{path.relative_to(base).as_posix()}": (path.read_bytes(), 0o644)
            for path in sorted(base.rglob("*"))
            if path.is_file()
        }
        commands.append(_BASES[ToolBase.EMPTY].rstrip())
        commands.append(f'cp -R /{_CONTEXT}/base/. "$directory/"')
    else:
        commands += _BASES[base].splitlines()
    commands += _list_recorder_commands()
    files["prepare/prepare.sh"] = ("\n".join(commands).encode() + b"\n", 0o755)
    steps.append(f"COPY prepare /{_CONTEXT}")
    steps.append(f"RUN sh /{_CONTEXT}/prepare.sh && rm -rf /{_CONTEXT}")
    return ImageContext("\n".join(steps) + "\n", files)


def describe_base(base: ToolBase | Path) -> str:
    """What a report calls a base."""
    if isinstance(base, Path):
        return f"the folder {base.name}"
    return {
        ToolBase.STOCK: "stock, as the build's package brings it",
        ToolBase.EMPTY: "an empty configuration directory",
        ToolBase.DEBCONF: 'debconf, Debian\'s answer "Internet Site"',
    }[base]


def _list_recorder_commands() -> list[str]:
    """Commands that put the recorder into the place of each service manager."""
    commands = []
    for name, folder in RECORDED.items():
        commands += [
            f"for at in /bin /sbin /usr/bin /usr/sbin; do if [ -e $at/{name} ]; then"
            f" rm -f $at/{name}; cp /{_CONTEXT}/recorder $at/{name}; fi; done",
            f"[ -e {folder}/{name} ] || cp /{_CONTEXT}/recorder {folder}/{name}",
        ]
    return commands
