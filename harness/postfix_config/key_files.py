"""The key, certificate and DH parameter files that a configuration names.

The harness puts test files at exactly these paths, so that it need not edit the candidate. The
parameters are those of postconf(5) for smtpd(8), and their counterparts for smtp(8), lmtp(8) and
tlsproxy(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import PurePosixPath

from harness.postfix_config.lookup_tables import expand_references
from harness.postfix_config.master_cf import MasterEntry


class FileKind(StrEnum):
    """What a path must hold, always PEM. A chain is a key and its certificate in one file.

    Unless the kind states otherwise, RSA and DSA keys have 2048 bits and EC keys are on P-256.
    """

    RSA_CERTIFICATE = "RSA certificate"
    RSA_KEY = "RSA key"
    EC_CERTIFICATE = "EC certificate"
    EC_KEY = "EC key"
    DSA_CERTIFICATE = "DSA certificate"
    DSA_KEY = "DSA key"
    CHAIN = "RSA key and certificate"
    EC_CHAIN = "EC key and certificate"
    DSA_CHAIN = "DSA key and certificate"
    CA = "CA certificate"
    DH_2048 = "DH parameters, 2048 bits"
    DH_512 = "DH parameters, 512 bits"
    # Further kinds that a scenario can request ([files] in scenario.toml).
    DH_1024 = "DH parameters, 1024 bits"
    DH_3072 = "DH parameters, 3072 bits"
    DH_4096 = "DH parameters, 4096 bits"
    RSA_1024_CERTIFICATE = "RSA certificate, 1024 bits"
    RSA_1024_KEY = "RSA key, 1024 bits"
    RSA_1024_CHAIN = "RSA key and certificate, 1024 bits"
    RSA_4096_CERTIFICATE = "RSA certificate, 4096 bits"
    RSA_4096_KEY = "RSA key, 4096 bits"
    RSA_4096_CHAIN = "RSA key and certificate, 4096 bits"
    P384_CERTIFICATE = "EC certificate, P-384"
    P384_KEY = "EC key, P-384"
    P384_CHAIN = "EC key and certificate, P-384"
    #: These use the common RSA key, as do certificates for another name.
    EXPIRED = "RSA certificate, expired"
    SELF_SIGNED = "RSA certificate, self-signed"
    OF_ANOTHER_CA = "RSA certificate, of another CA"
    BELOW_INTERMEDIATE = "RSA certificate, below an intermediate"
    BELOW_INTERMEDIATE_CHAIN = "RSA key and certificate, below an intermediate"
    WITH_INTERMEDIATE = "RSA certificate, with its intermediate"
    WITH_INTERMEDIATE_CHAIN = "RSA key and certificate, with its intermediate"
    INTERMEDIATE_CA = "CA certificate, intermediate"
    MISSING = "missing"

    @property
    def host(self) -> str | None:
        """The host name in ``, for NAME``; None: the certificate is for the server's name."""
        return self.value.partition(_HOST_PREFIX)[2] or None

    @classmethod
    def _missing_(cls, value: object) -> FileKind | None:
        """Create, once per name, a member such as ``RSA certificate, for mx2.test``."""
        base, _, host = str(value).partition(_HOST_PREFIX)
        if base not in _NAMEABLE or not _HOST.fullmatch(host):
            return None
        member = str.__new__(cls, str(value))
        member._name_, member._value_ = cls(base).name, str(value)
        cls._value2member_map_[str(value)] = member
        return member


_HOST_PREFIX = ", for "
_HOST = re.compile(r"(?:\*\.)?[a-z0-9][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)*")
#: Kinds that can be issued for another name.
_NAMEABLE = frozenset(
    {"RSA certificate", "RSA key and certificate", "EC certificate", "EC key and certificate"}
)


def is_file_kind(text: str) -> bool:
    """Whether there is such a kind."""
    try:
        FileKind(text)
    except ValueError:
        return False
    return True


