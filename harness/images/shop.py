"""The image shop: an image for a recipe, built once however many threads and processes ask.

An image gets its tag, which is the hash of its recipe, only when it is whole and, for a build under
test, when what it runs has been read back. So an image that has the tag needs no more work.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound
from filelock import FileLock, Timeout

from harness.catalog.releases import SourceKind
from harness.errors import InfrastructureError
from harness.images import labels as names
from harness.images.base import origin
from harness.images.builder import Order, build, full_disk_error, is_full_disk
from harness.images.cancel import Cancel
from harness.images.context import context_files, dockerfile_tar, write_tar
from harness.images.debian import DebianFetcher
from harness.images.provenance import check, compare, read_back, remember
from harness.images.recipes import Kind, Recipe, base_recipe
from harness.images.sources import Archive, Fetcher, SourceStore, fetch_npm, fetch_url

#: Builds at a time that wait for the network rather than the processor.
_LIGHT = 4

_POLL = 0.1


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is there: the recipe's name, its reference (repository:tag), id and labels."""

    name: str
    reference: str
    id: str
    labels: Mapping[str, str]


class ImageShop:
    """Makes the images of recipes. One for a process; all methods may be used from any thread."""

    def __init__(
        self,
        docker_client: docker.DockerClient,
        *,
        images_dir: Path,
        cache_dir: Path,
        on_step: Callable[[str, str], None],
        compilers: int | None = None,
        run_labels: Mapping[str, str] | None = None,
    ) -> None:
        """``on_step`` gets a recipe's name and what is being done, whenever something is.

        ``compilers`` bounds the builds that compile at one time (default: one a processor).
        ``run_labels`` go on every container that is started here, for whoever tidies up.
        """
        self._client = docker_client
        self._images_dir = images_dir
        self._cache = cache_dir
        self._on_step = on_step
        self._run_labels = dict(run_labels or {})
        self._cancel = Cancel()
        self._heavy = BoundedSemaphore(compilers or os.cpu_count() or 1)
        self._light = BoundedSemaphore(_LIGHT)
        for folder in ("locks", "logs", "tmp"):
            (cache_dir / folder).mkdir(parents=True, exist_ok=True)
        debian = DebianFetcher(docker_client, self._base_reference, self._run_labels)
        fetchers: dict[SourceKind, Fetcher] = {
            SourceKind.URL: fetch_url,
            SourceKind.NPM: fetch_npm,
            SourceKind.DEBIAN: debian,
        }
        self._sources = SourceStore(cache_dir, fetchers)

    def ensure(self, recipe: Recipe) -> Image:
        """The recipe's image; made, with its parents, if it is not there. Blocks.

        Raises:
            BuildError: it does not build (the message has the log's end), or its labels lie.
            SourceError: a source cannot be had.
            InfrastructureError: the engine, the disk or the base image.
            Cancelled: ``cancel`` was called.
        """
        reference = recipe.tag(self._images_dir)
        try:
            return self._existing(recipe, reference) or self._make(recipe, reference)
        except OSError as error:
            if is_full_disk(error):
                raise full_disk_error(recipe.name, self._cache) from error
            raise

    def reference(self, recipe: Recipe) -> str:
        """The repository and tag that the recipe's image has, or will have."""
        return recipe.tag(self._images_dir)

    def cancel(self) -> None:
        """End all that runs here, soon; every ``ensure`` raises Cancelled from now on."""
        self._cancel.set()

    def _existing(self, recipe: Recipe, reference: str) -> Image | None:
        self._cancel.check()
        try:
            attrs = self._client.images.get(reference).attrs
        except ImageNotFound:
            return None
        except DockerException as error:
            raise InfrastructureError(f"the Docker engine does not answer: {error}") from error
        image = _image(recipe.name, reference, attrs)
        if recipe.is_build:
            check(
                self._client,
                image.id,
                reference,
                image.labels,
                self._cache,
                run_labels=self._run_labels,
                cancel=self._cancel,
            )
        return image

    def _make(self, recipe: Recipe, reference: str) -> Image:
        parents = {arg: self.ensure(one).reference for arg, one in recipe.parents.items()}
        with self._only_one(recipe, reference):
            # Somebody else may have made it while this one waited.
            if found := self._existing(recipe, reference):
                return found
            archives = self._fetch(recipe)
            with self._slot(recipe):
                self._build(recipe, reference, parents, archives)
        made = self._existing(recipe, reference)
        if made is None:
            raise InfrastructureError(
                f"image {reference} was built, and is gone again",
                cause="something on this machine removes images ('docker image prune'?)",
                next_step="run again while that is off",
            )
        return made

    def _fetch(self, recipe: Recipe) -> dict[str, Archive]:
        def say(text: str) -> None:
            self._on_step(recipe.name, text)

        return {
            name: self._sources.fetch(release, self._cancel, say)
            for name, release in recipe.sources.items()
        }

    def _build(
        self,
        recipe: Recipe,
        reference: str,
        parents: Mapping[str, str],
        archives: Mapping[str, Archive],
    ) -> None:
        """Build, hold against the truth, and tag: in this order."""
        started = time.monotonic()
        log = self._log_path(reference)
        log.write_text(f"# {reference}\n", "utf-8")
        args, labels = self._inputs(recipe, parents, archives)
        with self._context(recipe, archives) as context:
            order = Order(recipe.name, context, args, labels, yields=recipe.compiles)
            image = self._order(order, log)
        try:
            if recipe.is_build:
                image = self._believed(recipe, image, labels, log)
            repository, _, tag = reference.rpartition(":")
            self._client.api.tag(image, repository, tag)
        except BaseException:
            with suppress(DockerException):
                self._client.api.remove_image(image)
            raise
        self._on_step(recipe.name, f"built in {time.monotonic() - started:.0f} s")

    def _inputs(
        self, recipe: Recipe, parents: Mapping[str, str], archives: Mapping[str, Archive]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Build arguments and labels, with what is known only now."""
        args = {**recipe.args, **parents}
        labels = {**recipe.labels, names.RECIPE: recipe.content_hash(self._images_dir)}
        for name, archive in archives.items():
            args["SUBDIR"] = archive.source.subdir
            # The hash, not the place: a cached archive may be from any that gives these bytes.
            pin = f"sha256:{archive.source.sha256} corroborated:{archive.source.corroborated}"
            labels[names.SOURCE] = f"{recipe.sources[name].id} {pin}"
        if recipe.kind is Kind.BASE:
            found = origin(
                self._client,
                args["SUITE"],
                self._cache / "tmp",
                self._cancel,
                lambda text: self._on_step(recipe.name, text),
            )
            args["ORIGIN"], labels[names.ORIGIN] = found.image, found.how
        return args, labels

    def _believed(self, recipe: Recipe, image: str, labels: Mapping[str, str], log: Path) -> str:
        """A build's image with labels that are true: held against it, or read back from it."""
        self._on_step(recipe.name, "reading back its versions")
        found = read_back(self._client, image, labels=self._run_labels, cancel=self._cancel)
        true = {names.POSTFIX: found.postfix, names.OPENSSL: found.openssl_loaded}
        compare(recipe.name, {**true, **labels}, found)
        if recipe.kind is Kind.DISTRIBUTION:
            true[names.PACKAGES] = found.packages
            context = dockerfile_tar(f"FROM {image}\n")
            image = self._order(Order(recipe.name, context, labels=true), log)
        remember(self._cache, image, found)
        return image

    def _order(self, order: Order, log: Path) -> str:
        return build(
            self._client.api, order, log, self._cancel, lambda line: self._on_step(order.name, line)
        )

    @contextmanager
    def _context(self, recipe: Recipe, archives: Mapping[str, Archive]) -> Iterator[Any]:
        folder = self._images_dir / recipe.folder
        files = context_files(folder, recipe.extra_folders(self._images_dir))
        paths = {name: archive.path for name, archive in archives.items()}
        with tempfile.TemporaryFile(dir=self._cache / "tmp") as file:
            write_tar(file, files, paths)
            file.seek(0)
            yield file

    @contextmanager
    def _only_one(self, recipe: Recipe, reference: str) -> Iterator[None]:
        """Hold the tag's lock; the kernel lets go of it however the process ends."""
        lock = FileLock(self._cache / "locks" / f"{_file_name(reference)}.lock")
        said = False
        while True:
            self._cancel.check()
            try:
                lock.acquire(timeout=_POLL, poll_interval=_POLL / 2)
                break
            except Timeout:
                if not said:
                    self._on_step(recipe.name, "waiting: it is being built elsewhere")
                    said = True
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _slot(self, recipe: Recipe) -> Iterator[None]:
        slots = self._heavy if recipe.is_heavy else self._light
        while not slots.acquire(timeout=_POLL):
            self._cancel.check()
        try:
            yield
        finally:
            slots.release()

    def _log_path(self, reference: str) -> Path:
        return self._cache / "logs" / f"{_file_name(reference)}.log"

    def _base_reference(self, suite: str) -> str:
        return self.ensure(base_recipe(suite)).reference


def _file_name(reference: str) -> str:
    """``debian-12-0123456789ab`` from ``postfix-matrix/debian-12:0123456789ab``."""
    return reference.rpartition("/")[2].replace(":", "-")


def _image(name: str, reference: str, attrs: Mapping[str, Any]) -> Image:
    labels = (attrs.get("Config") or {}).get("Labels") or {}
    return Image(name, reference, str(attrs["Id"]), dict(labels))
