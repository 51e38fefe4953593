"""Recorded ClientHellos of clients that cannot be run here, and the limits that these put on keys.

The catalog's are in ``data/recordings.tsv``; ``clients record`` writes files of the same form.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from harness.catalog.cells import SIMULATED_PREFIX
from harness.catalog.client_hello import ClientHelloError, RecordedHello, parse_recorded_hello
from harness.errors import FileError, FileLocation
from harness.input_files import read_text_file
from harness.tls import Protocol

#: The columns of a file of recordings, in order.
COLUMNS = (
    *("client", "recording", "about", "lowest", "highest", "min_dh_bits", "max_dh_bits"),
    *("min_rsa_bits", "max_rsa_bits", "min_ecdsa_bits", "requires_sha2", "hello_hex"),
)
#: The names of recordings that ``clients record`` makes begin with this; the catalog's do not.
RECORDED_PREFIX = f"{SIMULATED_PREFIX}recorded-"
_BITS = ("min_dh_bits", "max_dh_bits", "min_rsa_bits", "max_rsa_bits", "min_ecdsa_bits")
#: In a column of bits, or of a version: no limit is known.
_UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class KeyLimits:
    """The limits that a client is known to put on a server; None: none is known.

    ``lowest`` is the oldest version that it takes, the numbers are bits: of the prime of a
    Diffie-Hellman exchange, and of the certificate's key. ``requires_sha2``: the certificate must
    not be signed with SHA-1 or MD5.
    """

    lowest: Protocol | None = None
    min_dh_bits: int | None = None
    max_dh_bits: int | None = None
    min_rsa_bits: int | None = None
    max_rsa_bits: int | None = None
    min_ecdsa_bits: int | None = None
    requires_sha2: bool = False

    def __str__(self) -> str:
        """``DH prime from 1024 to 4096 bits, RSA key up to 16384 bits``; "" for none."""
        kinds = (
            ("DH prime", self.min_dh_bits, self.max_dh_bits),
            ("RSA key", self.min_rsa_bits, self.max_rsa_bits),
            ("ECDSA key", self.min_ecdsa_bits, None),
        )
        parts = [f"{what} {_describe_range(low, high)}" for what, low, high in kinds if low or high]
        parts += ["certificate signed with SHA-2"] * self.requires_sha2
        return ", ".join(parts)


def _describe_range(low: int | None, high: int | None) -> str:
    if low and high:
        return f"from {low} to {high} bits"
    return f"of {low} bits or more" if low else f"up to {high} bits"


@dataclass(frozen=True, slots=True)
class Recording:
    """A client's recorded first flight.

    ``client`` is the name of the client that sends it here, ``recorded`` whose hello it is, as its
    source names it; ``about`` says what it stands for. ``highest`` is the newest version.
    """

    client: str
    recorded: str
    about: str
    highest: Protocol | None
    limits: KeyLimits
    hello: RecordedHello


@cache
def all_recordings() -> tuple[Recording, ...]:
    """The catalog's, in its order."""
    text = resources.files("harness.catalog").joinpath("data", "recordings.tsv").read_text("utf-8")
    return parse_recordings(text, Path("harness/catalog/data/recordings.tsv"))


def read_recordings(path: Path) -> tuple[Recording, ...]:
    """The recordings of a user's file.

    Raises:
        FileError: it cannot be read, or a line is not a recording.
    """
    step = "name a file that 'postfix-matrix clients record' wrote"
    return parse_recordings(read_text_file(path, next_step=step), path)


