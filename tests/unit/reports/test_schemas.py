"""The published JSON Schemas match the code: same values, same fields, same data."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, fields, replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter

from harness.catalog.builds import DEBIAN, LEGACY, STOCK
from harness.catalog.package_files import PackageFile
from harness.catalog.reachability import FileState
from harness.catalog.releases import PRODUCTS, SourceKind
from harness.clients import contract
from harness.conformance.client_checks import ClientReport
from harness.conformance.image_checks import Check, CheckVerdict, ImageReport
from harness.images.batch_build import BuildState
from harness.images.provenance import Versions
from harness.images.registry_pusher import PushState
from harness.observations import (
    reasons,
    record,
    run_json,
)
from harness.observations.record import (
    CertificateView,
    MeasuredWith,
    Observation,
    Outcome,
    Stage,
    TakenOver,
    TlsView,
)
from harness.postfix_config.key_files import FileKind
from harness.scan.result import (
    CLASSES,
    Certificate,
)
from harness.tls import STANDARD_OFFERS, ClientCertificate, HangUp, Offer, Protocol
from tests.schema_files import NAMES, faults, schema
from tests.unit import schema_samples

SAMPLES = schema_samples.samples()
#: What others write may have more keys than the contract knows; what we write may not.
OPEN = {"client-result", "client-describe"}
#: Keys that came later, so that a run of an earlier version may be without them.
LATER = {
    "observation": {
        *("trust", "obstacles", "certificate", "resumed"),
        *("run", "measured", "tool", "postfix", "openssl", "taken_over", "again", "simulated"),
    },
    "run": {"licence", "citation", "measured_with", "shard", "merged", "flaky", "pace"},
    "verdicts": {"taken_over"},
    "verify": {"taken_over"},
    "instance": {"checked"},
    "evidence": {"peer_log", "grounds", "faults"},
    "client-request": {"extras", "hello"},
    "client-result": {"prime_bits"},
    "scan": {"replaced", "base"},
    "snapshot": {"earlier"},
}
#: Keys of a result that came later.
LATER_OF_RESULT = {"peer_certificate", "resumed", "prime_bits"}


def at(name: str, path: str) -> Any:
    """The part of a schema at a path of keys with spaces between; a number is a list's index."""
    part: Any = schema(name)
    for key in path.split():
        part = part[int(key) if isinstance(part, list) else key]
    return part


