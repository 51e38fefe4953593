"""Checks of this machine: disks, memory, certificates, and the folders that a run writes."""

from __future__ import annotations

import os
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.counts import format_count
from harness.diagnosis.engine_checks import EngineAnswers
from harness.diagnosis.machine_finding import MachineFinding, MachineStanding

_GIB = 1 << 30
#: With less, a run can hardly start a build's container and its clients.
_LEAST_MEMORY = 2 * _GIB
#: Free bytes that evidence, logs and the engine itself need beside new images.
_LEAST_DISK = 1 * _GIB
#: Environment variables that name a file or folder of CA certificates (OpenSSL, requests).
_CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def format_size(number: float) -> str:
    """``1.5 GB``, ``300 MB``: in units of 1000, as ``docker system df`` has them."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


def check_disk(answers: EngineAnswers, needed: int) -> MachineFinding:
    """Room on the disk of the engine's images; ``needed`` are the bytes of images to be made."""
    if answers.client is None:
        return MachineFinding("disk", MachineStanding.UNKNOWN, "no engine says where images are")
    root = Path(str(answers.info.get("DockerRootDir") or "/"))
    if not answers.is_local:
        return MachineFinding(
            "disk", MachineStanding.UNKNOWN, f"the engine's folder {root} is on another machine"
        )
    return judge_disk(root, needed)


def judge_disk(folder: Path, needed: int) -> MachineFinding:
    """Whether a folder's disk has room for so many bytes, and for what a run writes."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        return MachineFinding("disk", MachineStanding.UNKNOWN, f"{folder}: {error.strerror}")
    text = f"{format_size(free)} free at {folder}"
    next_step = (
        "'postfix-matrix images prune' removes outdated images; 'docker system df' shows all"
    )
    if free < _LEAST_DISK:
        return MachineFinding("disk", MachineStanding.FAILED, text, next_step)
    if free < needed + _LEAST_DISK:
        text += f"; the images of a whole run may need {format_size(needed)}"
        return MachineFinding("disk", MachineStanding.WARNING, text, next_step)
    return MachineFinding("disk", MachineStanding.OK, text)


def check_memory(answers: EngineAnswers) -> MachineFinding:
    """Memory and cores of the engine's machine."""
    if answers.client is None:
        return MachineFinding("memory", MachineStanding.UNKNOWN, "no engine reports its memory")
    memory, cores = int(answers.info.get("MemTotal") or 0), int(answers.info.get("NCPU") or 0)
    text = f"{format_size(memory)} and {format_count(cores, 'core')}"
    if memory < _LEAST_MEMORY:
        return MachineFinding(
            "memory",
            MachineStanding.WARNING,
            f"{text}; compiling and many clients need more",
            "measure fewer builds at a time (-b), with --jobs 2",
        )
    return MachineFinding("memory", MachineStanding.OK, text)


def check_certificates() -> MachineFinding:
    """The CA certificates with which this machine verifies the places of sources."""
    for variable in _CA_VARIABLES:
        named = os.environ.get(variable)
        if named and not Path(named).exists():
            return MachineFinding(
                "certificates",
                MachineStanding.WARNING,
                f"{variable} names {named}, which does not exist: no download over TLS works",
                f"unset {variable}, or install the file",
            )
    number = ssl.create_default_context().cert_store_stats()["x509_ca"]
    folder = ssl.get_default_verify_paths().capath
    if not number and not (folder and list(Path(folder).glob("*.0"))):
        return MachineFinding(
            "certificates",
            MachineStanding.WARNING,
            "this machine has no CA certificates; those of Python's certifi are used",
            "install the package ca-certificates",
        )
    return MachineFinding("certificates", MachineStanding.OK, f"{number} CA certificates")


def check_folders(cache: Path, state: Path, runs: Path) -> Iterator[MachineFinding]:
    """Whether the folders that every run writes can be written; the cache's size."""
    for name, folder in (("cache", cache), ("state", state), ("runs", runs)):
        variable = {"cache": "XDG_CACHE_HOME", "state": "XDG_STATE_HOME"}.get(name)
        other = f"free some room there, or name another folder with {variable or '--runs'}"
        if problem := _find_write_problem(folder):
            yield MachineFinding(name, MachineStanding.FAILED, f"{folder}: {problem}", other)
        else:
            size = f", {format_size(_measure_folder(folder))}" if name == "cache" else ""
            yield MachineFinding(name, MachineStanding.OK, f"{folder} can be written{size}")


def _find_write_problem(folder: Path) -> str:
    """Why no file can be written there, "" where it can; leaves nothing behind."""
    nearest = folder
    while not nearest.exists() and nearest != nearest.parent:
        nearest = nearest.parent
    try:
        with tempfile.TemporaryFile(dir=nearest) as file:
            file.write(b"\0" * 65536)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _measure_folder(folder: Path) -> int:
    """The bytes of all files; what cannot be read counts as nothing."""
    total = 0
    for parent, _, files in os.walk(folder):
        for file in files:
            try:
                total += (Path(parent) / file).lstat().st_size
            except OSError:
                continue
    return total
