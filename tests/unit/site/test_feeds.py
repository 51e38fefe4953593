"""The site's feeds are valid Atom (RFC 4287), whatever the texts of a run are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.site.atom import find_feed_faults
from tests.unit.site.night_samples import CELL, REFUSED, publish, write_night

BASE = "https://example.org/tls/"
#: What is broken in a good feed, and what is then found.
_FAULTS = [
    (r"<updated>[^<]*</updated>", "", "Expecting"),
    (r"<updated>[^<]*</updated>", "<updated>yesterday</updated>", "updated"),
    (r"<author>.*?</author>", "", "Expecting"),
    (r"<id>[^<]*</id>", "<id>one</id>", "no absolute IRI"),
    (r'<link href="[^"]*" rel="self"/>', '<link href="feed.xml" rel="self"/>', "itself"),
    (r"<entry>.*</entry>", r"\g<0>\g<0>", "id twice"),
    (r"&lt;/ul&gt;", "", "is not closed"),
    (r"(<feed [^>]*>.*?<updated>)\d+", r"\g<1>2001", "times of"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of two nights between which cells changed."""
    folder = tmp_path_factory.mktemp("feeds")
    first = write_night(folder / "1", 1)
    images = {"debian-12": "sha256:" + "9" * 64}
    second = write_night(folder / "2", 2, cells={CELL: REFUSED}, images=images)
    publish(folder / "site", first, second, base=BASE)
    return folder / "site"


def test_every_feed_is_valid(site: Path) -> None:
    """RFC 4287 holds for all feeds: overall, of servers, of clients, of advice."""
    feeds = sorted(site.rglob("feed.xml"))
    assert len({feed.parent.parent.name for feed in feeds}) >= 4
    assert any(b"<entry>" in feed.read_bytes() for feed in feeds)
    for feed in feeds:
        address = f"{BASE}{feed.relative_to(site).as_posix()}".replace("+", "%2B")
        assert list(find_feed_faults(feed, address)) == [], feed


@pytest.mark.parametrize(("pattern", "text", "fault"), _FAULTS)
def test_the_check_of_feeds_can_fail(
    pattern: str, text: str, fault: str, site: Path, tmp_path: Path
) -> None:
    """Each kind of fault is found in a feed that is otherwise good."""
    good = (site / "feed.xml").read_text(encoding="utf-8")
    bad, count = re.subn(pattern, text, good, count=1, flags=re.DOTALL)
    assert count == 1
    path = tmp_path / "feed.xml"
    path.write_text(bad, encoding="utf-8")
    assert fault in "\n".join(find_feed_faults(path, f"{BASE}feed.xml"))
