"""Whether runs may be merged: made by one version, from the same images and scenarios."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from harness.catalog.cells import is_control
from harness.errors import UsageError
from harness.input_files import read_text_file
from harness.json_text import parse_json
from harness.observations.run_folder import RunData
from harness.observations.run_json import RUN_SCHEMA, Axes, ImageInfo, ScenarioInfo, ShardInfo

_MEASURE_AGAIN = "measure both with the same inputs, or merge only runs that have them"


class SameInputs:
    """What the runs so far were made with; ``add`` refuses one with other inputs."""

    def __init__(self) -> None:
        self._version: tuple[str, str] | None = None
        self._code: tuple[str, str] | None = None
        self._scenarios: dict[str, tuple[str, ScenarioInfo]] = {}
        self._configs: dict[str, tuple[str, str]] = {}
        self._images: dict[str, tuple[str, ImageInfo]] = {}

    def add(self, data: RunData, label: str = "") -> None:
        """Compare a run with those before; ``label`` names it in messages, else its folder.

        Raises:
            UsageError: it has another version of the tool, another text of a scenario or another
                image of the same name; both runs are named.
        """
        label = label or str(data.folder)
        self._check_version(data.run.tool.version, label)
        if data.run.measured_with is not None:
            self._check_code(data.run.measured_with.version, label)
        for name, info in data.run.scenarios.items():
            self._check_scenario(name, info, label)
        # Permissive copies and controls have configurations of their own for each run.
        configs = {(cell.scenario, cell.config) for cell in data.observations}
        for name, config in sorted(configs):
            if name in data.run.scenarios:
                self._check_config(name, config, label)
        for name, image in data.run.images.items():
            self._check_image(name, image, label)

    def expect_code(self, version: str, digest: str, label: str) -> None:
        """Let only runs of this version, measured by this code, be added; ``label`` names it.

        Raises:
            UsageError: a run before is of another one.
        """
        self._check_version(version, label)
        self._check_code(digest, label)

    def _check_version(self, version: str, label: str) -> None:
        first, known = self._version = self._version or (label, version)
        if version != known:
            raise UsageError(
                f"{first} was made by postfix-matrix {known}, {label} by {version}",
                cause="two versions may measure the same cell in different ways",
                next_step="install the same version on all machines, and measure again",
            )

    def _check_code(self, digest: str, label: str) -> None:
        """Two states of one version's code may measure in different ways too."""
        first, known = self._code = self._code or (label, digest)
        if digest != known:
            raise UsageError(
                f"{first} was measured by other code ({_shorten_digest(known)}) than {label} "
                f"({_shorten_digest(digest)}), of the same version of postfix-matrix",
                cause="one of them is a checkout, or was changed",
                next_step="install the same version on all machines, and measure again",
            )

    def _check_scenario(self, name: str, info: ScenarioInfo, label: str) -> None:
        first, known = self._scenarios.setdefault(name, (label, info))
        if known == info:
            return
        keys = _differing_fields(known, info)
        raise UsageError(
            f"the scenario {name} is another one in {first} than in {label}: "
            f"{', '.join(keys)} {'differs' if len(keys) == 1 else 'differ'}",
            cause="the scenario was changed between the two runs",
            next_step=_MEASURE_AGAIN,
        )

    def _check_config(self, name: str, config: str, label: str) -> None:
        """A scenario's files are in no other place of the run than this digest."""
        first, known = self._configs.setdefault(name, (label, config))
        if known != config:
            raise UsageError(
                f"the scenario {name} was measured with other files in {first} "
                f"({_shorten_digest(known)}) than in {label} ({_shorten_digest(config)})",
                cause="the scenario was changed between the two runs",
                next_step=_MEASURE_AGAIN,
            )

    def _check_image(self, name: str, image: ImageInfo, label: str) -> None:
        first, known = self._images.setdefault(name, (label, image))
        versions = (known.postfix, known.openssl), (image.postfix, image.openssl)
        if known.id == image.id and versions[0] == versions[1]:
            return
        raise UsageError(
            f"{name} is another image in {first} ({_describe_image(known)}) "
            f"than in {label} ({_describe_image(image)})",
            cause="each machine built the image for itself, or it was built again between the runs",
            next_step="give all machines the same images: push them to a registry once "
            "('postfix-matrix images push'), and measure with --registry",
        )


def check_schemas(folders: Iterable[Path]) -> None:
    """Refuse run folders of a schema that is not this tool's, naming two that differ.

    Raises:
        UsageError: a run.json cannot be read, or has another schema.
    """
    schemas = {folder: _read_schema(folder / "run.json") for folder in folders}
    others = [folder for folder, schema in schemas.items() if schema != RUN_SCHEMA]
    if not others:
        return
    fitting = [folder for folder, schema in schemas.items() if schema == RUN_SCHEMA]
    beside = f", {fitting[0]} has {RUN_SCHEMA}" if fitting else f", this tool reads {RUN_SCHEMA}"
    raise UsageError(
        f"{others[0]} has schema {schemas[others[0]]!r}{beside}",
        cause="the runs were made by different versions of postfix-matrix",
        next_step="install the same version on all machines, and measure again",
    )


