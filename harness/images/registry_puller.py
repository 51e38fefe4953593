"""Pulls the images of recipes from a registry, checks them, and gives them our tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any

import docker
from docker.errors import DockerException

from harness.docker_engine.cancel import Cancel, Cancelled
from harness.docker_engine.transfers import (
    ANSWER_LIMITS,
    Transfer,
    TransferFault,
    ask_registry,
    pull,
)
from harness.errors import InfrastructureError
from harness.images import labels as names
from harness.images.image import labels_of
from harness.images.provenance import check_versions
from harness.images.pulled_images import (
    PulledRecords,
    RefusedImageError,
    check_pulled,
    has_user_source,
)
from harness.images.recipe import Recipe
from harness.images.registry import ImageRegistry

#: Pulls at a time. The engine has three layers on their way at a time by default.
_PULLS = 3
#: Seconds between two checks whether the work is cancelled.
_POLL = 0.1


class RegistryPuller:
    """One per image builder; its methods may be called from any thread.

    A registry that does not answer, or gives no permission, is reported once and left alone.
    """

    def __init__(
        self,
        client: docker.DockerClient,
        registry: ImageRegistry,
        *,
        images_dir: Path,
        cache_dir: Path,
        cancel: Cancel,
        run_labels: Mapping[str, str],
        on_step: Callable[[str, str], None],
        on_notice: Callable[[str, str], None],
        answer_limits: tuple[float, float] = ANSWER_LIMITS,
    ) -> None:
        """``answer_limits``: seconds to reach the engine, and to wait for the registry's answer."""
        self._client = client
        self._registry = registry
        self._images_dir = images_dir
        self._cache_dir = cache_dir
        self._cancel = cancel
        self._run_labels = run_labels
        self._on_step = on_step
        self._on_notice = on_notice
        self._answer_limits = answer_limits
        self._records = PulledRecords(cache_dir)
        self._slots = BoundedSemaphore(_PULLS)
        self._lock = Lock()
        self._tried: set[str] = set()
        self._reported: set[TransferFault] = set()
        self._is_left = False

    def pull_image(self, recipe: Recipe, reference: str) -> bool:
        """Give the engine the recipe's image under its tag ``reference``; False: it must be built.

        An image is tried once. Call it with the image's lock held.

        Raises:
            InfrastructureError: the engine failed.
            Cancelled: the user cancelled the work.
        """
        source = self._registry.find_source(reference)
        if not source or has_user_source(recipe) or not self._take_turn(reference):
            return False
        while not self._slots.acquire(timeout=_POLL):
            self._cancel.check()
        try:
            if self._is_left:
                return False
            what = f"pulling from {self._registry.repository}"
            self._on_step(recipe.name, what)
            answer = ask_registry(self._client, source, self._cancel, self._answer_limits)
            if answer.fault is not None:
                self._report_registry(recipe.name, answer)
                return False
            transfer = pull(
                self._client,
                source,
                self._cancel,
                on_layers=lambda layers: self._on_step(recipe.name, f"{layers}, {what}"),
            )
            if transfer.fault is not None:
                self._on_notice(
                    recipe.name,
                    f"the pull from {self._registry.repository} broke off: {transfer.error}; "
                    "it is built here",
                )
                return False
            digest = transfer.digest or answer.digest
            return self._accept_image(recipe, reference, source, digest)
        finally:
            self._slots.release()

    def _take_turn(self, reference: str) -> bool:
        """Whether the image was not tried before."""
        with self._lock:
            is_new = reference not in self._tried
            self._tried.add(reference)
        return is_new

    def _accept_image(self, recipe: Recipe, reference: str, source: str, digest: str) -> bool:
        """Check the image that was pulled as ``source``, and tag it as ours if it is the recipe's.

        The name of the registry is removed again: our tag is the only one to be pruned.
        """
        try:
            attrs = self._client.images.get(source).attrs
            self._check_image(recipe, reference, attrs)
            self._records.remember(str(attrs["Id"]), f"{self._registry.repository}@{digest}")
            repository, _, tag = reference.rpartition(":")
            self._client.api.tag(str(attrs["Id"]), repository, tag)
        except RefusedImageError as refusal:
            self._on_notice(
                recipe.name,
                f"the image of {self._registry.repository} is refused: {refusal.what}; "
                "it is built here",
            )
            return False
        except DockerException as error:
            raise InfrastructureError(f"the Docker engine does not answer: {error}") from error
        finally:
            with suppress(DockerException):
                self._client.api.remove_image(source)
        created = labels_of(attrs).get(names.OCI_CREATED, "")[:10]
        self._on_step(recipe.name, f"pulled, built elsewhere on {created or 'an unknown day'}")
        return True

    def _check_image(self, recipe: Recipe, reference: str, attrs: Mapping[str, Any]) -> None:
        """Compare labels with the recipe; of a build, versions with the labels.

        Raises:
            RefusedImageError: they differ, or the versions cannot be read.
        """
        architecture = str(self._client.version()["Arch"])
        check_pulled(recipe, recipe.content_hash(self._images_dir), attrs, architecture)
        if not recipe.is_build:
            return
        self._on_step(recipe.name, "reading back its versions")
        try:
            check_versions(
                self._client,
                str(attrs["Id"]),
                reference,
                labels_of(attrs),
                self._cache_dir,
                run_labels=self._run_labels,
                cancel=self._cancel,
            )
        except Cancelled:
            raise
        except InfrastructureError as error:
            raise RefusedImageError(error.what) from error

    def _report_registry(self, name: str, answer: Transfer) -> None:
        """Report, once, what the registry does not give, beginning with the image of ``name``."""
        fault, repository = answer.fault, self._registry.repository
        with self._lock:
            if fault is None or fault in self._reported:
                return
            self._reported.add(fault)
            self._is_left = self._is_left or fault is not TransferFault.ABSENT
        if fault is TransferFault.ABSENT:
            text = f"it does not have the image of {name}; what it does not have is built here"
        elif fault is TransferFault.DENIED:
            login = f"'docker login {repository.partition('/')[0]}'"
            text = f"no permission to pull: {answer.error}; images are built here (see {login})"
        else:
            text = f"it is not reached: {answer.error}; images are built here"
        self._on_notice(repository, text)
