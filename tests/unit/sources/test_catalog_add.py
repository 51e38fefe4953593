"""Adding a release: all places must agree, and the source must state that it is the release."""

from __future__ import annotations

import gzip
import threading
import tomllib
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from harness.catalog.releases import load_data, parse_releases
from harness.catalog.writing import data_file, insert_record
from harness.errors import SourceError, UsageError
from harness.sources.archive_identity import identify
from harness.sources.catalog_add import (
    RequestedRelease,
    VerifiedArchive,
    cache_archive,
    fetch_and_verify,
)
from tests.unit.sample_archives import VERSION, archive, postfix_archive, sha256

VERSION_DAT = """\
MAJOR=3
MINOR=99
PATCH=2
PRE_RELEASE_TAG={tag}
BUILD_METADATA=
RELEASE_DATE="{day}"
SHLIB_VERSION=3
"""
PAGE = b"<!DOCTYPE html><html>This mirror has moved</html>"


class _Server(BaseHTTPRequestHandler):
    def __init__(self, files: dict[str, bytes], *args: object) -> None:
        self.files = files
        super().__init__(*args)  # type: ignore[arg-type]  # what the server gives

    def do_GET(self) -> None:
        body = self.files.get(unquote(self.path))
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


class Mirrors:
    """Two real servers with the same folders; each is a place of its own."""

    def __init__(self, urls: list[str], files: list[dict[str, bytes]]) -> None:
        self.urls = urls
        self.files = files

    def give(self, *contents: bytes | None, version: str = VERSION) -> None:
        """What the servers have under upstream's name for the release, in their order."""
        for files, content in zip(self.files, contents, strict=False):
            if content is not None:
                files[f"/official/postfix-{version}.tar.gz"] = content

    def data(self) -> dict[str, Any]:
        """The catalog's file of Postfix, with these as its mirrors."""
        return {
            **load_data("postfix"),
            "mirrors": [f"{url}/official/{{archive}}" for url in self.urls],
        }

    def url(self, number: int) -> str:
        """Where a server has the release."""
        return f"{self.urls[number]}/official/postfix-{VERSION}.tar.gz"


@pytest.fixture
def mirrors() -> Iterator[Mirrors]:
    """The servers, with nothing on them yet."""
    files: list[dict[str, bytes]] = [{}, {}]
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), partial(_Server, files[0])) as first,
        ThreadingHTTPServer(("127.0.0.1", 0), partial(_Server, files[1])) as second,
    ):
        for server in (first, second):
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield Mirrors(
            [f"http://127.0.0.1:{first.server_port}", f"http://127.0.0.1:{second.server_port}"],
            files,
        )
        first.shutdown()
        second.shutdown()


@pytest.fixture
def look(mirrors: Mirrors, tmp_path: Path) -> Callable[..., VerifiedArchive]:
    """Look for a release; the arguments are those of Wanted."""

    def call(version: str = VERSION, **rest: Any) -> VerifiedArchive:
        folder = tmp_path / "downloads"
        folder.mkdir(exist_ok=True)
        data = rest.pop("data", None) or mirrors.data()
        return fetch_and_verify(
            RequestedRelease("postfix", version, **rest), data, folder, lambda _: None
        )

    return call


def _file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "given.tar.gz"
    path.write_bytes(content)
    return path


def test_a_release_that_all_places_agree_on_gets_a_record(
    mirrors: Mirrors, look: Callable[..., VerifiedArchive]
) -> None:
    """The source states its date; upstream's mirrors count as one place, however many agree."""
    content = postfix_archive()
    mirrors.give(content, content)
    result = look(urls=(f"{mirrors.url(0)}",))
    assert result.record.version == VERSION
    assert result.record.date == date(2027, 2, 28)
    assert result.record.sha256 == sha256(content)
    assert result.record.places == ("upstream",)
    assert result.record.urls == (), "the product's own mirrors need not be named again"
    assert result.archive.read_bytes() == content
    assert result.failed == ()


def test_a_place_of_the_users_is_kept_in_the_record(
    mirrors: Mirrors, look: Callable[..., VerifiedArchive]
) -> None:
    """Where only that place has the archive, the next machine must find it there too."""
    mirrors.files[0]["/else{where}/a.tgz"] = postfix_archive()
    url = f"{mirrors.urls[0]}/else{{where}}/a.tgz"
    result = look(urls=(url,))
    made = insert_record(data_file("postfix").read_text("utf-8"), result.record)
    added = next(one for one in parse_releases(tomllib.loads(made)) if one.version == VERSION)
    assert added.sources[-1].url == url
    assert added.sources[-1].sha256 == result.record.sha256
    assert result.record.places == (), "a copy corroborates nothing"
    assert len(result.failed) == 2
    assert all("404" in reason for reason in result.failed)


