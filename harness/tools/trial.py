"""One tool on one build from beginning to end: prepare, run, compare, run again, keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.config_input.forms import Footing
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.session import DockerSession
from harness.errors import FileError
from harness.scenarios.candidate import make_candidate
from harness.scenarios.configuration_source import ConfigurationSource
from harness.scenarios.scenario import Scenario
from harness.tools.file_changes import PathState, add_untouched, compare_files
from harness.tools.preparation import describe_base
from harness.tools.rendering import render_configuration
from harness.tools.result import ToolExecution, ToolResult
from harness.tools.tool_container import ToolContainer
from harness.tools.tool_file import HardeningTool, ToolBase
from harness.tools.tool_image import ToolImageMaker

#: The ids of the configurations in a run: what the tool starts from, and what it left.
BEFORE, AFTER = "before", "tool"


@dataclass(frozen=True, slots=True)
class ToolTrial:
    """What a tool did on a build; ``before`` and ``after`` are None where they cannot be measured.

    Each is measured in an image of its own, with the files as they lie there. ``texts`` are the
    tool's main.cf and master.cf, with their comments.
    """

    result: ToolResult
    before: Scenario | None = None
    after: Scenario | None = None
    texts: Mapping[Path, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrialPlace:
    """Where a tool is tried: a build by its id, its image, and what run.json says of it.

    ``names`` are the values of ``{postfix}`` and ``{openssl}``; ``is_debian``: the build has
    Debian's packages.
    """

    build: str
    image: str
    names: Mapping[str, str]
    is_debian: bool


@dataclass(frozen=True, slots=True)
class ToolTrier:
    """Tries a tool on builds. Its methods block."""

    session: DockerSession
    maker: ToolImageMaker
    cancel: Cancel
    on_step: Callable[[str, str], None]

    def try_tool(self, tool: HardeningTool, place: TrialPlace) -> ToolTrial:
        """Run the tool on a build, and read what it left.

        Raises:
            UsageError: what it needs cannot be prepared, or its generator cannot be run.
            InfrastructureError: the engine failed.
        """
        tool = tool.on_build(place.build)
        base = tool.base or (ToolBase.DEBCONF if place.is_debian else ToolBase.STOCK)
        result = ToolResult(
            place.build,
            describe_base(base),
            network=tool.network,
            idempotent=tool.idempotent,
            time_limit=tool.time_limit,
            skip=tool.skip,
        )
        if tool.skip:
            return ToolTrial(result)
        self.on_step(place.build, "preparing the tool's image")
        image = self.maker.make_image(tool, place.image, base)
        self.on_step(place.build, "running the tool")
        try:
            with ToolContainer(self.session, image, tool, self.cancel) as container:
                return _Trial(tool, place, container, image, result).run()
        finally:
            self.on_step(place.build, "")


class _Trial:
    """One trial in a container that runs; ``image`` is what it was started from."""

    def __init__(
        self,
        tool: HardeningTool,
        place: TrialPlace,
        container: ToolContainer,
        image: str,
        result: ToolResult,
    ) -> None:
        self._tool = tool
        self._place = place
        self._container = container
        self._image = image
        self._result = replace(result, config_directory=container.directory)
        self._texts: Mapping[Path, str] = {}

    def run(self) -> ToolTrial:
        container = self._container
        before = self._make_scenario(container.read_configuration(self._place.build), BEFORE)
        before = None if before is None else replace(before, image=self._image)
        known = frozenset(complaint.text for complaint in container.read_complaints())
        first = self._run_once()
        self._result = replace(
            self._result, runs=(first,), left=container.list_directory(), known_complaints=known
        )
        if first.status != 0:
            return ToolTrial(self._result, before)
        states, passing = container.read_changed()
        originals = container.read_before()
        self._result = replace(
            self._result, changes=compare_files(originals, states), passing=passing
        )
        if not self._result.has_main_cf:
            return ToolTrial(self._result, before)
        self._result = replace(self._result, complaints=container.read_complaints())
        after = self._keep_configuration()
        self._run_again(states)
        return ToolTrial(self._result, before, after, self._texts)

    def _keep_configuration(self) -> Scenario | None:
        """What the first run left, as a scenario in an image of its own."""
        try:
            source = self._container.read_configuration(self._place.build)
            scenario = self._make_scenario(source, AFTER)
            self._texts = dict(source.texts)
        except FileError as error:
            self._result = replace(self._result, unreadable=error.what)
            return None
        if scenario is None:
            # Nothing would be measured, which must not look like a tool that works.
            self._result = replace(self._result, unreadable="main.cf sets nothing")
            return None
        return replace(scenario, image=self._container.commit())

    def _run_once(self) -> ToolExecution:
        """The tool's command in the container, or the generator on this machine."""
        if not self._tool.render:
            return self._container.run_tool()
        rendered = render_configuration(self._tool, self._place.names)
        if rendered.run.status != 0:
            return rendered.run
        self._container.put_rendered(rendered.files)
        return self._container.run_tool() if self._tool.command else rendered.run

    def _run_again(self, states: Mapping[str, PathState]) -> None:
        changed_before = set(self._container.changed_paths)
        second = self._run_once()
        again, _ = self._container.read_changed()
        if set(self._container.changed_paths) - changed_before:
            originals = self._container.read_before()
            states = add_untouched(states, changed_before, originals)
        self._result = replace(
            self._result,
            runs=(*self._result.runs, second),
            second_changes=compare_files(states, again) if second.status == 0 else (),
        )

    def _make_scenario(self, source: ConfigurationSource, name: str) -> Scenario | None:
        """A configuration in the container as a scenario; None: there is none."""
        if not source.texts:
            return None
        origin = f"{self._tool.title}, on {self._place.build}"
        if name == BEFORE:
            origin = f"what {self._tool.title} starts from, on {self._place.build}"
        scenario = make_candidate(source, footing=Footing.WHOLE, source=origin)
        title = self._tool.title if name == AFTER else f"before {self._tool.title}"
        return replace(scenario, id=name, title=title)
