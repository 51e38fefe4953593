"""Clients and controls of the catalog: their names, and what their images are made from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeVar

from harness.catalog.builds import (
    Build,
    PackageFormat,
    base_suite,
    find_by_suite,
    find_openssl,
    known_builds,
)
from harness.catalog.cells import CONTROL_PREFIX, is_control, is_simulated
from harness.catalog.peers import all_peers
from harness.catalog.recordings import Recording, all_recordings
from harness.catalog.releases import find_release, load_clients, load_data
from harness.errors import UsageError
from harness.tls import Protocol


@dataclass(frozen=True, slots=True)
class Client:
    """An SMTP client.

    ``recipe`` is its folder under ``images/``; ``common`` are folders there whose files are added
    to its build context, each under the last part of its name. ``openssl`` (with ``flavour``)
    is the release with which it is linked, None where its packages have their own TLS library.
    ``lock`` is a folder under ``images/`` with a lock file of packages that the harness fetches
    (harness/sources/registries.py), and ``args`` are further arguments of its Dockerfile. ``about``
    describes it in a few words, and whether it sends mail.

    ``pins``: its offer can be set; else it only has cells of the offer ``default``. ``unasked``: it
    is in a run that names no client. ``reference``: it is a user's image, which has no recipe.
    ``build``: its software is the Postfix of that build, on whose image its own is based.
    ``recording``: it is no software, but a recorded hello that one driver sends for all of them.
    ``brings_python``: its driver's Python is not its suite's, but comes along from the base suite,
    for suites whose Python is too old. ``files``: NAME.toml has package files that its base has
    beside those of its suite, for a suite that is made from such files. ``fetches_files``: package
    files of its suite are fetched with the base suite's apt. ``daemon``: it needs the capabilities
    of a mail server.
    """

    name: str
    recipe: str
    suite: str
    about: str
    openssl: str | None = None
    flavour: str = "stock"
    common: tuple[str, ...] = ()
    lock: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    pins: bool = True
    unasked: bool = False
    reference: str = ""
    build: str = ""
    recording: Recording | None = None
    brings_python: bool = False
    daemon: bool = False
    files: str = ""
    fetches_files: bool = False

    @property
    def image_name(self) -> str:
        """The name of its image: recorded clients share one."""
        return RECORDED_IMAGE if self.recording else self.name

    @property
    def is_daemon(self) -> bool:
        """Whether it needs what Postfix's master(8) needs: other users, and their files."""
        return self.daemon or (bool(self.build) and self.args["TOOL"] == SENDER)


@dataclass(frozen=True, slots=True)
class Control:
    """A control: a TLS server of the harness in front of a plain Postfix, that of ``build``.

    It accepts ``lowest`` to ``highest``; one that ``forbids`` speaks these, and refuses every
    handshake. ``openssl`` (with ``flavour``) and ``stunnel`` are the releases of the TLS
    server; None for the distribution's.
    """

    name: str
    recipe: str
    build: str
    lowest: Protocol
    highest: Protocol
    openssl: str | None = None
    flavour: str = "stock"
    stunnel: str | None = None
    forbids: bool = False

    def __post_init__(self) -> None:
        if not is_control(self.name):
            raise ValueError(f"control {self.name!r} must start with {CONTROL_PREFIX!r}")


#: The programs of a build's Postfix that can be a client: smtp(8), and posttls-finger(1).
SENDER, FINGER = "smtp", "posttls-finger"
_TOOLS = {
    SENDER: "Postfix's own smtp(8), under its master(8); sends a mail",
    FINGER: "posttls-finger(1); shakes hands, sends no mail",
}
#: The name of the image that sends recorded hellos, and its folder under ``images/``.
RECORDED_IMAGE, _RECORDED_RECIPE = "recorded-hellos", "clients/hello"
#: The names of the other images of a run.
_RESERVED = frozenset({"sasl", "dns", "peer", RECORDED_IMAGE})
CLIENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
_Named = TypeVar("_Named", Client, Control)


@cache
def all_clients() -> tuple[Client, ...]:
    """The clients, in the catalog's order."""
    return tuple(_read_client(record) for record in load_clients())


@cache
def all_controls() -> tuple[Control, ...]:
    """The controls, in the catalog's order."""
    return tuple(_read_control(record) for record in load_data("clients")["control"])