def test_a_mirror_of_the_users_is_asked_by_upstreams_name(
    mirrors: Mirrors, look: Callable[..., VerifiedArchive]
) -> None:
    """A closed network has archives in a folder of its own, which does not concern others."""
    mirrors.files[1][f"/closed/postfix-{VERSION}.tar.gz"] = postfix_archive()
    result = look(mirrors=(f"{mirrors.urls[1]}/closed",))
    assert result.record.sha256 == sha256(postfix_archive())
    assert result.record.urls == ()
    assert result.record.places == ()


def test_one_changed_byte_is_refused_with_both_hashes(
    mirrors: Mirrors, look: Callable[..., VerifiedArchive]
) -> None:
    """A forged archive on one of two mirrors is found, whichever of the two is tried first."""
    good = postfix_archive()
    forged = bytearray(good)
    forged[len(forged) // 2] ^= 1
    mirrors.give(good, bytes(forged))
    with pytest.raises(SourceError) as caught:
        look()
    for number, content in enumerate((good, bytes(forged))):
        assert f"{sha256(content)}  {mirrors.url(number)}" in caught.value.what
    assert caught.value.next_step


def test_a_hash_that_was_given_must_match(
    mirrors: Mirrors, look: Callable[..., VerifiedArchive]
) -> None:
    """The hash of an announcement beats all mirrors together; both are named."""
    content = postfix_archive()
    mirrors.give(content, content)
    with pytest.raises(SourceError, match="another SHA-256") as caught:
        look(sha256="a" * 64)
    assert "a" * 64 in caught.value.what
    assert sha256(content) in caught.value.what
    result = look(sha256=sha256(content))
    assert result.record.places == ("upstream", "the hash that was given")
    assert result.record.data()["corroborated"] == 2


def test_a_file_of_the_user_corroborates_nothing(
    mirrors: Mirrors, look: Callable[..., VerifiedArchive], tmp_path: Path
) -> None:
    """A hash that only this machine computed counts for nothing, and the mirrors are not used."""
    mirrors.give(postfix_archive(inside="3.99.2"))
    result = look(file=_file(tmp_path, postfix_archive()))
    assert result.record.places == ()
    assert result.record.data()["corroborated"] == 0
    given = look(file=_file(tmp_path, postfix_archive()), sha256=result.record.sha256)
    assert given.record.places == ("the hash that was given",)
    other = f"{mirrors.urls[0]}/official/postfix-{VERSION}.tar.gz"
    with pytest.raises(SourceError, match="do not agree"):
        look(file=_file(tmp_path, postfix_archive()), urls=(other,))


def test_a_web_page_and_an_error_are_no_archives(
    mirrors: Mirrors, look: Callable[..., VerifiedArchive]
) -> None:
    """A moved mirror answers 200 with a web page: that is reported, but is no disagreement."""
    mirrors.give(PAGE, postfix_archive())
    result = look()
    assert result.record.places == ("upstream",)
    (reason,) = result.failed
    assert reason.startswith(mirrors.url(0))
    assert "web page" in reason


def test_a_release_that_no_place_has_is_reported_place_by_place(
    mirrors: Mirrors, look: Callable[..., VerifiedArchive]
) -> None:
    """A user who mistyped a version sees which places were tried, and what to do."""
    mirrors.give(PAGE)
    with pytest.raises(SourceError) as caught:
        look()
    assert f"{mirrors.url(0)}: gave no archive" in caught.value.what
    assert f"{mirrors.url(1)}: HTTP 404" in caught.value.what
    assert "--file" in caught.value.next_step


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (postfix_archive(inside="3.99.2"), "says that it is 3.99.2"),
        (postfix_archive(root="postfix-3.99.2"), "all must be below postfix-3.99.1/"),
        (archive(f"postfix-{VERSION}", {"README": "hello"}), "which postfix it is"),
        (postfix_archive()[:-20], "no whole tar archive"),
        (gzip.compress(PAGE), "no whole tar archive"),
        (archive(f"postfix-{VERSION}/../x", {"README": ""}), "all must be below"),
    ],
    ids=["version", "root", "silent", "cut", "page", "outside"],
)
def test_an_archive_of_something_else_is_refused(
    look: Callable[..., VerifiedArchive], tmp_path: Path, content: bytes, expected: str
) -> None:
    """A name proves nothing: what is in the archive must be the requested release."""
    with pytest.raises(SourceError, match=r"the archive is not postfix-3\.99\.1") as caught:
        look(file=_file(tmp_path, content))
    assert expected in caught.value.what
    assert caught.value.next_step


