"""The image shop: an image for a recipe, built once however many threads and processes ask.

An image gets its tag, which is the hash of its recipe, only when it is whole and, for a build under
test, when what it runs has been read back. So an image that has the tag needs no more work.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound

from harness.catalog.builds import Build
from harness.catalog.releases import SourceKind
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.locks import exclusive_lock
from harness.docker_engine.pulling import present
from harness.errors import DoesNotBuildError, InfrastructureError
from harness.files import is_full_disk
from harness.images import labels as names
from harness.images.base import origin
from harness.images.context import context_files, dockerfile_tar, write_tar
from harness.images.docker_build import Order, build, full_disk_error
from harness.images.image import Image, labels_of
from harness.images.provenance import check, compare, read_back, remember
from harness.images.recipes import Recipe, RecipeKind, base_recipe, build_recipe
from harness.images.refusals import Refusals, file_name, made_from
from harness.images.stamping import stamp
from harness.sources import registries
from harness.sources.archives import (
    Archive,
    Fetcher,
    SourceStore,
    check_unchanged,
    fetch_npm,
    fetch_url,
)
from harness.sources.debian_archive import DebianFetcher

#: Builds at a time that wait for the network rather than the processor.
_LIGHT = 4

_POLL = 0.1


class ImageBuilder:
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
        mirrors: Sequence[str] = (),
        again: bool = False,
    ) -> None:
        """``on_step`` gets a recipe's name and what is being done, whenever something is.

        ``compilers`` bounds the builds that compile at one time (default: what the machine bears).
        ``run_labels`` go on every container that is started here, for whoever tidies up.
        ``mirrors`` are asked for sources first. ``again``: try what a compiler refused before.
        """
        self._client = docker_client
        self._images_dir = images_dir
        self.cache_dir = cache_dir
        self._on_step = on_step
        self._run_labels = dict(run_labels or {})
        self._cancel = Cancel()
        self._heavy = BoundedSemaphore(compilers or _bearable())
        self._light = BoundedSemaphore(_LIGHT)
        for folder in ("locks", "logs", "tmp"):
            (cache_dir / folder).mkdir(parents=True, exist_ok=True)
        debian = DebianFetcher(docker_client, self._base_reference, self._run_labels)
        fetchers: dict[SourceKind, Fetcher] = {
            SourceKind.URL: fetch_url,
            SourceKind.NPM: fetch_npm,
            SourceKind.DEBIAN: debian,
        }
        self.sources = SourceStore(cache_dir, fetchers, mirrors)
        self._refusals = Refusals(cache_dir)
        self._again = again
        self._retried: set[str] = set()
        self._turns: defaultdict[str, Lock] = defaultdict(Lock)
        self._turns_lock = Lock()

    def ensure(self, recipe: Recipe) -> Image:
        """The recipe's image; made, with its parents, if it is not there. Blocks.

        Raises:
            DoesNotBuildError: a compiler refuses it, or what it is made from.
            BuildError: another step failed (the message has the log's end), or its labels lie.
            SourceError: a source cannot be had.
            InfrastructureError: the engine, the disk or the base image.
            Cancelled: ``cancel`` was called.
        """
        reference = recipe.tag(self._images_dir)
        try:
            return self._existing(recipe, reference) or self._make(recipe, reference)
        except OSError as error:
            if is_full_disk(error):
                raise full_disk_error(recipe.name, self.cache_dir) from error
            raise

    def find(self, one: Build | Recipe) -> Image | None:
        """The image if it is there already; an image of the user's never is: it must be examined.

        Raises:
            BuildError: it is there, and its labels lie.
        """
        if isinstance(one, Build):
            if one.reference:
                return None
            one = build_recipe(one)
        return self._existing(one, self.reference(one))

    def reference(self, recipe: Recipe) -> str:
        """The repository and tag that the recipe's image has, or will have."""
        return recipe.tag(self._images_dir)

    @property
    def cancelling(self) -> Cancel:
        """The flag that ``cancel`` raises."""
        return self._cancel

    def cancel(self) -> None:
        """End all that runs here, soon; every ``ensure`` raises Cancelled from now on."""
        self._cancel.set()

    def build(self, build: Build) -> Image:
        """The image of a build under test; the user's own is taken as it is, its labels held to it.

        Blocks. Whether the user's keeps the rest of the contract is for ``conformance``.

        Raises:
            As ``ensure``.
        """
        if build.reference:
            return self.adopt(build.id, build.reference, checked=True)
        return self.ensure(build_recipe(build))

    def log_of(self, image: Image) -> Path | None:
        """The kept log of the image's build; None where it was not built on this machine."""
        path = self._log_path(image.reference)
        return path if path.is_file() else None

    def _existing(self, recipe: Recipe, reference: str) -> Image | None:
        self._cancel.check()
        try:
            attrs = self._client.images.get(reference).attrs
        except ImageNotFound:
            return None
        except DockerException as error:
            raise InfrastructureError(f"the Docker engine does not answer: {error}") from error
        return self._known(recipe.name, reference, attrs, checked=recipe.is_build)

    def adopt(self, name: str, reference: str, *, checked: bool) -> Image:
        """An image of the user's own, as it is; ``checked``: its labels are held against it.

        Raises:
            As ``ensure``.
        """
        attrs = present(self._client, reference, self._cancel)
        return self._known(name, reference, attrs, checked=checked)

    def _known(
        self, name: str, reference: str, attrs: Mapping[str, Any], *, checked: bool
    ) -> Image:
        image_id, labels = str(attrs["Id"]), labels_of(attrs)
        versions = None
        if checked:
            versions = check(
                self._client,
                image_id,
                reference,
                labels,
                self.cache_dir,
                run_labels=self._run_labels,
                cancel=self._cancel,
            )
        return Image(name, reference, image_id, labels, versions)

    def _make(self, recipe: Recipe, reference: str) -> Image:
        # Sources first: nothing is compiled for what lacks its other half.
        archives, packages = self._fetch(recipe), self._packages(recipe)
        parents = {arg: self.ensure(one) for arg, one in recipe.parents.items()}
        with self._only_one(recipe, reference):
            # Somebody else may have made it, or tried to, while this one waited.
            if found := self._existing(recipe, reference):
                return found
            self._refused(recipe, reference, made_from(parents, archives))
            with self._slot(recipe):
                self._build(recipe, reference, parents, archives, packages)
        made = self._existing(recipe, reference)
        if made is None:
            raise InfrastructureError(
                f"image {reference} was built, and is gone again",
                cause="something on this machine removes images ('docker image prune'?)",
                next_step="run again while that is off",
            )
        return made

    def _refused(self, recipe: Recipe, reference: str, inputs: Mapping[str, str]) -> None:
        """Raise what a compiler said of the same input before; ``again`` forgets it, once."""
        if self._again and reference not in self._retried:
            self._retried.add(reference)
            self._refusals.forget(reference)
            return
        if refusal := self._refusals.recall(recipe.name, reference, inputs):
            raise refusal

    def _fetch(self, recipe: Recipe) -> dict[str, Archive]:
        def say(text: str) -> None:
            self._on_step(recipe.name, text)

        return {
            name: self.sources.fetch(release, self._cancel, say)
            for name, release in recipe.sources.items()
        }

    def _packages(self, recipe: Recipe) -> dict[str, Path]:
        """The archives of the recipe's lock, by their names in the context."""
        if recipe.lock is None:
            return {}
        found = registries.fetch_packages(
            self._images_dir / recipe.lock,
            self.cache_dir,
            self._cancel,
            lambda text: self._on_step(recipe.name, text),
        )
        return {f"lock/{name}": path for name, path in found.items()}

    def _build(
        self,
        recipe: Recipe,
        reference: str,
        parents: Mapping[str, Image],
        archives: Mapping[str, Archive],
        packages: Mapping[str, Path],
    ) -> None:
        """Build, hold against the truth, and tag: in this order."""
        started = time.monotonic()
        log = self._log_path(reference)
        log.write_text(f"# {reference}\n", "utf-8")
        args, labels = self._inputs(recipe, parents, archives)
        with self._context(recipe, archives, packages) as context:
            order = Order(recipe.name, context, args, labels, yields=recipe.compiles)
            try:
                image = self._order(order, log)
            except DoesNotBuildError as refusal:
                self._refusals.remember(reference, refusal, made_from(parents, archives), log)
                raise
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
        self, recipe: Recipe, parents: Mapping[str, Image], archives: Mapping[str, Archive]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Build arguments and labels, with what is known only now."""
        args = {**recipe.args, **{arg: one.reference for arg, one in parents.items()}}
        content = recipe.content_hash(self._images_dir)
        labels = stamp(recipe, content, parents, archives, datetime.now(UTC))
        for archive in archives.values():
            args["SUBDIR"] = archive.source.subdir
        if recipe.lock:
            labels[names.PACKAGES] = registries.describe_packages(self._images_dir / recipe.lock)
        if recipe.kind is RecipeKind.BASE:
            found = origin(
                self._client,
                args["SUITE"],
                self.cache_dir / "tmp",
                self._cancel,
                lambda text: self._on_step(recipe.name, text),
            )
            args["ORIGIN"] = found.image
            labels |= found.labels
        return args, labels

    def _believed(self, recipe: Recipe, image: str, labels: Mapping[str, str], log: Path) -> str:
        """A build's image with labels that are true: held against it, or read back from it."""
        self._on_step(recipe.name, "reading back its versions")
        found = read_back(self._client, image, labels=self._run_labels, cancel=self._cancel)
        true = {names.POSTFIX: found.postfix, names.OPENSSL: found.openssl_loaded}
        compare(recipe.name, {**true, **labels}, found)
        if recipe.kind is RecipeKind.DISTRIBUTION:
            true[names.PACKAGES] = found.packages
            context = dockerfile_tar(f"FROM {image}\n")
            image = self._order(Order(recipe.name, context, labels=true), log)
        remember(self.cache_dir, image, found)
        return image

    def _order(self, order: Order, log: Path) -> str:
        return build(
            self._client.api, order, log, self._cancel, lambda line: self._on_step(order.name, line)
        )

    @contextmanager
    def _context(
        self, recipe: Recipe, archives: Mapping[str, Archive], packages: Mapping[str, Path]
    ) -> Iterator[Any]:
        folder = self._images_dir / recipe.folder
        files = context_files(folder, recipe.extra_folders(self._images_dir))
        paths = {**{name: one.path for name, one in archives.items()}, **packages}
        with tempfile.TemporaryFile(dir=self.cache_dir / "tmp") as file:
            written = write_tar(file, files, paths)
            for name, archive in archives.items():
                # It may have changed since it was verified, minutes ago: a user's own above all.
                check_unchanged(archive, written[name])
            file.seek(0)
            yield file

    @contextmanager
    def _only_one(self, recipe: Recipe, reference: str) -> Iterator[None]:
        """Take turns: among this process's threads without a word, then among processes."""
        with self._turns_lock:
            turn = self._turns[reference]
        while not turn.acquire(timeout=_POLL):
            self._cancel.check()
        try:
            lock = self.cache_dir / "locks" / f"{file_name(reference)}.lock"
            elsewhere = partial(self._on_step, recipe.name, "waiting: it is being built elsewhere")
            with exclusive_lock(lock, self._cancel, elsewhere):
                yield
        finally:
            turn.release()

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
        return self.cache_dir / "logs" / f"{file_name(reference)}.log"

    def _base_reference(self, suite: str) -> str:
        return self.ensure(base_recipe(suite)).reference


def _bearable() -> int:
    """Builds that may compile at one time: each runs as many compilers as there are processors.

    Two fill each other's single-threaded stretches (configure, link, install). A compiler of these
    sources takes up to 0.3 GB.
    """
    processors = os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return 2 if memory > 2 * processors * 0.3 + 1 else 1
