"""The system's configuration of OpenSSL: what it sets for every program, from whichever file."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.images.system_policy import READ_POLICY, describe_system_policy, parse_sections

DEBIAN_11 = """\
openssl_conf = default_conf
# Policies used by the TSA examples.
tsa_policy1 = 1.2.3.4.1
[ ca ]
default_ca	= CA_default		# The default ca section
[default_conf]
ssl_conf = ssl_sect

[ssl_sect]
system_default = system_default_sect

[system_default_sect]
MinProtocol = TLSv1.2
CipherString = DEFAULT@SECLEVEL=2
"""
ROCKY_9 = """\
openssl_conf = openssl_init
.pragma includedir:yes
[openssl_init]
providers = provider_sect
ssl_conf = ssl_module
alg_section = evp_properties

[ evp_properties ]

[ssl_module]
system_default = crypto_policy

[ crypto_policy ]
.include = FOLDER/opensslcnf.config

[ ca ]
default_ca = CA_default
"""
LEGACY = """\
CipherString = @SECLEVEL=1:kEECDH:kRSA:!RC4
TLS.MinProtocol = TLSv1.2

[openssl_init]
alg_section = evp_properties

[evp_properties]
rh-allow-sha1-signatures = yes
"""


def _read(folder: Path) -> str:
    """What the shell of an image makes of the file, and this module of that."""
    script = f"""
    say() {{ printf '%s=%s\\n' "$1" "$2"; }}
    openssl() {{ echo 'OPENSSLDIR: "{folder}"'; }}
    {READ_POLICY}
    """
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    lines = [line for line in done.stdout.splitlines() if line.startswith("conf=")]
    return describe_system_policy([line.removeprefix("conf=") for line in lines], "")


def test_what_debian_sets_for_every_program_is_read(tmp_path: Path) -> None:
    """A lowest version and a security level of the system are evidence for a refusal."""
    (tmp_path / "openssl.cnf").write_text(DEBIAN_11)
    assert _read(tmp_path) == "MinProtocol = TLSv1.2; CipherString = DEFAULT@SECLEVEL=2"


@pytest.mark.parametrize("included", ["opensslcnf.config", "policies/10-system.cnf"])
def test_included_files_are_read_in_their_places(tmp_path: Path, included: str) -> None:
    """Red Hat's policy is in a file of its own, which also adds to sections of the main file."""
    file = tmp_path / included
    file.parent.mkdir(exist_ok=True)
    file.write_text(LEGACY)
    target = "policies" if "/" in included else included
    (tmp_path / "openssl.cnf").write_text(
        ROCKY_9.replace("FOLDER/opensslcnf.config", f"{tmp_path}/{target}")
    )
    assert _read(tmp_path) == (
        "CipherString = @SECLEVEL=1:kEECDH:kRSA:!RC4; TLS.MinProtocol = TLSv1.2; "
        "rh-allow-sha1-signatures = yes"
    )


def test_a_file_that_includes_itself_ends(tmp_path: Path) -> None:
    """A broken configuration must not keep an examination from ending."""
    path = tmp_path / "openssl.cnf"
    path.write_text(f"{DEBIAN_11}.include {path}\n")
    assert _read(tmp_path).startswith("MinProtocol = TLSv1.2; ")


@pytest.mark.parametrize("text", ["", "[ca]\nMinProtocol = TLSv1.2\n", "openssl_conf = nowhere\n"])
def test_a_system_without_a_policy_has_none(tmp_path: Path, text: str) -> None:
    """Upstream's file sets nothing, and a line in another section has no effect."""
    assert _read(tmp_path) == ""
    (tmp_path / "openssl.cnf").write_text(text)
    assert _read(tmp_path) == ""


def test_the_name_of_the_crypto_policy_comes_first() -> None:
    """The name is what an administrator sets, and recognises."""
    lines = DEBIAN_11.splitlines()
    assert describe_system_policy(lines, "FUTURE").startswith("crypto policy FUTURE; MinProtocol")
    assert describe_system_policy([], "FUTURE") == "crypto policy FUTURE"


def test_a_later_setting_replaces_an_earlier_one() -> None:
    """OpenSSL merges sections of one name, and so does the description."""
    text = "[a]\nx = 1\ny = 2\n[b]\nx = 9\n[ a ]\nx = 3 # not 1\n"
    assert parse_sections(text.splitlines()) == {
        "": {},
        "a": {"x": "3", "y": "2"},
        "b": {"x": "9"},
    }
