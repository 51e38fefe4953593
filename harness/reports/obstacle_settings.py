"""The settings that belong to a cell's obstacles, with the values in effect for its service.

A cell that was refused for its ciphers shows the grade, the list and the exclusions of ciphers, one
that was refused for its keys the files of keys, and so on (``observations.obstacles``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.observations.obstacles import Obstacle
from harness.observations.reasons import CLIENT_CERTIFICATE
from harness.observations.record import Observation, Stage
from harness.observations.run_folder import Evidence
from harness.observations.run_json import ImageInfo
from harness.postfix_config.lookup_tables import expand_references
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.protocol_lists import find_protocol_list
from harness.postfix_config.tls_levels import entries_of
from harness.postfix_config.tls_parameters import (
    CLIENT_CERTIFICATES,
    KEYS,
    LIBRARY_FILES,
    RESTRICTIONS,
    SWITCHES,
    cipher_parameters,
)

DEFAULT_REMARK = "Postfix's default"
_CA_FILE = "tls-disabled-ca-file"
_RESTRICTED = frozenset({Stage.MAIL, Stage.RCPT, Stage.DATA})


@dataclass(frozen=True, slots=True)
class EffectiveSetting:
    """One line: ``name = value`` as it is in effect, and a remark: where it is from, what it is."""

    name: str
    value: str
    remark: str = ""

    @property
    def text(self) -> str:
        """``smtpd_tls_ciphers = medium (Postfix's default)``."""
        value = f"{self.name} = {' '.join(self.value.split())}".rstrip()
        return f"{value} ({self.remark})" if self.remark else value


@dataclass(frozen=True, slots=True)
class ObstacleSettings:
    """An obstacle with its settings; none where no setting of Postfix belongs to it."""

    obstacle: str
    settings: tuple[EffectiveSetting, ...]


def obstacle_settings(
    observation: Observation,
    instance: Evidence | None,
    evidence: Evidence | None = None,
    image: ImageInfo | None = None,
) -> tuple[ObstacleSettings, ...]:
    """Each obstacle of a cell with its settings.

    Args:
        observation: the cell.
        instance: the evidence of its Postfix instance; None: the run folder has none.
        evidence: the cell's own, for the protocol list that the run itself found in effect.
        image: the build's image, for its OpenSSL.
    """
    values = _ServiceValues(instance or {}, observation.service)
    return tuple(
        ObstacleSettings(
            name, tuple(_settings_of(name, observation, values, evidence or {}, image))
        )
        for name in observation.obstacles
    )


def _settings_of(
    obstacle: str,
    observation: Observation,
    values: _ServiceValues,
    evidence: Evidence,
    image: ImageInfo | None,
) -> Iterator[EffectiveSetting]:
    match obstacle:
        case Obstacle.PROTOCOL_LIST:
            yield from _protocol_list(values, evidence)
        case Obstacle.CIPHER_LIST:
            yield from values.existing(cipher_parameters(values.all))
        case Obstacle.KEYS:
            yield from values.keys()
        case Obstacle.SECURITY_LEVEL:
            lists = [name for name in cipher_parameters(values.all) if name.endswith("list")]
            yield from values.existing((*lists, *LIBRARY_FILES))
            if image is not None and image.read_back is not None:
                policy = image.read_back.system_policy or "sets nothing: OpenSSL's default level"
                yield EffectiveSetting("the image's openssl.cnf", policy)
        case Obstacle.LIBRARY if image is not None and image.openssl:
            yield EffectiveSetting("OpenSSL", image.openssl, "as Postfix loads it")
        case Obstacle.SETTINGS:
            yield from values.existing(_choose_switches(observation))


def _choose_switches(observation: Observation) -> tuple[str, ...]:
    """Of Postfix's other settings, those about the stage and the reason of a refusal."""
    if observation.reason in (CLIENT_CERTIFICATE, _CA_FILE):
        return CLIENT_CERTIFICATES
    if observation.stage in _RESTRICTED and not (observation.reason or "").startswith("must-"):
        return (*RESTRICTIONS, *SWITCHES)
    return SWITCHES


def _protocol_list(values: _ServiceValues, evidence: Evidence) -> Iterator[EffectiveSetting]:
    effective = find_protocol_list(values.all)
    if effective is not None:
        yield from values.existing((effective.parameter,))
    elif text := (evidence.get("grounds") or {}).get("list"):
        name, _, value = str(text).partition(" =")
        yield EffectiveSetting(name, value.strip())


class _ServiceValues:
    """What is in effect for one service of an instance, with what was set and what is default."""

    def __init__(self, instance: Evidence, service: str) -> None:
        self._files: Mapping[str, str] = instance.get("files") or {}
        known: Evidence = next(
            (each for each in instance.get("services", ()) if each.get("service") == service), {}
        )
        self._settings: Mapping[str, str] = known.get("settings") or _read_files(instance, service)
        self._defaults: Mapping[str, str] = known.get("defaults") or {}
        self.all = {**self._defaults, **self._settings}

    def existing(self, names: tuple[str, ...] | Iterator[str]) -> Iterator[EffectiveSetting]:
        """Those of the parameters whose value is known."""
        for name in dict.fromkeys(names):
            if name in self.all:
                remark = "" if name in self._settings else DEFAULT_REMARK
                yield EffectiveSetting(name, self.all[name], remark)

    def keys(self) -> Iterator[EffectiveSetting]:
        """The files of certificates and keys that are named, and what each is."""
        for name in KEYS:
            if value := self.all.get(name):
                paths = value.replace(",", " ").split()
                kinds = [self._files[path] for path in paths if path in self._files]
                default = [] if name in self._settings else [DEFAULT_REMARK]
                yield EffectiveSetting(name, value, "; ".join([*kinds, *default]))


def _read_files(instance: Evidence, service: str) -> dict[str, str]:
    """A service's settings by the files as applied, in a run folder that has no list of them."""
    if "main.cf" not in instance:
        return {}
    main = parse_main_cf(str(instance["main.cf"])).values
    options = entries_of(str(instance.get("master.cf", "")), instance.get("added", ()))
    settings = {**main, **next((of for name, of in options.items() if name == service), {})}
    return {name: expand_references(value, settings) for name, value in settings.items()}