def build_client(tool: str, build: str) -> Client:
    """A build's Postfix as a client: ``smtp-debian-12``, ``posttls-finger-debian-12``."""
    return Client(
        f"{tool}-{build}",
        "clients/postfix",
        base_suite(),
        f"{build}: {_TOOLS[tool]}",
        common=("clients/common",),
        args={"TOOL": tool, "RUN_AS": "root" if tool == SENDER else "nobody"},
        build=build,
    )


@cache
def build_clients() -> tuple[Client, ...]:
    """Those of all builds that the catalog lists; others can be selected by their full name."""
    builds = [
        build.id for build in known_builds() if _can_be_client(build) and not build.replaces_openssl
    ]
    return tuple(build_client(tool, build) for tool in _TOOLS for build in builds)


def recorded_client(recording: Recording) -> Client:
    """A client that sends a recorded hello; it has only the offer of the recording."""
    return replace(
        recording_driver(),
        name=recording.client,
        about=f"simulated: {recording.about}",
        recording=recording,
    )


def recording_driver() -> Client:
    """The client whose driver sends recorded hellos, and records those of other clients."""
    return Client(
        RECORDED_IMAGE,
        _RECORDED_RECIPE,
        base_suite(),
        "sends and records hellos",
        common=("clients/common",),
        pins=False,
    )


@cache
def recorded_clients() -> tuple[Client, ...]:
    """Those of the catalog's recordings; a run has them only where they are named."""
    return tuple(recorded_client(recording) for recording in all_recordings())


def is_build_client(name: str) -> bool:
    """Whether a client's name, or a glob for one, denotes a build's Postfix."""
    return name.startswith(tuple(f"{tool}-" for tool in _TOOLS))


def user_client(name: str, reference: str) -> Client:
    """A user's client, from an image that keeps the client contract.

    Its driver reports for each offer whether it can make it.

    Raises:
        UsageError: the name is not valid, or it is already in use.
    """
    taken = [
        *(client.name for client in all_clients()),
        *(peer.name for peer in all_peers()),
        *_RESERVED,
    ]
    if (
        name in taken
        or is_build_client(name)
        or is_simulated(name)
        or is_control(name)
        or not CLIENT_NAME.fullmatch(name)
    ):
        raise UsageError(
            f"{name!r} cannot be the name of a client",
            cause="the tool already has that name"
            if CLIENT_NAME.fullmatch(name)
            else "a name has only letters, digits and . _ + -, since it is a part of cells' ids",
            next_step="name it: --client NAME=REFERENCE",
        )
    return Client(name, "", "", "an image of the user's own", reference=reference)


def find_client(name: str) -> Client:
    """One client of the catalog.

    Raises:
        UsageError: the catalog does not have it; the message names what it has.
    """
    for tool in _TOOLS:
        if name.startswith(f"{tool}-"):
            build = Build.parse(name.removeprefix(f"{tool}-"))
            if not _can_be_client(build):
                raise UsageError(
                    f"{build} cannot be a client",
                    cause="what smtp(8) needs to log in is installed with apt, which it lacks",
                    next_step="'postfix-matrix list clients' shows the clients",
                )
            return build_client(tool, build.id)
    if is_simulated(name):
        return _find_by_name("recorded client", name, recorded_clients())
    return _find_by_name("client", name, all_clients())


def find_control(name: str) -> Control:
    """One control.

    Raises:
        UsageError: the catalog does not have it; the message names what it has.
    """
    return _find_by_name("control", name, all_controls())


def _can_be_client(build: Build) -> bool:
    """Whether a client's image can be based on the build's: its recipe needs apt."""
    distribution = find_by_suite(build.suite)
    return distribution is None or distribution.package_format is PackageFormat.DEB


def _find_by_name(kind: str, name: str, known: tuple[_Named, ...]) -> _Named:
    for item in known:
        if item.name == name:
            return item
    names = " ".join(item.name for item in known)
    raise UsageError(f"unknown {kind} {name!r}", next_step=f"use one of {names}")


def _read_client(record: dict[str, Any]) -> Client:
    filled = {"suite": base_suite(), **record, "common": tuple(record.get("common", ()))}
    result = Client(**filled)
    if result.openssl:
        find_openssl(
            result.openssl if result.flavour == "stock" else f"{result.openssl}-{result.flavour}"
        )
    return result


def _read_control(record: dict[str, Any]) -> Control:
    bounds = {bound: Protocol.parse(record[bound]) for bound in ("lowest", "highest")}
    result = Control(**{**record, **bounds})
    Build.parse(result.build)
    if result.openssl:
        find_release("openssl", result.openssl)
    if result.stunnel:
        find_release("stunnel", result.stunnel)
    return result
