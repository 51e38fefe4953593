"""What a run without a selection needs here: images to be made, room, downloads, minutes.

The figures are estimates. Where this machine has made an image before, its own time counts; else
the medians of 31 images made on two cores (2026-11-30). Images share layers, so that the sizes are
upper limits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.catalog.builds import Build
from harness.catalog.costs import measured_costs
from harness.catalog.plan import Plan
from harness.diagnosis.machine_finding import MachineFinding, MachineStanding, RunNeeds
from harness.images.batch_build import Orderable, order_name
from harness.images.durations import Durations
from harness.images.image_states import ImageState
from harness.images.pruning import TaggedImage
from harness.images.recipe import RecipeKind

#: Seconds, bytes on the disk and bytes of downloads of an image, by what it is.
_PAIR = (370.0, 280_000_000, 15_000_000)
_DISTRIBUTION = (90.0, 280_000_000, 60_000_000)
_CLIENT = (160.0, 280_000_000, 60_000_000)
_HELPER = (60.0, 60_000_000, 15_000_000)


def estimate_needs(
    plan: Plan,
    orders: Mapping[str, Orderable],
    states: Sequence[ImageState] | None,
    existing: Iterable[TaggedImage],
    cache: Path,
    cores: int,
) -> RunNeeds:
    """The needs of a plan whose images are ``orders``; ``states`` is None without an engine."""
    parts = measured_costs().weigh_parts(plan)
    total = sum(milliseconds for build in parts.values() for milliseconds in build.values())
    seconds = total / 1000 / max(1, min(cores, len(plan.builds)))
    missing = None
    if states is not None:
        missing = tuple(each.name for each in states if not each.state.startswith("there"))
    durations = Durations(cache)
    needed = list(orders) if missing is None else list(missing)
    figures = [_estimate_image(orders[name], durations) for name in needed]
    repositories = {image.reference.rpartition(":")[0].rpartition("/")[2] for image in existing}
    return RunNeeds(
        cells=len(plan),
        images=len(orders),
        missing=missing,
        outdated=tuple(name for name in missing or () if name in repositories),
        download=sum(download for _, _, download in figures),
        disk=sum(disk for _, disk, _ in figures),
        build_seconds=sum(each for each, _, _ in figures),
        measure_seconds=seconds,
    )


def _estimate_image(order: Orderable, durations: Durations) -> tuple[float, int, int]:
    """Seconds, and bytes on the disk and of downloads."""
    if isinstance(order, Build):
        figures = _PAIR if order.postfix is not None else _DISTRIBUTION
    else:
        figures = _CLIENT if order.kind is RecipeKind.CLIENT else _HELPER
    seconds, disk, download = figures
    return durations.recall(order_name(order)) or seconds, disk, download


def check_images(needs: RunNeeds) -> MachineFinding:
    """The images of a run without a selection: there, outdated, or to be made."""
    if needs.missing is None:
        return MachineFinding("images", MachineStanding.UNKNOWN, "no engine lists them")
    there = needs.images - len(needs.missing)
    if not needs.missing:
        return MachineFinding(
            "images", MachineStanding.OK, f"all {there} of a default run are here"
        )
    outdated = f", {len(needs.outdated)} of them outdated" if needs.outdated else ""
    return MachineFinding(
        "images",
        MachineStanding.OK,
        f"{there} of {needs.images} of a default run are here; {len(needs.missing)} are to be made"
        f"{outdated}",
        "a run makes them itself; 'postfix-matrix images build' does it before",
    )
