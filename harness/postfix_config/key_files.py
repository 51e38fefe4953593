"""The key, certificate and DH parameter files that a configuration names. Pure.

The harness puts test files at these very paths, instead of editing the candidate. Parameters are
those of postconf(5) for smtpd(8), and their siblings for smtp(8), lmtp(8) and tlsproxy(8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from pathlib import PurePosixPath

from harness.postfix_config.lookup_tables import expand_references
from harness.postfix_config.master_cf import MasterEntry


class FileKind(StrEnum):
    """What must lie at a path; all PEM. A chain is a key and its certificate in one file.

    RSA and DSA keys have 2048 bits and EC keys are on P-256 where nothing else is said.
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
    # What a scenario can ask for beside these ([files] in scenario.toml).
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
    #: These are of the common RSA key, and so are certificates for another name.
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
        """The other name that a certificate is for: ``, for NAME``; None: the server's own."""
        return self.value.partition(_FOR)[2] or None

    @classmethod
    def _missing_(cls, value: object) -> FileKind | None:
        """``RSA certificate, for mx2.test`` and its like: a member for each name, made once."""
        base, _, host = str(value).partition(_FOR)
        if base not in _NAMEABLE or not _HOST.fullmatch(host):
            return None
        member = str.__new__(cls, str(value))
        member._name_, member._value_ = cls(base).name, str(value)
        cls._value2member_map_[str(value)] = member
        return member


_FOR = ", for "
_HOST = re.compile(r"(?:\*\.)?[a-z0-9][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)*")
#: What can be for another name.
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
#: What one file must be that two parameters name as these two.
_TOGETHER = {
    frozenset({FileKind.RSA_CERTIFICATE, FileKind.RSA_KEY}): FileKind.CHAIN,
    frozenset({FileKind.EC_CERTIFICATE, FileKind.EC_KEY}): FileKind.EC_CHAIN,
    frozenset({FileKind.DSA_CERTIFICATE, FileKind.DSA_KEY}): FileKind.DSA_CHAIN,
}
_CHAINS = frozenset(_TOGETHER.values())
#: The parameter whose default each certificate's file is (postconf(5): smtpd_tls_key_file).
_KEY_OF = {"cert_file": "key_file", "eccert_file": "eckey_file", "dcert_file": "dkey_file"}
#: A file name that says it holds a key alone: privkey.pem, server.key, rsa-key.pem, key.
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
    """Each absolute path that main.cf or an entry's -o options name, and what must lie there.

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
            paths = _paths(value, in_effect)
            for path, kind in zip(paths, _kinds(match[1], name, paths, in_effect), strict=True):
                files[path] = _combined(files.get(path), kind)
    return files


def _kinds(
    parameter: str, name: str, paths: list[str], in_effect: Mapping[str, str]
) -> list[FileKind]:
    """What must lie at each of the paths that one parameter names."""
    if parameter == "chain_files":
        return chain_kinds(paths)
    kind = _KINDS[parameter]
    # A key's default is the certificate's file: smtpd_tls_key_file = $smtpd_tls_cert_file.
    if parameter in _KEY_OF and name.replace(parameter, _KEY_OF[parameter]) not in in_effect:
        kind = _TOGETHER[frozenset({kind, _KINDS[_KEY_OF[parameter]]})]
    return [kind] * len(paths)


def map_key_files(text: str) -> dict[str, FileKind]:
    """The files that a table of tls_server_sni_maps names, and what must lie there.

    Args:
        text: a table's lines: a domain, then the chain files of its certificates (postconf(5)).
    """
    files: dict[str, FileKind] = {}
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        paths = [word for word in re.split(r"[\s,]+", line.strip())[1:] if word.startswith("/")]
        for path, kind in zip(paths, chain_kinds(paths), strict=True):
            files[path] = _combined(files.get(path), kind)
    return files


def chain_kinds(paths: Sequence[str]) -> list[FileKind]:
    """What must lie at each path of smtpd_tls_chain_files, in all forms of postconf(5).

    A file holds a key and its certificates, or the key has a file of its own, and the file after it
    has the certificates. Which form it is, and of which algorithm a key is, is told by the files'
    names, and by Debian's folder for keys (/etc/ssl/private) beside others; where these tell
    nothing, each file holds both, the first RSA, the second EC. What follows a certificate without
    a key between is of its issuers.
    """
    apart = [bool(_KEY_NAME.search(PurePosixPath(path).name.lower())) for path in paths]
    folders = [PurePosixPath(path).parent.name == "private" for path in paths]
    if not any(apart) and not all(folders):
        apart = folders
    kinds: list[FileKind] = []
    keys, has_certificate = 0, False
    for path, is_key in zip(paths, apart, strict=True):
        if not any(apart):
            kinds.append(_of_algorithm(path, len(kinds), "CHAIN"))
        elif is_key:
            # The certificate may stand before its key, which Postfix refuses: it is a pair even so.
            keys, has_certificate = keys + 1, has_certificate and not keys
            kinds.append(_of_algorithm(path, keys - 1, "KEY"))
        elif has_certificate:
            kinds.append(FileKind.CA)
        else:
            has_certificate = True
            kinds.append(_of_algorithm(path, max(keys - 1, 0), "CERTIFICATE"))
    return kinds


def _of_algorithm(path: str, position: int, part: str) -> FileKind:
    """A key, a certificate or both, of the algorithm that a file's name or its position tells."""
    words = re.split(r"[^a-z0-9]+", PurePosixPath(path).name.lower())
    is_ec = any(word.startswith(("ec", "p256", "p384")) for word in words)
    if not is_ec and not any(word.startswith("rsa") for word in words):
        is_ec = position % 2 == 1
    algorithm = "EC" if is_ec else "RSA"
    if part == "CHAIN":
        return FileKind.EC_CHAIN if is_ec else FileKind.CHAIN
    return FileKind[f"{algorithm}_{part}"]


def _paths(value: str, known: Mapping[str, str]) -> list[str]:
    """The absolute paths in a value, references followed; none where one cannot be followed.

    So "none" (no certificate) and "auto" (Postfix's own DH parameters, from 3.7) are no paths.
    """
    for _ in range(_MOST_EXPANSIONS):
        if "$" not in value:
            break
        value = _CONDITIONAL.sub(lambda m: _chosen(m, known), expand_references(value, known))
    return [word for word in re.split(r"[\s,]+", value) if word.startswith("/") and "$" not in word]


def _chosen(match: re.Match[str], known: Mapping[str, str]) -> str:
    """What a conditional comes to (postconf(5)): ``?`` where the name has a value, ``:`` if not."""
    if bool(known.get(match["name"])) is (match["if"] == "?"):
        return match["plain"] or match["first"] or ""
    return match["second"] or ""


def _default_domain(main: Mapping[str, str]) -> dict[str, str]:
    """$mydomain where main.cf does not set it: $myhostname minus its first part (postconf(5))."""
    domain = main.get("myhostname", "").partition(".")[2]
    return {"mydomain": domain} if domain else {}


def _combined(before: FileKind | None, now: FileKind) -> FileKind:
    """What fits both parameters that name one path; where nothing does, the first has its way."""
    if before is None:
        return now
    return before if before in _CHAINS else _TOGETHER.get(frozenset({before, now}), before)
