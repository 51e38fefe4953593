"""Choosing along the axes of a run: builds, scenarios, clients, offers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from harness.catalog.builds import NOTHING_ADDED, Additions, Build, all_builds, known_builds
from harness.catalog.clients import (
    Client,
    all_clients,
    build_clients,
    client,
    is_of_a_build,
)
from harness.catalog.peers import Peer, all_peers, meets
from harness.catalog.releases import Release
from harness.catalog.selectors import select
from harness.errors import NothingSelectedError, UsageError
from harness.images.recipes import Recipe
from harness.paths import scenarios_dir
from harness.scenarios.claims import CONTROL
from harness.scenarios.scenario import (
    Scenario,
    load_scenarios,
)
from harness.tls import (
    INBOUND,
    PLAINTEXT,
    STANDARD_OFFERS,
    Offer,
    Service,
)

T = TypeVar("T")

#: What a run's client axis is chosen from.
Pool = tuple[Client | Peer, ...]


@dataclass(frozen=True, slots=True)
class Selection:
    """What the user asked for on each axis, as written."""

    builds: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    offers: tuple[str, ...] = ()


def choose_scenarios(patterns: Iterable[str], scenarios: Mapping[str, Scenario]) -> tuple[str, ...]:
    """Scenarios' ids by glob; where no glob adds, those that lie in no collection.

    As in a shell a glob does not reach into a collection: ``corpus/*`` has what lies there, and a
    whole id is enough for any.

    Raises:
        UsageError: a pattern that matches nothing.
        NothingSelectedError: none is left.
    """
    words = words_of(patterns)
    wanted = [_globbed(word, scenarios) for word in words if not word.startswith("!")]
    unwanted = [_globbed(word[1:], scenarios) for word in words if word.startswith("!")]
    single = {name for name, one in scenarios.items() if one.collection is None}
    left = set[str]().union(*wanted or [single]).difference(*unwanted)
    if not left:
        raise NothingSelectedError(
            f"no scenario is left by {','.join(words)}",
            next_step="'postfix-matrix list scenarios' shows each there is",
        )
    return tuple(name for name in scenarios if name in left)


def _globbed(glob: str, scenarios: Mapping[str, Scenario]) -> set[str]:
    """The ids that one glob chooses: of the top, or with a slash of a collection."""
    if glob in scenarios:
        return {glob}
    level = {
        one.name: one.id for one in scenarios.values() if one.name.count("/") == glob.count("/")
    }
    return {level[name] for name in select("scenario", list(level), [glob])}


def measurable(own: Sequence[Client] = ()) -> Pool:
    """What can stand on the client axis: clients, then the user's own, and peers.

    Builds' own Postfix is not among them, since there are as many as there are builds.
    """
    return (*all_clients(), *own, *all_peers())


def choose_clients(
    patterns: Iterable[str],
    services: Iterable[Service] = INBOUND,
    pool: Pool | None = None,
) -> tuple[str, ...]:
    """Clients by glob, peers for ``outbound``; where no glob adds, those of a run that names none.

    These are the user's own clients, if the pool has any, and else those of the catalog that are
    measured unasked. Builds' own Postfix is chosen by globs that begin with its tool's name:
    ``smtp-*`` has them, ``*`` has not, since there are as many as there are builds.

    Raises:
        UsageError: a pattern that matches nothing.
        NothingSelectedError: none is left.
    """
    pool = measurable() if pool is None else pool
    words = words_of(patterns)
    if all(word.startswith("!") for word in words):
        own = any(isinstance(one, Client) and one.reference for one in pool)
        unasked = [one.name for one in pool if _is_unasked(one, own=own)]
        words = [*(one for one in unasked if any(meets(one, s) for s in services)), *words]
    spelt = [one for word in words for one in _spelt_out(word)]
    plain = [one.name for one in pool]
    named = dict.fromkeys(one for one in spelt if is_of_a_build(one))
    chosen = select("client", [*plain, *named], spelt)
    # "*" has the peers of outbound mail too, of which an inbound cell has none.
    return tuple(one for one in chosen if any(meets(one, s) for s in services)) or chosen


def _spelt_out(word: str) -> list[str]:
    """A glob for builds' own Postfix as the names that it chooses; any other word as it is."""
    glob = word.removeprefix("!")
    if not is_of_a_build(glob):
        return [word]
    known = [one.name for one in build_clients()]
    if glob not in known and "+" in glob and not any(c in glob for c in "*?["):
        known.append(client(glob).name)
    return [word[: len(word) - len(glob)] + one for one in select("client", known, [glob])]


def _is_unasked(one: Client | Peer, *, own: bool) -> bool:
    """Whether it is in a run that names no client; beside the user's own, no other client is."""
    return bool(one.reference) if own and isinstance(one, Client) else one.unasked


def read_scenarios(folder: Path | None) -> dict[str, Scenario]:
    """The scenarios of a folder, or those that come with the tool.

    A folder without a scenario of the name that others are held against by default has the tool's.
    """
    return load_scenarios(folder or scenarios_dir(), baseline=scenarios_dir() / CONTROL)


def choose_builds(
    patterns: Iterable[str], additions: Additions = NOTHING_ADDED
) -> dict[str, Build]:
    """Builds by glob over all that are known, and any other pair by its whole id.

    Without a glob that adds: what the command line adds to the catalog, else a run's default.

    Raises:
        UsageError: a glob that matches nothing, a pair that cannot be, or an addition that goes
            into no build that is chosen.
    """
    known = {build.id: build for build in known_builds(additions)}

    def unasked() -> dict[str, Build]:
        return {name: known[name] for name in _unasked(known, additions)}

    chosen = choose("build", patterns, known, unasked, additions)
    check_used(additions, chosen.values())
    return chosen


def choose(
    axis: str,
    patterns: Iterable[str],
    known: Mapping[str, T],
    unasked: Callable[[], Mapping[str, T]],
    additions: Additions,
) -> dict[str, T | Build]:
    """What patterns choose of what is known, and any pair that is not by its whole id.

    ``unasked`` gives what there is to begin with where no pattern adds.

    Raises:
        UsageError: a glob that matches nothing, or a pair that cannot be.
    """
    words = words_of(patterns)
    pool: dict[str, T | Build] = {**known}
    if all(word.startswith("!") for word in words):
        pool = {**unasked()}
    for word in words:
        if "+" in word and word not in pool and not any(c in word for c in "*?[!"):
            pool[word] = Build.parse(word, additions)
    return {name: pool[name] for name in select(axis, list(pool), words)}


def check_used(additions: Additions, chosen: Iterable[Build | Recipe]) -> None:
    """Refuse an addition that nothing of what was chosen is made from: its silence would mislead.

    Raises:
        UsageError: one is not used; the message names it.
    """
    used = {name for one in chosen for name in _added_to(one)}
    idle = [name for name in (*additions.releases, *additions.images) if name not in used]
    if idle:
        raise UsageError(
            f"nothing that was chosen is made from {' or '.join(idle)}",
            cause="other builds were named than those that --source or --image adds to",
            next_step="name a build that it goes into, such as postfix-3.1.0+openssl-1.0.2h, or "
            "leave the option out",
        )


def _added_to(one: Build | Recipe) -> set[str]:
    """The additions that it is, or is made from, by name."""
    if isinstance(one, Recipe):
        own = {of.id for of in one.sources.values() if of.unverified}
        return own.union(*(_added_to(parent) for parent in one.parents.values()))
    of = (one.postfix, one.openssl.of if one.openssl else None)
    return {one.id} | {each.id for each in of if isinstance(each, Release) and each.unverified}


def _unasked(known: Mapping[str, Build], additions: Additions) -> list[str]:
    """The builds of a command that names none."""
    added = [build.id for build in known.values() if build.unverified or build.reference]
    if additions.releases and not any(known[name].unverified for name in added):
        raise UsageError(
            f"no build that the catalog lists is made from {' or '.join(additions.releases)}",
            next_step="name one, such as -b postfix-3.1.0+openssl-1.0.2h",
        )
    return added or [build.id for build in all_builds()]


def choose_offers(patterns: Iterable[str]) -> tuple[Offer, ...]:
    """The offers that patterns choose, ranges and plaintext as they are written."""
    words = words_of(patterns)
    ranges = [Offer.parse(word) for word in words if ".." in word or "+" in word]
    standard = [str(offer) for offer in STANDARD_OFFERS]
    names = [*standard, *(str(offer) for offer in ranges if str(offer) not in standard)]
    # Asked for by its name only: a glob is about what is offered.
    names += [PLAINTEXT] if PLAINTEXT in words else []
    # As written an offer may be another spelling of itself.
    words = [str(Offer.parse(word)) if ".." in word or "+" in word else word for word in words]
    return tuple(Offer.parse(name) for name in select("offer", names, words or standard))


def words_of(patterns: Iterable[str]) -> list[str]:
    """The globs of options that may each have several, with commas between."""
    return [word.strip() for text in patterns for word in text.split(",") if word.strip()]
