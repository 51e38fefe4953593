"""Runs a tool in a container of its image, and keeps what it changed, called and left.

The container's process is the image's own: the syslog daemon that the image contract asks for. It
has no network unless the tool's description allows one. What the tool left is committed as an
image, so that it can be measured as it lies there.
"""

from __future__ import annotations

import posixpath
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from docker.errors import NotFound
from docker.types import Mount

from harness.config_input.text import MAIN_CF
from harness.docker_engine.cancel import Cancel
from harness.docker_engine.session import DockerSession, discard_container, engine_errors
from harness.scenarios.configuration_source import ConfigurationSource
from harness.targets.container_tree import find_config_directory, read_configuration_of
from harness.tools.complaints import read_complaints
from harness.tools.container_files import put_bytes, read_states
from harness.tools.file_changes import PathState, is_passing
from harness.tools.preparation import MAIL_NAME
from harness.tools.recorders import FOLDER, LOG, parse_calls
from harness.tools.result import Complaint, ToolExecution
from harness.tools.tool_file import WORK_DIRECTORY, HardeningTool
from harness.tools.tool_image import environment_of

_OUTPUT, _STATUS = f"{FOLDER}/output", f"{FOLDER}/status"
#: How often, in seconds, it is looked whether the tool has ended.
_POLL = 0.05
#: Files whose content is read, of one tool on one build.
_MOST_FILES = 600
#: Runs the arguments, and leaves their output and exit status. The folder for the log of calls is
#: also written by programs that have given up root.
_RUN = f"""
cd {WORK_DIRECTORY} || exit
: >>{LOG}; chmod 666 {LOG}; chmod 1777 {FOLDER}
"$@" >{_OUTPUT} 2>&1 </dev/null
echo $? >{_STATUS}
"""
#: Prints the output: of more than twice this many bytes only the first and the last part.
_HALF_OF_OUTPUT = 500_000
_READ_OUTPUT = f"""
[ -e {_OUTPUT} ] || exit
size=$(wc -c <{_OUTPUT})
left=$((size - {2 * _HALF_OF_OUTPUT}))
if [ $left -le 0 ]; then cat {_OUTPUT}; exit; fi
head -c {_HALF_OF_OUTPUT} {_OUTPUT}
printf '\n[%s bytes of the output are left out here]\n' $left
tail -c {_HALF_OF_OUTPUT} {_OUTPUT}
"""
#: What a running system has that service managers' callers look for (sd_booted(3)).
_SET_UP = f"""
mkdir -p {WORK_DIRECTORY}
[ -e /etc/alpine-release ] || mkdir -p /run/systemd/system
"""
_CHECKS = "postconf 2>&1 >/dev/null; postconf -M 2>&1 >/dev/null; postfix check 2>&1"


