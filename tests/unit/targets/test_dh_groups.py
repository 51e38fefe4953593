"""Diffie-Hellman groups, and how their files are written."""

from __future__ import annotations

import base64

import pytest

from harness.postfix_config.key_files import FileKind
from harness.targets.dh_groups import SIZES, dh_parameters, prime


def is_probable_prime(number: int) -> bool:
    """Fermat's test to several bases; these are no Carmichael numbers."""
    return all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7))


@pytest.mark.parametrize("bits", SIZES)
def test_each_prime_is_a_safe_prime_of_its_size(bits: int) -> None:
    """Protects DHE: OpenSSL takes safe primes only, and a wrong digit would not be one."""
    group_prime = prime(bits)
    assert group_prime.bit_length() == bits
    assert is_probable_prime(group_prime)
    assert is_probable_prime((group_prime - 1) // 2)


def test_the_2048_bit_group_is_rfc_3526s() -> None:
    """Protects the formula: the group's first and last digits, as the RFC prints them."""
    text = f"{prime(2048):X}"
    assert text.startswith("FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74")
    assert text.endswith("3995497CEA956AE515D2261898FA051015728E5A8AACAA68FFFFFFFFFFFFFFFF")


def test_a_file_is_pkcs3_of_prime_and_base() -> None:
    """Protects OpenSSL 3: X9.42's form, with a third number, is not what Postfix reads there."""
    lines = dh_parameters(512).splitlines()
    assert lines[0] == "-----BEGIN DH PARAMETERS-----"
    assert lines[-1] == "-----END DH PARAMETERS-----"
    der = base64.b64decode("".join(lines[1:-1]))
    # SEQUENCE of 70 bytes: INTEGER of 65 with room for the sign, INTEGER 2.
    assert der[:5] == bytes([0x30, 70, 0x02, 65, 0])
    assert der[5:69] == prime(512).to_bytes(64, "big")
    assert der[69:] == bytes([0x02, 1, 2])


def test_each_size_that_a_scenario_can_ask_for_is_there() -> None:
    """Protects [files] in scenario.toml from promising what cannot be made."""
    sizes = {int(k.value.split()[2]) for k in FileKind if k.value.startswith("DH parameters")}
    assert sizes == set(SIZES)
