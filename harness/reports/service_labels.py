"""A service's name in a run, and how it does TLS, from its instances' evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.observations.run_folder import Evidence, RunData
from harness.postfix_config.tls_levels import service_levels


@dataclass(frozen=True, slots=True)
class ServiceLabel:
    """A service as reports show it: its name, its entry's name, and how it does TLS.

    ``entry`` is the first field of its entry in master.cf (``465``), ``level`` how it does TLS
    (``may``, ``encrypt``, ``implicit TLS``, ``none``; with " or " where builds differ); both are ""
    where the run does not have them.
    """

    service: str
    entry: str = ""
    level: str = ""

    @property
    def name(self) -> str:
        """``submissions (465)`` where the entry has another name, else ``submissions``."""
        other = self.entry and self.entry != self.service
        return f"{self.service} ({self.entry})" if other else self.service

    @property
    def text(self) -> str:
        """``submissions (465; implicit TLS)``: the name, with how it does TLS."""
        entry = self.entry if self.entry != self.service else ""
        inside = "; ".join(part for part in (entry, self.level) if part)
        return f"{self.service} ({inside})" if inside else self.service


def service_labels(data: RunData, scenario: str) -> dict[str, ServiceLabel]:
    """The label of each service that a scenario was measured with."""
    levels: dict[str, dict[str, None]] = {}
    entries: dict[str, str] = {}
    for build in data.run.axes.builds:
        instance = data.instance(build, scenario)
        if instance is None:
            continue
        for service, entry, level in _read_services(instance):
            levels.setdefault(service, {})[level] = None
            entries.setdefault(service, entry)
    services = data.run.axes.scope(scenario).services
    return {
        service: ServiceLabel(
            service, entries.get(service, ""), " or ".join(sorted(levels.get(service, ())))
        )
        for service in services
    }


def _read_services(instance: Evidence) -> Iterator[tuple[str, str, str]]:
    """Service, entry and level; for a run of an earlier version, from its effective files."""
    listed = instance.get("services")
    if isinstance(listed, list):
        for record in listed:
            if isinstance(record, Mapping):
                service = str(record.get("service", ""))
                yield service, str(record.get("entry", service)), str(record.get("level", ""))
        return
    levels = service_levels(
        str(instance.get("main.cf", "")),
        str(instance.get("master.cf", "")),
        [str(line) for line in instance.get("added", ())],
    )
    for name, level in levels.items():
        yield str(name), str(name), level