def test_a_file_that_is_no_archive_is_reported(
    look: Callable[..., VerifiedArchive], tmp_path: Path
) -> None:
    """A browser that saved the mirror's error page gives a file of the right name."""
    with pytest.raises(SourceError, match="no tar archive"):
        look(file=_file(tmp_path, PAGE))


def test_what_is_there_already_is_not_added_again(
    mirrors: Mirrors, look: Callable[..., VerifiedArchive]
) -> None:
    """The same hash: nothing to do. Another one: an error that names both."""
    content = postfix_archive()
    mirrors.give(content, content)
    data = mirrors.data()
    record = {"version": VERSION, "sha256": sha256(content), "corroborated": 1}
    known = {**data, "release": [*data["release"], record]}
    with pytest.raises(UsageError, match="already, with the same SHA-256"):
        look(data=known)
    other = {**data, "release": [*data["release"], {**record, "sha256": "b" * 64}]}
    with pytest.raises(UsageError, match="with another SHA-256") as caught:
        look(data=other)
    assert "b" * 64 in caught.value.what
    assert sha256(content) in caught.value.what
    mirrors.files[0].clear()
    mirrors.files[1].clear()
    with pytest.raises(UsageError, match="already, with the SHA-256 bbbb"):
        look(data=other)
    with pytest.raises(UsageError, match="another SHA-256"):
        look(data=other, sha256="c" * 64)


@pytest.mark.parametrize("version", ["", "three", "3", "3.1.0;x", "../3.1.0", "3.1.0 ", "3.1.0\n"])
def test_a_malformed_version_is_refused_before_anything_is_asked(
    look: Callable[..., VerifiedArchive], version: str
) -> None:
    """A slip must not become a path, a URL or a line of the catalog."""
    with pytest.raises(UsageError, match="is no version of postfix"):
        look(version)


@pytest.mark.parametrize(
    "url", ["ftp://example.org/a.tgz", "https://me:secret@example.org/a.tgz", "a.tgz", "http://[/a"]
)
def test_a_place_that_cannot_be_written_down_is_refused(
    look: Callable[..., VerifiedArchive], url: str
) -> None:
    """A password would be published with the catalog, and other values are no places."""
    with pytest.raises(UsageError, match="--url") as caught:
        look(urls=(url,))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("files", "version", "day"),
    [
        (
            {"VERSION.dat": VERSION_DAT.format(tag="", day="28 Feb 2027")},
            "3.99.2",
            date(2027, 2, 28),
        ),
        ({"VERSION.dat": VERSION_DAT.format(tag="beta1", day="")}, "3.99.2-beta1", None),
        (
            {
                "crypto/opensslv.h": "#ifdef OPENSSL_FIPS\n"
                '#define OPENSSL_VERSION_TEXT\t"OpenSSL 1.0.1e-fips 11 Feb 2013"\n#else\n'
                '#define OPENSSL_VERSION_TEXT\t"OpenSSL 1.0.1e 11 Feb 2013"\n#endif\n'
            },
            "1.0.1e",
            date(2013, 2, 11),
        ),
        (
            {
                "include/openssl/opensslv.h": "# define OPENSSL_VERSION_TEXT    "
                '"OpenSSL 1.1.1-pre9 (beta) 21 Aug 2018"\n'
            },
            "1.1.1-pre9",
            date(2018, 8, 21),
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else "",
)
def test_openssl_says_what_it_is(
    tmp_path: Path, files: dict[str, str], version: str, day: date | None
) -> None:
    """Its version is in three files over the years, with its date."""
    result = identify(_file(tmp_path, archive("root", files)), "openssl", "root")
    assert (result.version, result.date) == (version, day)


def test_stunnel_is_known_by_its_folder_alone(tmp_path: Path) -> None:
    """Its source is not read; another folder is still refused."""
    path = _file(tmp_path, archive("stunnel-9.1", {"README": "x"}))
    result = identify(path, "stunnel", "stunnel-9.1")
    assert (result.version, result.date) == (None, None)
    with pytest.raises(SourceError, match=r"below stunnel-9\.2/"):
        identify(path, "stunnel", "stunnel-9.2")


def test_the_archive_is_kept_for_the_build(
    mirrors: Mirrors, look: Callable[..., VerifiedArchive], tmp_path: Path
) -> None:
    """What was fetched to be verified is not fetched again to be built."""
    mirrors.give(postfix_archive())
    result = look()
    path = cache_archive(result, tmp_path / "cache")
    assert path == tmp_path / "cache" / "sources" / result.record.sha256 / "source.tar"
    assert path.read_bytes() == postfix_archive()
    assert [entry.name for entry in path.parent.iterdir() if entry.name != ".lock"] == [path.name]