def check_complete(runs: Sequence[RunData], expected: int) -> None:
    """Refuse runs that are not all ``expected`` shards of one plan, each finished.

    Raises:
        UsageError: what was found, and what is needed.
    """
    held = {run.folder: shards_of(run) for run in runs}
    strangers = [folder for folder, shards in held.items() if not shards]
    if strangers:
        raise UsageError(
            f"{strangers[0]} is no shard: it was measured without --shard",
            next_step=f"measure {expected} shards of one plan, or leave --expect-shards out",
        )
    for folder, shards in held.items():
        if wrong := next((shard for shard in shards if shard.count != expected), None):
            raise UsageError(
                f"{folder} is shard {wrong}, and --expect-shards is {expected}",
                next_step=f"name the folders of the shards 1/{expected} to {expected}/{expected}",
            )
    _check_same_plan(runs)
    _check_all_indices({shard.index for shards in held.values() for shard in shards}, expected)
    _check_finished(runs)


def shards_of(data: RunData) -> tuple[ShardInfo, ...]:
    """The shards that a run has: one, those that it was merged from, or none."""
    if data.run.shard is not None:
        return (data.run.shard,)
    return tuple(run.shard for run in data.run.merged if run.shard is not None)


def whole_axes(data: RunData) -> Axes:
    """The axes of the plan that a shard is a part of; of any other run its own."""
    shard = data.run.shard
    return data.run.axes if shard is None or shard.axes is None else shard.axes


def is_one_plan(runs: Sequence[RunData]) -> bool:
    """Whether the runs are shards of the same plan."""
    return all(map(shards_of, runs)) and all(whole_axes(run) == whole_axes(runs[0]) for run in runs)


def _check_same_plan(runs: Sequence[RunData]) -> None:
    first = whole_axes(runs[0])
    for run in runs[1:]:
        axes = whole_axes(run)
        if axes != first:
            raise UsageError(
                f"{runs[0].folder} and {run.folder} are shards of different plans: "
                f"their {', '.join(_differing_fields(first, axes))} differ",
                cause="the shards were measured with different selections",
                next_step="measure all shards with the same selection",
            )


def _check_all_indices(indices: set[int], expected: int) -> None:
    absent = [index for index in range(1, expected + 1) if index not in indices]
    if absent:
        raise UsageError(
            f"found {_name_shards(sorted(indices))} of {expected}; "
            f"{_name_shards(absent)} {'is' if len(absent) == 1 else 'are'} needed too",
            cause="a machine did not finish, or its run folder was not collected",
            next_step="measure what is absent with --shard, then merge again",
        )


def unfinished_runs(runs: Sequence[RunData]) -> tuple[RunData, ...]:
    """The runs that were stopped, without those whose shard another run has finished."""
    finished = {
        (shard.index, shard.count)
        for run in runs
        if run.run.finished is not None
        for shard in shards_of(run)
    }
    is_same_plan = is_one_plan(runs)
    return tuple(
        run
        for run in runs
        if run.run.finished is None
        and not (
            is_same_plan and all((shard.index, shard.count) in finished for shard in shards_of(run))
        )
    )


def _check_finished(runs: Sequence[RunData]) -> None:
    for run in unfinished_runs(runs):
        names = ", ".join(str(shard) for shard in shards_of(run))
        cells = sum(not is_control(cell.build) for cell in run.observations)
        raise UsageError(
            f"shard {names} in {run.folder} is not finished: it has {cells} of "
            f"{run.run.axes.planned()} cells",
            cause="the run was stopped",
            next_step=f"continue it with 'postfix-matrix run --resume {run.folder}'",
        )


def _differing_fields(first: Axes | ScenarioInfo, second: Axes | ScenarioInfo) -> list[str]:
    before, after = asdict(first), asdict(second)
    return [name for name in before if before[name] != after[name]]


def _name_shards(indices: Sequence[int]) -> str:
    return ("shard " if len(indices) == 1 else "shards ") + ", ".join(map(str, indices))


def _describe_image(image: ImageInfo) -> str:
    versions = [
        f"{program} {version}"
        for program, version in (("Postfix", image.postfix), ("OpenSSL", image.openssl))
        if version
    ]
    return ", ".join([_shorten_digest(image.id), *versions])


def _shorten_digest(digest: str) -> str:
    """``sha256:`` and the first twelve digits."""
    kind, _, digits = digest.rpartition(":")
    return f"{kind}:{digits[:12]}" if kind else digits[:12]


def _read_schema(path: Path) -> object:
    """The schema of a run.json; of one that is no JSON object None."""
    text = read_text_file(path, next_step="name folders that 'postfix-matrix run' made")
    data = parse_json(text, path)
    return data.get("schema") if isinstance(data, Mapping) else None