def parse_recordings(text: str, path: Path) -> tuple[Recording, ...]:
    """Recordings as tab-separated lines under a head; lines that begin with # are comments.

    Raises:
        FileError: a line is not a recording; the message names file, line and column.
    """
    lines = [
        (number, line)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    if not lines or tuple(lines[0][1].split("\t")) != COLUMNS:
        place = FileLocation(path, lines[0][0] if lines else None)
        raise FileError(place, "this is not the head of a table of recorded hellos",
                        expected="the columns " + " ".join(COLUMNS) + ", with tabs between",
                        next_step="see 'postfix-matrix clients record --help'")  # fmt: skip
    recordings = tuple(_read_line(FileLocation(path, number), line) for number, line in lines[1:])
    names = [recording.client for recording in recordings]
    for (number, _), name in zip(lines[1:], names, strict=True):
        if names.count(name) > 1:
            raise FileError(FileLocation(path, number, "client"), f"{name} is here twice")
    return recordings


def _read_line(place: FileLocation, line: str) -> Recording:
    values = line.split("\t")
    if len(values) != len(COLUMNS):
        raise FileError(
            place,
            f"the line has {len(values)} columns",
            expected=f"{len(COLUMNS)}, with tabs between",
        )
    fields = dict(zip(COLUMNS, values, strict=True))
    return Recording(
        client=_read_name(place, fields["client"]),
        recorded=fields["recording"],
        about=fields["about"],
        highest=_read_version(place, fields, "highest"),
        limits=_read_limits(place, fields),
        hello=_read_hello(place, fields["hello_hex"]),
    )


def _make_fault(place: FileLocation, key: str, what: str, expected: str) -> FileError:
    return FileError(FileLocation(place.file, place.line, key), what, expected=expected)


def _read_name(place: FileLocation, name: str) -> str:
    allowed = name.removeprefix(SIMULATED_PREFIX).replace("-", "").replace(".", "")
    if not (name.startswith(SIMULATED_PREFIX) and allowed.isascii() and allowed.isalnum()):
        expected = f"{SIMULATED_PREFIX} and letters, digits, dots and hyphens"
        raise _make_fault(
            place, "client", f"{name!r} cannot be the name of a recorded client", expected
        )
    return name


def _read_version(place: FileLocation, fields: Mapping[str, str], key: str) -> Protocol | None:
    text = fields[key]
    if text == _UNKNOWN:
        return None
    if text not in list(Protocol):
        raise _make_fault(
            place, key, f"unknown version {text!r}", f"{_UNKNOWN} or {' '.join(Protocol)}"
        )
    return Protocol(text)


def _read_limits(place: FileLocation, fields: Mapping[str, str]) -> KeyLimits:
    bits: dict[str, int | None] = {}
    for key in _BITS:
        text = fields[key]
        if text != _UNKNOWN and not (text.isascii() and text.isdigit() and int(text)):
            raise _make_fault(
                place, key, f"{text!r} is no number of bits", f"a number or {_UNKNOWN}"
            )
        bits[key] = None if text == _UNKNOWN else int(text)
    if fields["requires_sha2"] not in ("true", "false"):
        raise _make_fault(place, "requires_sha2", f"cannot be {fields['requires_sha2']!r}",
                     "true or false")  # fmt: skip
    return KeyLimits(
        _read_version(place, fields, "lowest"),
        requires_sha2=fields["requires_sha2"] == "true",
        **bits,
    )


def _read_hello(place: FileLocation, text: str) -> RecordedHello:
    expected = "a whole ClientHello in hexadecimal digits, from the record's first byte on"
    bad = next((at for at, digit in enumerate(text) if digit not in "0123456789abcdefABCDEF"), None)
    if bad is not None:
        what = f"{text[bad]!r}, character {bad + 1}, is no hexadecimal digit"
        raise _make_fault(place, "hello_hex", what, expected)
    if len(text) % 2:
        what = f"it has {len(text)} hexadecimal digits, which is no whole number of bytes"
        raise _make_fault(place, "hello_hex", what, expected)
    try:
        return parse_recorded_hello(bytes.fromhex(text))
    except ClientHelloError as error:
        raise _make_fault(place, "hello_hex", f"not a ClientHello: {error}", expected) from None


def format_recording(recording: Recording, hello: bytes) -> str:
    """A recording as a line of such a file, without the line's end."""
    limits = recording.limits
    values: dict[str, object] = {
        "client": recording.client,
        "recording": recording.recorded,
        "about": recording.about,
        "lowest": limits.lowest or _UNKNOWN,
        "highest": recording.highest or _UNKNOWN,
        **{key: getattr(limits, key) or _UNKNOWN for key in _BITS},
        "requires_sha2": str(limits.requires_sha2).lower(),
        "hello_hex": hello.hex(),
    }
    return "\t".join(" ".join(str(values[column]).split()) for column in COLUMNS)
