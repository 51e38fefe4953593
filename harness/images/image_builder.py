"""The image builder: builds a recipe's image once, however many threads and processes need it.

An image gets its tag, which is the hash of its recipe, only when it is whole and, if it is a build
under test, when its versions have been read back. So an image that has the tag is finished.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound

from harness.catalog.builds import Build
from harness.catalog.releases import SourceKind
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.pulling import ensure_present
from harness.errors import DoesNotBuildError, InfrastructureError
from harness.files import is_full_disk
from harness.images import labels as names
from harness.images.build_context import open_context
from harness.images.build_turns import BuildTurns
from harness.images.context import dockerfile_tar
from harness.images.docker_build import BuildOrder, build_image, full_disk_error
from harness.images.durations import Durations
from harness.images.image import Image, labels_of
from harness.images.ingredients import IngredientFetcher, Ingredients
from harness.images.package_origin import choose_origin
from harness.images.provenance import (
    check_versions,
    compare_labels,
    read_versions,
    remember_versions,
)
from harness.images.pulled_images import PulledRecords
from harness.images.recipe import Recipe, RecipeKind
from harness.images.recipes import base_recipe, build_recipe
from harness.images.refusals import Refusals, file_name, list_inputs
from harness.images.registry import ImageRegistry
from harness.images.registry_puller import RegistryPuller
from harness.images.stamping import make_labels
from harness.sources import registries
from harness.sources.archives import (
    Fetcher,
    SourceStore,
    fetch_npm,
    fetch_url,
)
from harness.sources.debian_archive import DebianFetcher
from harness.sources.package_fetch import PackageFetcher


class ImageBuilder:
    """Builds the images of recipes. One per process; all methods may be used from any thread."""

    def __init__(
        self,
        docker_client: docker.DockerClient,
        *,
        images_dir: Path,
        cache_dir: Path,
        on_step: Callable[[str, str], None],
        on_begin: Callable[[str, float | None], None] = lambda *_: None,
        on_notice: Callable[[str, str], None] | None = None,
        compilers: int | None = None,
        run_labels: Mapping[str, str] | None = None,
        mirrors: Sequence[str] = (),
        registry: ImageRegistry | None = None,
        again: bool = False,
    ) -> None:
        """``on_step`` is called at each step with a recipe's name and a description of the step.

        An empty description: nothing is being done for that recipe for now. ``on_begin`` is called
        when a build begins, with the recipe's name and the seconds that it took before, if it was
        built here before. ``on_notice`` is called with what the user should read, such as that an
        image of the registry is refused (default: as a step). ``compilers`` limits the builds that
        compile at one time (default: by the machine's memory). ``run_labels`` go on every container
        that is started here, so that it can be cleaned up. ``mirrors`` are tried first for sources.
        Images are pulled from the ``registry``, if it has them. ``again``: try what a compiler
        refused before.
        """
        self._client = docker_client
        self._images_dir = images_dir
        self.cache_dir = cache_dir
        self._on_step = on_step
        self._on_begin = on_begin
        self._run_labels = dict(run_labels or {})
        self._cancel = Cancel()
        self._turns = BuildTurns(cache_dir / "locks", self._cancel, compilers)
        for folder in ("locks", "logs", "tmp"):
            (cache_dir / folder).mkdir(parents=True, exist_ok=True)
        self.sources = SourceStore(cache_dir, self._make_fetchers(), mirrors)
        files = PackageFetcher(docker_client, self._base_reference, self._run_labels, cache_dir)
        self._ingredients = IngredientFetcher(
            self.sources, files, images_dir, cache_dir, self._cancel, on_step
        )
        self._refusals = Refusals(cache_dir)
        self._again = again
        self._retried: set[str] = set()
        self._durations = Durations(cache_dir)
        self._pulled_records = PulledRecords(cache_dir)
        self._puller = None if registry is None else self._make_puller(registry, on_notice)

    def _make_fetchers(self) -> dict[SourceKind, Fetcher]:
        return {
            SourceKind.URL: fetch_url,
            SourceKind.POOL: fetch_url,
            SourceKind.NPM: fetch_npm,
            SourceKind.DEBIAN: DebianFetcher(self._client, self._base_reference, self._run_labels),
        }

    def _make_puller(
        self, registry: ImageRegistry, on_notice: Callable[[str, str], None] | None
    ) -> RegistryPuller:
        return RegistryPuller(
            self._client,
            registry,
            images_dir=self._images_dir,
            cache_dir=self.cache_dir,
            cancel=self._cancel,
            run_labels=self._run_labels,
            on_step=self._on_step,
            on_notice=on_notice or self._on_step,
        )

    def ensure(self, recipe: Recipe) -> Image:
        """The recipe's image. Blocks.

        If it does not exist, it is pulled from the registry, or else built with its parents.

        Raises:
            DoesNotBuildError: a compiler refused it, or one of its parents.
            BuildError: another step failed (the message has the log's end), or a label is wrong.
            SourceError: a source is unavailable.
            InfrastructureError: the engine failed, the disk is full, or there is no base image.
            Cancelled: ``cancel`` was called.
        """
        reference = recipe.tag(self._images_dir)
        try:
            return self._find_existing(recipe, reference) or self._make_image(recipe, reference)
        except OSError as error:
            if is_full_disk(error):
                raise full_disk_error(recipe.name, self.cache_dir) from error
            raise

    def find(self, order: Build | Recipe) -> Image | None:
        """The image if it exists already; None for a user's image, which must be examined.

        Raises:
            BuildError: it exists, and its labels are wrong.
        """
        if isinstance(order, Build):
            if order.reference:
                return None
            order = build_recipe(order)
        return self._find_existing(order, self.reference(order))

    def reference(self, recipe: Recipe) -> str:
        """The repository and tag of the recipe's image, whether it exists or not."""
        return recipe.tag(self._images_dir)

    @property
    def cancel_flag(self) -> Cancel:
        """The flag that ``cancel`` raises."""
        return self._cancel

    def cancel(self) -> None:
        """End all work that runs here; from now on every ``ensure`` raises Cancelled."""
        self._cancel.set()

    def build(self, build: Build) -> Image:
        """The image of a build under test; a user's image is used as it is, its labels checked.

        Blocks. ``conformance`` checks the rest of the image contract of a user's image.

        Raises:
            As ``ensure``.
        """
        if build.reference:
            return self.use_user_image(build.id, build.reference, checked=True)
        return self.ensure(build_recipe(build))

    def log_of(self, image: Image) -> Path | None:
        """The log of the image's build; None if it was not built on this machine."""
        path = self._log_path(image.reference)
        return path if path.is_file() and not image.pulled else None

    def _find_existing(self, recipe: Recipe, reference: str) -> Image | None:
        self._cancel.check()
        try:
            attrs = self._client.images.get(reference).attrs
        except ImageNotFound:
            return None
        except DockerException as error:
            raise InfrastructureError(f"the Docker engine does not answer: {error}") from error
        return self._describe_image(recipe.name, reference, attrs, checked=recipe.is_build)

    def use_user_image(self, name: str, reference: str, *, checked: bool) -> Image:
        """A user's image, as it is; ``checked``: its labels are compared with its versions.

        Raises:
            As ``ensure``.
        """
        attrs = ensure_present(self._client, reference, self._cancel)
        return self._describe_image(name, reference, attrs, checked=checked)

    def _describe_image(
        self, name: str, reference: str, attrs: Mapping[str, Any], *, checked: bool
    ) -> Image:
        image_id, labels = str(attrs["Id"]), labels_of(attrs)
        versions = None
        if checked:
            versions = check_versions(
                self._client,
                image_id,
                reference,
                labels,
                self.cache_dir,
                run_labels=self._run_labels,
                cancel=self._cancel,
            )
        pulled = self._pulled_records.recall(image_id)
        return Image(name, reference, image_id, labels, versions, pulled)

    def _make_image(self, recipe: Recipe, reference: str) -> Image:
        with self._turns.hold_among_threads(reference):
            # Another thread may have made it while this one waited.
            if image := self._find_existing(recipe, reference):
                return image
            if not self._pull_image(recipe, reference):
                self._build_image(recipe, reference)
        image = self._find_existing(recipe, reference)
        if image is None:
            raise InfrastructureError(
                f"image {reference} was made, but does not exist any more",
                cause="something on this machine removes images ('docker image prune'?)",
                next_step="run again while that is off",
            )
        return image

    def _pull_image(self, recipe: Recipe, reference: str) -> bool:
        """Whether the registry gave the image, or another process has made it meanwhile."""
        if self._puller is None:
            return False
        with self._hold_file_lock(recipe, reference):
            return self._find_existing(recipe, reference) is not None or self._puller.pull_image(
                recipe, reference
            )

    def _build_image(self, recipe: Recipe, reference: str) -> None:
        """Build it, unless another process has done so meanwhile."""
        # Sources first: do not compile one half of a pair if the other's source is unavailable.
        with self._steps_ended(recipe):
            ingredients = self._ingredients.fetch(recipe)
        parents = {arg: self.ensure(parent) for arg, parent in recipe.parents.items()}
        with self._hold_file_lock(recipe, reference):
            if self._find_existing(recipe, reference):
                return
            self._raise_refusal(recipe, reference, list_inputs(parents, ingredients.archives))
            with self._turns.hold_slot(is_heavy=recipe.is_heavy):
                self._build_and_tag(recipe, reference, parents, ingredients)

    @contextmanager
    def _steps_ended(self, recipe: Recipe) -> Iterator[None]:
        """What is done inside has ended afterwards, also for who watches the steps."""
        try:
            yield
        finally:
            self._on_step(recipe.name, "")

    @contextmanager
    def _hold_file_lock(self, recipe: Recipe, reference: str) -> Iterator[None]:
        """Be the only process that makes the image; other threads of this one wait already."""
        elsewhere = partial(self._on_step, recipe.name, "waiting: it is being made elsewhere")
        with self._steps_ended(recipe), self._turns.hold_among_processes(reference, elsewhere):
            yield

    def _raise_refusal(self, recipe: Recipe, reference: str, inputs: Mapping[str, str]) -> None:
        """Raise a compiler's earlier refusal of the same input; ``again`` forgets it, once."""
        if self._again and reference not in self._retried:
            self._retried.add(reference)
            self._refusals.forget(reference)
            return
        if refusal := self._refusals.recall(recipe.name, reference, inputs):
            raise refusal

    def _build_and_tag(
        self,
        recipe: Recipe,
        reference: str,
        parents: Mapping[str, Image],
        ingredients: Ingredients,
    ) -> None:
        """Build, check the versions, and tag: in this order."""
        self._on_begin(recipe.name, self._durations.recall(recipe.name))
        started = time.monotonic()
        log = self._log_path(reference)
        log.write_text(f"# {reference}\n", "utf-8")
        args, labels = self._args_and_labels(recipe, parents, ingredients)
        with open_context(
            recipe, ingredients, images_dir=self._images_dir, temp_dir=self.cache_dir / "tmp"
        ) as context:
            order = BuildOrder(recipe.name, context, args, labels, yields=recipe.compiles)
            try:
                image = self._run_build(order, log)
            except DoesNotBuildError as refusal:
                inputs = list_inputs(parents, ingredients.archives)
                self._refusals.remember(reference, refusal, inputs, log)
                raise
        try:
            if recipe.is_build:
                image = self._check_versions(recipe, image, labels, log)
            repository, _, tag = reference.rpartition(":")
            self._client.api.tag(image, repository, tag)
        except BaseException:
            with suppress(DockerException):
                self._client.api.remove_image(image)
            raise
        seconds = time.monotonic() - started
        self._durations.remember(recipe.name, seconds)
        self._on_step(recipe.name, f"built in {seconds:.0f} s")

    def _args_and_labels(
        self, recipe: Recipe, parents: Mapping[str, Image], ingredients: Ingredients
    ) -> tuple[dict[str, str], dict[str, str]]:
        """Build arguments and labels, with those that are known only now."""
        args = {**recipe.args, **{arg: parent.reference for arg, parent in parents.items()}}
        content = recipe.content_hash(self._images_dir)
        labels = make_labels(recipe, content, parents, ingredients.archives, datetime.now(UTC))
        for archive in ingredients.archives.values():
            args["SUBDIR"] = archive.source.subdir
        if recipe.lock:
            labels[names.PACKAGES] = registries.describe_packages(self._images_dir / recipe.lock)
        if recipe.kind is RecipeKind.BASE:
            base = choose_origin(
                self._client,
                args["SUITE"],
                self.cache_dir / "tmp",
                self._cancel,
                lambda text: self._on_step(recipe.name, text),
                ingredients.base_files,
            )
            args["ORIGIN"] = base.image
            labels |= base.labels
        return args, labels

    def _check_versions(
        self, recipe: Recipe, image: str, labels: Mapping[str, str], log: Path
    ) -> str:
        """Check a build's labels against its versions, or add those that were read back."""
        self._on_step(recipe.name, "reading back its versions")
        versions = read_versions(self._client, image, labels=self._run_labels, cancel=self._cancel)
        checked_labels = {names.POSTFIX: versions.postfix, names.OPENSSL: versions.openssl_loaded}
        compare_labels(recipe.name, {**checked_labels, **labels}, versions)
        if recipe.kind is RecipeKind.DISTRIBUTION:
            checked_labels[names.PACKAGES] = versions.packages
            context = dockerfile_tar(f"FROM {image}\n")
            image = self._run_build(BuildOrder(recipe.name, context, labels=checked_labels), log)
        remember_versions(self.cache_dir, image, versions)
        return image

    def _run_build(self, order: BuildOrder, log: Path) -> str:
        return build_image(
            self._client.api, order, log, self._cancel, lambda line: self._on_step(order.name, line)
        )

    def _log_path(self, reference: str) -> Path:
        return self.cache_dir / "logs" / f"{file_name(reference)}.log"

    def _base_reference(self, suite: str) -> str:
        return self.ensure(base_recipe(suite)).reference