class ToolContainer:
    """A container in which a tool runs. A context manager; every method blocks."""

    def __init__(
        self, session: DockerSession, image: str, tool: HardeningTool, cancel: Cancel
    ) -> None:
        self._session = session
        self._tool = tool
        self._cancel = cancel
        network = "bridge" if tool.network else "none"
        with engine_errors("starting a container for the tool"):
            self._container: Any = session.client.containers.create(
                image,
                labels=session.labels,
                network_mode=network,
                hostname=MAIL_NAME.partition(".")[0],
                domainname=MAIL_NAME.partition(".")[2],
                init=True,
                mounts=[Mount(FOLDER, None, type="volume")],
            )
        self._image = image
        self._environment = environment_of(tool)

    def __enter__(self) -> ToolContainer:
        with engine_errors("starting a container for the tool"):
            self._container.start()
        self._run_script(_SET_UP)
        files = {
            f"{WORK_DIRECTORY}/{name}": (path.read_bytes(), _mode_of(path))
            for name, path in self._tool.files.items()
        }
        if files:
            put_bytes(self._container, files)
        self.directory = find_config_directory(self._container)
        return self

    def __exit__(self, *exc_info: object) -> None:
        discard_container(self._container)

    def read_configuration(self, name: str) -> ConfigurationSource:
        """The configuration as it lies there now; an empty main.cf counts as none.

        Its further files are read now: the container will not be there later.
        """
        source = read_configuration_of(self._container, name)
        texts = {
            path: text
            for path, text in source.texts.items()
            if path.name != MAIN_CF or any(map(_is_setting, text.splitlines()))
        }
        return replace(source, texts=texts)

    def list_directory(self) -> tuple[str, ...]:
        """The names in the configuration directory, sorted."""
        out = self._run_script(f"ls -A '{self.directory}'")
        return tuple(sorted(out.split("\n")[:-1]))

    def run_tool(self) -> ToolExecution:
        """Run the tool's command once, until its end or its time limit."""
        command = self._tool.fill_command(self._tool.command)
        api = self._session.client.api
        self._run_script(f"rm -f {_OUTPUT} {_STATUS} {LOG}")
        started = time.monotonic()
        with engine_errors("running the tool"), self._cancel.closing(self._container.kill):
            created = api.exec_create(
                self._container.id,
                ["sh", "-c", _RUN, "sh", *command],
                environment=dict(self._environment),
                user="root",
            )
            api.exec_start(created["Id"], detach=True)
            while api.exec_inspect(created["Id"])["Running"]:
                if time.monotonic() - started > self._tool.time_limit:
                    return self._make_run(None, started)
                time.sleep(_POLL)
        self._cancel.check()
        status = self._read_text(_STATUS).strip()
        return self._make_run(int(status) if status.isdigit() else 1, started)

    def put_rendered(self, files: Mapping[str, bytes]) -> None:
        """Write what a generator gave into the configuration directory."""
        put_bytes(
            self._container,
            {posixpath.join(self.directory, name): (data, 0o644) for name, data in files.items()},
        )

    def read_complaints(self) -> tuple[Complaint, ...]:
        """What postconf(1) and ``postfix check`` print, or log, about what lies there."""
        with engine_errors("reading the container's log"):
            logged = len(self._container.logs())
            output = self._run_script(_CHECKS)
            log = self._container.logs()[logged:].decode("utf-8", "replace")
        main_cf = self._read_text(f"{self.directory}/{MAIN_CF}")
        return read_complaints(f"{output}\n{log}", main_cf)

    def read_changed(self) -> tuple[dict[str, PathState], int]:
        """The state of each path that differs from the image, and how many more were passed over.

        A path that is not there any more has no state; see :meth:`read_before`.
        """
        with engine_errors("listing what the tool changed"):
            paths = [str(entry["Path"]) for entry in self._container.diff() or ()]
        counted = [path for path in paths if not is_passing(path)]
        # Where there are too many, it is not the configuration that is left out.
        counted.sort(key=lambda path: not path.startswith(f"{self.directory}/"))
        self.changed_paths = counted[:_MOST_FILES]
        passed_over = len(paths) - len(self.changed_paths)
        return read_states(self._container, self.changed_paths), passed_over

    def read_before(self) -> dict[str, PathState]:
        """What the image has at the paths that differ now."""
        client = self._session.client
        with engine_errors("reading the files before the tool"):
            container = client.containers.create(self._image, labels=self._session.labels)
            try:
                return read_states(container, self.changed_paths)
            finally:
                with suppress(NotFound):
                    container.remove(force=True, v=True)

    def commit(self) -> str:
        """Keep what lies there as an image, which the session removes; gives its id."""
        self._run_script("postfix stop 2>/dev/null; true")
        with engine_errors("keeping what the tool left"):
            return str(self._container.commit().id)

    def _make_run(self, status: int | None, started: float) -> ToolExecution:
        return ToolExecution(
            status,
            self._run_script(_READ_OUTPUT),
            time.monotonic() - started,
            parse_calls(self._read_text(LOG)),
        )

    def _run_script(self, script: str) -> str:
        """The output of a script in the container, both streams."""
        with engine_errors("running a command in the tool's container"):
            answer = self._container.exec_run(["sh", "-c", script], user="root")
        return bytes(answer.output or b"").decode("utf-8", "replace")

    def _read_text(self, path: str) -> str:
        state = read_states(self._container, [path]).get(path)
        return "" if state is None else state.data.decode("utf-8", "replace")


def _is_setting(line: str) -> bool:
    return bool(line.strip()) and not line.startswith("#")


def _mode_of(path: Path) -> int:
    return 0o755 if path.stat().st_mode & 0o100 or path.read_bytes()[:2] == b"#!" else 0o644