_KINDS = {
    "cert_file": FileKind.RSA_CERTIFICATE,
    "key_file": FileKind.RSA_KEY,
    "eccert_file": FileKind.EC_CERTIFICATE,
    "eckey_file": FileKind.EC_KEY,
    "dcert_file": FileKind.DSA_CERTIFICATE,
    "dkey_file": FileKind.DSA_KEY,
    "chain_files": FileKind.CHAIN,
    "CAfile": FileKind.CA,
    "dh1024_param_file": FileKind.DH_2048,
    "dh512_param_file": FileKind.DH_512,
}
_PARAMETER = re.compile(
    r"(?:smtpd_tls|smtp_tls|lmtp_tls|tlsproxy_tls|tlsproxy_client)_(" + "|".join(_KINDS) + ")"
)
#: The kind of a file that two parameters name, one for each of these two kinds.
_CHAIN_OF = {
    frozenset({FileKind.RSA_CERTIFICATE, FileKind.RSA_KEY}): FileKind.CHAIN,
    frozenset({FileKind.EC_CERTIFICATE, FileKind.EC_KEY}): FileKind.EC_CHAIN,
    frozenset({FileKind.DSA_CERTIFICATE, FileKind.DSA_KEY}): FileKind.DSA_CHAIN,
}
_CHAINS = frozenset(_CHAIN_OF.values())
#: For each certificate parameter, the key parameter that defaults to the same file (postconf(5)).
_KEY_OF = {"cert_file": "key_file", "eccert_file": "eckey_file", "dcert_file": "dkey_file"}
#: A file name that shows that it holds only a key: privkey.pem, server.key, rsa-key.pem, key.
_KEY_NAME = re.compile(r"(?:^|[^a-z])(?:ec|rsa|dsa|tls|ssl|server|priv|private)?key(?:$|[^a-z])")
#: ``${name?text}``, ``${name:text}``, and since Postfix 3.0 ``${name?{text}:{text}}``.
_CONDITIONAL = re.compile(
    r"\$\{(?P<name>\w+)\s*(?P<if>[?:])"
    r"(?:\s*\{(?P<first>[^{}]*)\}\s*(?::\s*\{(?P<second>[^{}]*)\}\s*)?|(?P<plain>[^{}]*))\}",
    re.ASCII,
)
_MOST_EXPANSIONS = 10


def key_files(
    main: Mapping[str, str], entries: Iterable[MasterEntry], directory: str
) -> dict[str, FileKind]:
    """Each absolute path that main.cf or an entry's -o options name, and what it must hold.

    Args:
        main: the effective main.cf.
        entries: the effective master.cf.
        directory: the instance's folder; ``$config_directory`` is etc/ in it.
    """
    known = {"config_directory": f"{directory}/etc", **_default_domain(main), **main}
    files: dict[str, FileKind] = {}
    for settings in (main, *(entry.options for entry in entries)):
        for name, value in settings.items():
            match = _PARAMETER.fullmatch(name)
            if match is None:
                continue
            in_effect = {**known, **settings}
            paths = _absolute_paths(value, in_effect)
            for path, kind in zip(
                paths, _kinds_of_parameter(match[1], name, paths, in_effect), strict=True
            ):
                files[path] = _combine_kinds(files.get(path), kind)
    return files


def _kinds_of_parameter(
    parameter: str, name: str, paths: list[str], in_effect: Mapping[str, str]
) -> list[FileKind]:
    """What each of the paths that one parameter names must hold."""
    if parameter == "chain_files":
        return chain_kinds(paths)
    kind = _KINDS[parameter]
    # A key's default is the certificate's file: smtpd_tls_key_file = $smtpd_tls_cert_file.
    if parameter in _KEY_OF and name.replace(parameter, _KEY_OF[parameter]) not in in_effect:
        kind = _CHAIN_OF[frozenset({kind, _KINDS[_KEY_OF[parameter]]})]
    return [kind] * len(paths)


