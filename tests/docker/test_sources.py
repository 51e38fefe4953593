"""Debian's source packages by real apt, from repositories made on the spot and from Debian."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import docker
import platformdirs
import pytest
from docker.errors import DockerException

from harness.catalog.builds import Build
from harness.catalog.releases import Release, Source, SourceKind
from harness.docker_engine.cancel import Cancel
from harness.errors import SourceError
from harness.images.image import Image
from harness.images.image_builder import ImageBuilder
from harness.images.recipe import Recipe, RecipeKind
from harness.images.recipes import base_recipe, build_recipe
from harness.paths import images_dir
from harness.sources.archives import SourceStore
from harness.sources.debian_archive import DebianFetcher
from harness.sources.downloads import (
    Attempt,
    UnreachedPlaces,
)

pytestmark = pytest.mark.docker

#: On every image that a test makes, so that all of them can be found again.
TEST_LABEL = "org.postfix-matrix.test"

# Debian's archive of this release, whose hash is upstream's; the suite has a newer one as well.
_OPENSSL = Source(
    SourceKind.DEBIAN,
    "c80a01dfc70ece4dc21168932c37739042d404d46ccc81a5986dd75314ecda6f",
    1,
    "openssl-3.0.20",
    suite="bookworm",
    package="openssl",
    file="openssl_3.0.20.orig.tar.gz",
)

# A folder with a Sources index of two versions of a source package: no network.
_REPOSITORY = r"""
RUN mkdir /repo && cd /repo \
 && line() { echo " $(sha256sum <"$1" | cut -d' ' -f1) $(wc -c <"$1") $1"; } \
 && for v in 1.0 1.1; do echo "upstream's $v" >thing_$v.orig.tar.gz && echo dsc >thing_$v-1.dsc \
     && { echo Package: thing; echo Format: '3.0 (quilt)'; echo Version: $v-1; \
          echo Directory: .; echo Checksums-Sha256:; line thing_$v.orig.tar.gz; \
          line thing_$v-1.dsc; echo; } >>Sources || exit; done \
 && rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/*
"""
_STYLES = {
    "one-line": "RUN echo 'deb [trusted=yes] copy:/repo ./' >/etc/apt/sources.list\n",
    "deb822": "RUN printf 'Types: deb\\nURIs: copy:/repo\\nSuites: ./\\nTrusted: yes\\n'"
    " >/etc/apt/sources.list.d/debian.sources\n",
}

# The same as the suite "experimental" of a mirror that the system knows for its own suite only.
_BESIDE = r"""
RUN dir=/repo/dists/experimental/main/source && mkdir -p $dir && cp /repo/Sources $dir/ \
 && cd /repo/dists/experimental && { echo Suite: experimental; echo Components: main; \
      echo SHA256:; echo " $(sha256sum <main/source/Sources | cut -d' ' -f1) \
$(wc -c <main/source/Sources) main/source/Sources"; } >Release \
 && printf 'Acquire::AllowInsecureRepositories "true";\nAPT::Get::AllowUnauthenticated "true";\n' \
      >/etc/apt/apt.conf.d/99test
"""
_SYSTEMS = {
    "one-line": "RUN printf 'deb copy:/repo bookworm main\\n"
    "deb copy:/other bookworm-security main\\n' >/etc/apt/sources.list\n",
    "deb822": "RUN printf 'Types: deb\\nURIs: copy:/repo\\nSuites: bookworm\\n"
    "Components: main\\n\\n"
    "Types: deb\\nURIs: copy:/other\\nSuites: bookworm-security\\nComponents: main\\n'"
    " >/etc/apt/sources.list.d/debian.sources\n",
}

# A mirror that answers by HTTP, started by apt itself, and has lost one archive since.
_SERVE = r"""
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalAddr => "127.0.0.1:8080", Listen => 9) or die;
exit if fork;
while (my $client = $server->accept) {
    my ($path) = <$client> =~ /^GET (\S+)/;
    while (<$client>) { last if /^\r?$/ }
    my $found = open my $file, "<", "/repo$path";
    my $body = $found ? join "", <$file> : "";
    print $client $found ? "HTTP/1.1 200 OK" : "HTTP/1.1 404 Not Found",
        "\r\nConnection: close\r\nContent-Length: ", length $body, "\r\n\r\n", $body;
    close $client;
}
"""
_MIRROR = r"""
COPY serve.pl /serve.pl
RUN rm /repo/thing_1.0.orig.tar.gz \
 && echo 'APT::Update::Pre-Invoke {"perl /serve.pl";};' >/etc/apt/apt.conf.d/99test \
 && echo 'deb [trusted=yes] http://127.0.0.1:8080 ./' >/etc/apt/sources.list
"""


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    """The engine."""
    client = docker.from_env(timeout=600)
    yield client
    client.close()


@pytest.fixture(scope="module")
def shop(client: docker.DockerClient) -> ImageBuilder:
    """The shop as a run has it."""
    cache = Path(platformdirs.user_cache_dir("postfix-matrix"))
    return ImageBuilder(client, images_dir=images_dir(), cache_dir=cache, on_step=lambda *_: None)


@pytest.fixture(scope="module")
def parent(shop: ImageBuilder) -> Image:
    """The debian-12 build, to make repositories on."""
    return shop.ensure(build_recipe(Build.parse("debian-12")))


@pytest.fixture
def mark(client: docker.DockerClient) -> Iterator[str]:
    """A value of the test's own for TEST_LABEL; all that carries it is removed in the end."""
    mark = secrets.token_hex(8)
    yield mark
    for image in client.images.list(all=True, filters={"label": f"{TEST_LABEL}={mark}"}):
        with suppress(DockerException):
            client.images.remove(str(image.id), force=True)


class _Made:
    """Makes images with a repository, and fetches from them."""

    def __init__(self, client: docker.DockerClient, root: Path, parent: Image, mark: str) -> None:
        self._client, self._root, self._parent, self._mark = client, root, parent, mark

    def fetcher(self, lines: str) -> DebianFetcher:
        """A fetcher whose every suite is an image made with these lines."""
        folder = self._root / "images" / "thing"
        folder.mkdir(parents=True, exist_ok=True)
        label = f"LABEL {TEST_LABEL}={self._mark}"
        text = f"FROM {self._parent.reference}\n{label}\n{lines}\n"
        (folder / "Dockerfile").write_text(text)
        (folder / "serve.pl").write_text(_SERVE)
        shop = ImageBuilder(
            self._client,
            images_dir=self._root / "images",
            cache_dir=self._root / "cache",
            on_step=lambda *_: None,
        )
        made = shop.ensure(Recipe(f"test-{self._mark}", RecipeKind.PART, "thing"))
        return DebianFetcher(self._client, lambda _: made.reference, {})


@pytest.fixture
def made(client: docker.DockerClient, tmp_path: Path, parent: Image, mark: str) -> _Made:
    """A maker of repositories."""
    return _Made(client, tmp_path, parent, mark)


def _attempt() -> Attempt:
    return Attempt(Cancel(), lambda _: None, UnreachedPlaces())


def _thing(version: str, suite: str = "bookworm") -> Source:
    file = f"thing_{version}.orig.tar.gz"
    return Source(SourceKind.DEBIAN, "0" * 64, 0, "x", suite=suite, package="thing", file=file)


@pytest.mark.parametrize("style", ["one-line", "deb822"])
def test_any_version_that_a_suite_lists_is_fetched(made: _Made, tmp_path: Path, style: str) -> None:
    """A suite has old versions beside the newest, in either style of its package sources."""
    fetch = made.fetcher(_REPOSITORY + _STYLES[style])
    for version in ("1.0", "1.1"):
        fetch(_thing(version), tmp_path / version, _attempt())
        assert (tmp_path / version).read_bytes() == f"upstream's {version}\n".encode()
    told = r"Debian bookworm has thing 1\.1-1, 1\.0-1 now, not 0\.9: its source package is gone"
    with pytest.raises(SourceError, match=told):
        fetch(_thing("0.9"), tmp_path / "old", _attempt())
    assert not (tmp_path / "old").exists()


@pytest.mark.parametrize("style", ["one-line", "deb822"])
def test_another_suite_is_read_from_the_same_mirror(
    made: _Made, tmp_path: Path, style: str
) -> None:
    """All suites lie on one mirror: each is asked from the image that all else is built on."""
    fetch = made.fetcher(_REPOSITORY + _BESIDE + _SYSTEMS[style])
    fetch(_thing("1.0", "experimental"), tmp_path / "got", _attempt())
    assert (tmp_path / "got").read_bytes() == b"upstream's 1.0\n"
    with pytest.raises(SourceError, match=r"Debian experimental has thing 1\.1-1, 1\.0-1 now"):
        fetch(_thing("0.9", "experimental"), tmp_path / "old", _attempt())


def test_what_has_left_the_mirror_is_told_from_what_is_not_listed(
    made: _Made, tmp_path: Path
) -> None:
    """The index may name what its mirror answers 404 to; one look-up is enough to know that."""
    fetch, attempt = made.fetcher(_REPOSITORY + _MIRROR), _attempt()
    fetch(_thing("1.1"), tmp_path / "got", attempt)
    assert (tmp_path / "got").read_bytes() == b"upstream's 1.1\n"
    for _ in range(2):
        with pytest.raises(SourceError, match=r"lists thing 1\.0-1, but its mirror answers 404"):
            fetch(_thing("1.0"), tmp_path / "old", attempt)


def test_a_suite_that_is_not_reached_is_not_tried_again(made: _Made, tmp_path: Path) -> None:
    """Without a network each release of Debian's would otherwise cost a container and a wait."""
    closed = "RUN echo 'deb http://127.0.0.1:1/debian bookworm main' >/etc/apt/sources.list\n"
    fetch, attempt = made.fetcher(closed), _attempt()
    with pytest.raises(SourceError, match=r"^the package index of Debian bookworm was not read"):
        fetch(_thing("1.0"), tmp_path / "got", attempt)
    with pytest.raises(SourceError, match=r"^not reached before: the package index"):
        fetch(_thing("1.1"), tmp_path / "got", attempt)


def test_debian_gives_an_openssl_that_is_not_its_newest(
    client: docker.DockerClient, shop: ImageBuilder, tmp_path: Path
) -> None:
    """The whole way: the suite's image, its real mirror, and the pinned hash."""

    def base(suite: str) -> str:
        return shop.ensure(base_recipe(suite)).reference

    store = SourceStore(tmp_path, {SourceKind.DEBIAN: DebianFetcher(client, base, {})})
    release = Release("openssl", "3.0.20", None, (_OPENSSL,))
    said: list[str] = []
    archive = store.fetch(release, Cancel(), said.append)
    assert archive.path == tmp_path / "sources" / _OPENSSL.sha256 / "source.tar"
    assert archive.source == _OPENSSL
    told = "fetching openssl-3.0.20 from Debian bookworm's source package openssl"
    assert [line.startswith(told) for line in said] == [True]


def test_debian_tells_what_it_has_instead(
    client: docker.DockerClient, shop: ImageBuilder, tmp_path: Path
) -> None:
    """A version that never was: the error names the versions that there are."""

    def base(suite: str) -> str:
        return shop.ensure(base_recipe(suite)).reference

    file = "openssl_3.0.99.orig.tar.gz"
    never = Source(
        SourceKind.DEBIAN, "0" * 64, 0, "x", suite="bookworm", package="openssl", file=file
    )
    fetch = DebianFetcher(client, base, {})
    with pytest.raises(SourceError, match=r"bookworm has openssl 3\.0\.\d+-.* now, not 3\.0\.99"):
        fetch(never, tmp_path / "got", _attempt())