def names(form: type) -> set[str]:
    """A dataclass's fields."""
    return {field.name for field in fields(form)}


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_one_and_explains_itself(name: str) -> None:
    """Protects its readers: valid draft 2020-12, an id without a web host, a text on each key."""
    data = schema(name)
    Draft202012Validator.check_schema(data)
    assert data["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert data["$id"] == f"urn:postfix-matrix:schema:{name}:1"
    assert data["title"]
    assert data["description"]
    assert [key for key, form in data["properties"].items() if not form.get("description")] == []
    assert data["additionalProperties"] is (name in OPEN)


@pytest.mark.parametrize(
    ("name", "path", "names"),
    [
        ("observation", "$defs outcome enum", Outcome),
        ("run", "$defs outcome enum", Outcome),
        ("observation", "$defs stage enum", Stage),
        ("observation", "properties again properties why enum", record.AgainReason),
        ("observation", "$defs protocol enum", Protocol),
        ("client-request", "$defs protocol enum", Protocol),
        ("client-describe", "$defs protocol enum", Protocol),
        ("scan", "$defs protocol enum", Protocol),
        ("scan", "$defs suite properties weakest_in items enum", CLASSES),
        ("scan", "properties weakest propertyNames enum", ["protocol", *CLASSES]),
        ("client-result", "properties protocol enum", [*Protocol, None]),
        ("client-result", "properties outcome enum", contract.OUTCOMES),
        ("client-result", "properties stage enum", [*contract.STAGES, None]),
        ("instance", "$defs kind enum", FileKind),
        ("images-build", "properties images items properties state enum", BuildState),
        ("images-push", "properties images items properties state enum", PushState),
        ("images-check", "properties checks items properties verdict enum", CheckVerdict),
        ("clients-check", "properties checks items properties verdict enum", CheckVerdict),
        ("images-reachable", "$defs answer properties state enum", FileState),
        ("catalog-list", "$defs source properties kind enum", {*SourceKind} - {SourceKind.LOCAL}),
        ("catalog-list", "$defs release properties product enum", PRODUCTS),
        (
            "run",
            "properties missing items properties category enum",
            run_json.UnavailableCategory,
        ),
        ("run", "$defs image properties flavour enum", (STOCK, LEGACY, DEBIAN, None)),
    ],
)
def test_closed_vocabularies_are_the_codes(name: str, path: str, names: Iterable[str]) -> None:
    """Protects against drift: a value added to the code or the schema alone fails here."""
    published = at(name, path)
    assert set(published) == set(names)
    assert len(published) == len(set(published))


@pytest.mark.parametrize("name", ["observation", "run"])
def test_an_offer_is_written_as_the_code_writes_it(name: str) -> None:
    """Protects the pattern of offers: it has the code's protocols, and reads all it can write."""
    version = "|".join(re.escape(protocol) for protocol in Protocol)
    pattern = at(name, "$defs offer pattern")
    named = "".join(rf"(\+{key}=[A-Za-z0-9_:-]+)?" for key in ("ciphers", "groups"))
    values = {"cert": "|".join(ClientCertificate), "hangup": "|".join(HangUp)}
    extras = (
        rf"(\+cert=({values['cert']}))?(\+sni=[a-z0-9.-]+)?(\+hangup=({values['hangup']}))?"
        r"(\+resume)?(\+renegotiate)?"
    )
    versions = rf"(default|({version})(\.\.({version}))?{named})"
    assert pattern == rf"^(plaintext|{versions}{extras})$"
    ranges = [Offer(low, high) for low in Protocol for high in Protocol if low.rank < high.rank]
    assert all(re.search(pattern, str(offer)) for offer in (*STANDARD_OFFERS, *ranges))


@pytest.mark.parametrize(
    ("name", "path", "form", "also"),
    [
        ("observation", "", Observation, {"simulated"}),
        ("observation", "$defs client_view", TlsView, set()),
        ("observation", "properties certificate anyOf 0", CertificateView, set()),
        ("observation", "$defs server_view", TlsView, set()),
        ("client-result", "", contract.ClientResult, {"contract"}),
        ("client-result", "properties reply anyOf 0", contract.Reply, set()),
        ("client-request", "properties credentials anyOf 0", contract.Credentials, set()),
        ("run", "", run_json.RunRecord, {"schema", "host"}),
        ("run", "$defs axes", run_json.Axes, set()),
        ("run", "properties tool", run_json.Tool, set()),
        ("run", "properties missing items", run_json.Missing, set()),
        ("run", "properties scenarios additionalProperties", run_json.ScenarioInfo, set()),
        ("run", "$defs image", run_json.ImageInfo, set()),
        ("run", "$defs read_back", run_json.ReadBack, set()),
        ("run", "$defs read_back", Versions, set()),
        ("images-check", "properties versions anyOf 0", Versions, set()),
        ("images-check", "", ImageReport, {"schema", "keeps_contract"}),
        ("images-check", "properties checks items", Check, set()),
        ("clients-check", "", ClientReport, {"schema", "keeps_contract"}),
        ("clients-check", "properties checks items", Check, set()),
        ("catalog-list", "$defs file", PackageFile, set()),
        ("scan", "$defs certificate", Certificate, set()),
        ("run", "$defs summary", run_json.RunSummary,
         {"outcomes", "views_compared", "disagreements", "taken_over"}),
        ("run", "properties measured_with anyOf 0", MeasuredWith, set()),
        ("observation", "properties taken_over", TakenOver, set()),
        ("observation", "properties again", record.Again, set()),
        ("run", "properties pace", run_json.PaceInfo, set()),
    ],
)  # fmt: skip
def test_fields_are_the_codes(name: str, path: str, form: type, also: set[str]) -> None:
    """Protects against drift: the keys are the dataclass's, and those that only go to the file."""
    part = at(name, path)
    assert set(part["properties"]) == names(form) | also


def test_evidence_has_the_results_keys_and_no_other() -> None:
    """Protects evidence: a driver's own extra keys, with whatever is in them, are not kept."""
    keys = names(contract.ClientResult) | {"contract"}
    assert set(at("evidence", "properties client required")) == keys - LATER_OF_RESULT
    assert set(at("evidence", "properties client propertyNames enum")) == keys


def test_versions_are_the_codes() -> None:
    """Protects the meaning of "schema": raising it in the code asks for a new schema."""
    assert at("observation", "properties schema const") == record.SCHEMA
    assert at("run", "properties schema const") == run_json.RUN_SCHEMA
    for name in ("client-request", "client-result", "client-describe"):
        assert at(name, "properties contract const") == contract.CONTRACT


def test_every_reason_keeps_the_pattern() -> None:
    """Protects scripts that match reasons: all the code's are lower-case words with hyphens."""
    pattern = at("observation", "properties reason pattern")
    names = {spelling.reason for spelling in reasons.read_spellings()}
    assert len(names) > 20
    assert [name for name in names if not re.search(pattern, name)] == []


def test_whatever_is_decided_is_an_observation_by_the_schema() -> None:
    """Protects readers of observations.jsonl: no evidence leads to a line that the schema refuses.

    Every client outcome at every stage, beside each kind of control and of server's words; all
    outcomes and all deciders of the schema do occur.
    """
    lines = {
        schema_samples.observation(decision).to_json() for decision in schema_samples.decisions()
    }
    observations = [json.loads(line) for line in lines]
    assert {fault for line in observations for fault in faults("observation", line)} == set()
    assert {line["outcome"] for line in observations} == set(
        at("observation", "$defs outcome enum")
    )
    decided_by = {line["decided_by"] for line in observations}
    assert decided_by == set(at("observation", "properties decided_by enum"))


def test_results_that_the_code_makes_and_takes_are_results_by_the_schema() -> None:
    """Protects driver authors: what the schema allows at its least and most, the harness reads."""
    made = [result.to_dict() for result in schema_samples.results()]
    assert {fault for result in made for fault in faults("client-result", result)} == set()
    least = {"contract": 1, "id": "c", "outcome": "timeout"}
    assert faults("client-result", least) == []
    assert contract.ClientResult.from_json(json.dumps(least)).outcome == "timeout"
    more = {**SAMPLES["client-result"], "mood": "good"}
    assert faults("client-result", more) == []
    assert contract.ClientResult.from_json(json.dumps(more)) == schema_samples.RESULT


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize(
    "offer", [*STANDARD_OFFERS, Offer(Protocol.SSLv3, Protocol.TLSv1_2)], ids=str
)
@pytest.mark.parametrize("login", [None, schema_samples.REQUEST.credentials])
def test_requests_keep_the_schema(
    implicit: bool, offer: Offer, login: contract.Credentials | None
) -> None:
    """Protects drivers: all that may be asked of them is in the published form."""
    request = replace(schema_samples.REQUEST, implicit_tls=implicit, offer=offer, credentials=login)
    assert faults("client-request", json.loads(request.to_json())) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_good_and_no_key_of_it_may_go(name: str) -> None:
    """Protects readers: what the code writes is valid, and every required key is really there."""
    sample = SAMPLES[name]
    assert faults(name, sample) == []
    for key in schema(name)["required"]:
        assert faults(name, {other: sample[other] for other in sample if other != key}), key
    if name not in OPEN:
        known = set(schema(name)["properties"])
        assert set(schema(name)["required"]) | LATER.get(name, set()) == known
        assert set(sample) | LATER.get(name, set()) == known


def test_runs_and_instances_in_every_state_keep_their_schema() -> None:
    """Protects killed runs and rejected configs: their files are as valid as a success's."""
    assert faults("run", schema_samples.run(finished=False)) == []
    assert faults("instance", schema_samples.instance(started=False)) == []


def test_images_of_a_resumed_run_keep_the_schema() -> None:
    """Protects resumed runs: images as read back from run.json are written as valid again."""
    data = copy.deepcopy(SAMPLES["run"])
    for name, image in data["images"].items():
        read = TypeAdapter(run_json.ImageInfo).validate_python(image)
        known = {key: value for key, value in asdict(read).items() if value is not None}
        assert known.items() >= {key: v for key, v in image.items() if v is not None}.items()
        data["images"][name] = known
    assert faults("run", json.loads(json.dumps(data))) == []


@pytest.mark.parametrize(
    ("name", "path", "wrong"),
    [
        ("observation", "outcome", "ok"),
        ("observation", "stage", "handshake"),
        ("observation", "reason", "closed"),
        ("observation", "decided_by", "server"),
        ("observation", "service", "a b"),
        ("observation", "offer", "TLSv1.4"),
        ("observation", "client_saw protocol", "TLS 1.0"),
        ("observation", "server_saw bits", "256"),
        ("observation", "agree", None),
        ("observation", "client_saw", None),
        ("observation", "control", "debian-12/defaults/smtp/c/TLSv1"),
        ("observation", "config", "5a"),
        ("observation", "seconds", -1),
        ("observation", "schema", 2),
        ("observation", "mood", "good"),
        ("run", "finished", None),
        ("run", "summary", None),
        ("run", "started", "yesterday"),
        ("run", "axes services", ["smtp", "a b"]),
        ("run", "axes offers", ["TLSv1", "tls1.2"]),
        ("run", "axes builds", []),
        ("run", "summary outcomes ok", 3),
        ("run", "summary planned", 0),
        ("run", "images debian-12 kind", "helper"),
        ("run", "images sasl postfix", "3.7.11"),
        ("run", "images debian-12 describe", {}),
        ("run", "images debian-12 id", "latest"),
        ("run", "images debian-12 unverified", "yes"),
        ("run", "images debian-12 flavour", "vanilla"),
        ("run", "images debian-12 read_back openssl", "3.0.22"),
        ("run", "images debian-12 read_back postfix", None),
        ("run", "images debian-12 build_log", 3),
        ("run", "images sasl foreign", True),
        ("run", "images openssl-1.0.2h unverified", True),
        ("run", "images openssl-1.0.2h flavour", "legacy"),
        ("run", "missing 0 category", "weather"),
        ("run", "mood", "good"),
        ("evidence", "request credentials password", "hunter2"),
        ("evidence", "request port", 0),
        ("evidence", "client outcome", "config-rejected"),
        ("evidence", "client mood", "good"),
        ("evidence", "log", "one line"),
        ("instance", "files /etc/ssl/x.pem", "test certificate"),
        ("instance", "started", "yes"),
        ("client-request", "tls", "always"),
        ("client-request", "offer lowest", "TLSv9"),
        ("client-request", "time_limit", 0),
        ("client-request", "message cc", "x@sink.test"),
        ("client-result", "outcome", "config-rejected"),
        ("client-result", "outcome", "refused"),
        ("client-result", "protocol", "TLS1"),
        ("client-result", "bits", "256"),
        ("client-result", "reply", {"code": "250", "text": "Ok"}),
        ("client-result", "local_address", "172.18.0.4"),
        ("client-describe", "offers", ["TLSv9"]),
        ("client-describe", "contract", 2),
        ("scan", "accepted 0 code", "0x2f"),
        ("scan", "accepted 0 protocol", "TLS 1.0"),
        ("scan", "accepted 0 weakest_in", ["colour"]),
        ("scan", "certificates 0 expires", "soon"),
        ("scan", "order TLSv1", "nobody"),
        ("scan", "dh_bits DHE", []),
        ("scan", "weakest colour", ["red"]),
        ("scan", "mood", "good"),
        ("images-list", "images 0 state", "gone"),
        ("images-list", "images 0 bytes", 0),
        ("images-build", "images 0 state", "unbuilt"),
        ("images-build", "images 0 id", "latest"),
        ("images-push", "images 0 digest", "sha256:1"),
        ("images-check", "checks 0 verdict", "ok"),
        ("images-check", "versions mood", "good"),
        ("clients-check", "describe", None),
        ("images-reachable", "branches 0 product", "stunnel"),
        ("catalog-list", "records 0 kind", "package"),
        ("catalog-list", "records 0 sources 0 sha256", "5a"),
        ("catalog-list", "records 0 sources", []),
    ],
)
def test_what_is_wrong_is_refused(name: str, path: str, wrong: object) -> None:
    """Protects the schemas' worth: one wrong value in a good object is found."""
    data = copy.deepcopy(SAMPLES[name])
    *way, last = path.split()
    part: Any = data
    for key in way:
        part = part[int(key) if isinstance(part, list) else key]
    part[last] = wrong
    assert faults(name, data)