def map_key_files(text: str) -> dict[str, FileKind]:
    """The files that a table of tls_server_sni_maps names, and what each must hold.

    Args:
        text: a table's lines: a domain, then the chain files of its certificates (postconf(5)).
    """
    files: dict[str, FileKind] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        paths = [word for word in re.split(r"[\s,]+", line.strip())[1:] if word.startswith("/")]
        for path, kind in zip(paths, chain_kinds(paths), strict=True):
            files[path] = _combine_kinds(files.get(path), kind)
    return files


def chain_kinds(paths: Sequence[str]) -> list[FileKind]:
    """What each path of smtpd_tls_chain_files must hold, in every form that postconf(5) allows.

    A file holds a key and its certificates; or a file holds only the key, and the next file holds
    the certificates. The form, and each key's algorithm, follow from the file names and from
    Debian's folder for keys (/etc/ssl/private), where only some files are in it. If these show
    nothing, each file holds both, the first RSA, the second EC. A file that follows a certificate,
    with no key between them, holds the certificates of its issuers.
    """
    is_key_file = [bool(_KEY_NAME.search(PurePosixPath(path).name.lower())) for path in paths]
    folders = [PurePosixPath(path).parent.name == "private" for path in paths]
    if not any(is_key_file) and not all(folders):
        is_key_file = folders
    kinds: list[FileKind] = []
    keys, has_certificate = 0, False
    for path, is_key in zip(paths, is_key_file, strict=True):
        if not any(is_key_file):
            kinds.append(_kind_of_algorithm(path, len(kinds), "CHAIN"))
        elif is_key:
            # The certificate may precede its key. Postfix refuses that, but they remain a pair.
            keys, has_certificate = keys + 1, has_certificate and not keys
            kinds.append(_kind_of_algorithm(path, keys - 1, "KEY"))
        elif has_certificate:
            kinds.append(FileKind.CA)
        else:
            has_certificate = True
            kinds.append(_kind_of_algorithm(path, max(keys - 1, 0), "CERTIFICATE"))
    return kinds


def _kind_of_algorithm(path: str, position: int, part: str) -> FileKind:
    """A key, a certificate or both; the file's name, or else its position, gives the algorithm."""
    name_parts = re.split(r"[^a-z0-9]+", PurePosixPath(path).name.lower())
    is_ec = any(word.startswith(("ec", "p256", "p384")) for word in name_parts)
    if not is_ec and not any(word.startswith("rsa") for word in name_parts):
        is_ec = position % 2 == 1
    algorithm = "EC" if is_ec else "RSA"
    if part == "CHAIN":
        return FileKind.EC_CHAIN if is_ec else FileKind.CHAIN
    return FileKind[f"{algorithm}_{part}"]


def _absolute_paths(value: str, known: Mapping[str, str]) -> list[str]:
    """The absolute paths in a value, with references expanded; without those that cannot be.

    "none" (no certificate) and "auto" (Postfix's built-in DH parameters, from 3.7) are not paths.
    """
    for _ in range(_MOST_EXPANSIONS):
        if "$" not in value:
            break
        value = _CONDITIONAL.sub(
            lambda m: _expand_conditional(m, known), expand_references(value, known)
        )
    return [word for word in re.split(r"[\s,]+", value) if word.startswith("/") and "$" not in word]


def _expand_conditional(match: re.Match[str], known: Mapping[str, str]) -> str:
    """The text that a conditional yields: ``?`` tests for a value, ``:`` for none (postconf(5))."""
    if bool(known.get(match["name"])) is (match["if"] == "?"):
        return match["plain"] or match["first"] or ""
    return match["second"] or ""


def _default_domain(main: Mapping[str, str]) -> dict[str, str]:
    """$mydomain where main.cf does not set it: $myhostname minus its first part (postconf(5))."""
    domain = main.get("myhostname", "").partition(".")[2]
    return {"mydomain": domain} if domain else {}


def _combine_kinds(before: FileKind | None, new: FileKind) -> FileKind:
    """The kind that suits both parameters that name one path; if none does, the first kind."""
    if before is None:
        return new
    return before if before in _CHAINS else _CHAIN_OF.get(frozenset({before, new}), before)
