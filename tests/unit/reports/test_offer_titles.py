"""Short names of offers: what a list has in common, unique, and explained where they are short."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.reports.offer_titles import offer_titles
from harness.tls import STANDARD_OFFERS


@pytest.mark.parametrize(
    ("offer", "title"),
    [
        ("TLSv1.2+ciphers=RC4-SHA:RC4-MD5:ECDHE-RSA-RC4-SHA", "TLSv1.2 RC4"),
        ("TLSv1.2+ciphers=AECDH-AES256-SHA:ADH-AES256-SHA", "TLSv1.2 anon"),
        ("TLSv1.2+ciphers=DES-CBC3-SHA:ECDHE-RSA-DES-CBC3-SHA", "TLSv1.2 3DES"),
        ("TLSv1+ciphers=EXP-RC4-MD5:EXP-DES-CBC-SHA:EXP-RC2-CBC-MD5", "TLSv1 export"),
        ("TLSv1+ciphers=DES-CBC-SHA:EDH-RSA-DES-CBC-SHA", "TLSv1 DES"),
        ("TLSv1.2+ciphers=DHE-RSA-CAMELLIA256-SHA:CAMELLIA256-SHA", "TLSv1.2 CAMELLIA"),
        ("TLSv1.2+ciphers=AES128-SHA:AES256-GCM-SHA384", "TLSv1.2 RSA kx"),
        ("TLSv1.2+ciphers=ECDHE-RSA-AES128-GCM-SHA256", "TLSv1.2 ECDHE GCM"),
        ("TLSv1.2+ciphers=ECDHE-ECDSA-AES128-GCM-SHA256", "TLSv1.2 ECDSA GCM"),
        ("TLSv1.2+ciphers=ECDHE-RSA-AES128-SHA:AES128-SHA:RC4-SHA", "TLSv1.2 ciphers"),
        ("TLSv1.3+ciphers=TLS_AES_128_GCM_SHA256", "TLSv1.3 AES128"),
        ("TLSv1.3+groups=X25519MLKEM768", "TLSv1.3 X25519MLKEM768"),
        ("TLSv1..TLSv1.2+cert=trusted+resume", "TLSv1–1.2 cert=trusted resume"),
        ("offer+of+tomorrow", "offer+of+tomorrow"),
    ],
)
def test_a_title_says_what_the_list_has_in_common(offer: str, title: str) -> None:
    """Protects the reader of a narrow column: the name says which ciphers were offered."""
    assert offer_titles([offer])[offer].text == title


def test_plain_offers_keep_their_names() -> None:
    """Protects the common columns: they need no legend."""
    names = [*map(str, STANDARD_OFFERS), "plaintext"]
    titles = offer_titles(names)
    assert [titles[name].text for name in names] == names
    assert not any(title.is_short for title in titles.values())


CIPHERS = st.lists(
    st.sampled_from(["RC4-SHA", "RC4-MD5", "AES128-SHA", "ADH-AES256-SHA"]), min_size=1, unique=True
)


@given(st.lists(CIPHERS, unique_by=tuple, max_size=12))
def test_titles_are_unique(lists: list[list[str]]) -> None:
    """Protects against two columns of one name, however alike the lists are."""
    offers = [f"TLSv1.2+ciphers={':'.join(names)}" for names in lists]
    titles = [title.text for title in offer_titles(offers).values()]
    assert len(set(titles)) == len(offers)
