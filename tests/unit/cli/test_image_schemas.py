"""What the commands about images, clients and the catalog print as JSON keeps its schema."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.catalog.builds import all_distributions
from harness.catalog.releases import PRODUCTS, all_packages, all_releases
from harness.cli.images_json import client_report_data, image_report_data
from harness.cli.main import run_cli
from harness.conformance.client_checks import ClientReport
from harness.conformance.image_checks import ImageReport
from harness.errors import ExitCode
from harness.images.batch_build import BuildState
from harness.images.registry_pusher import PushState
from tests.schema_files import faults
from tests.unit import image_samples

DIGEST = image_samples.DIGEST


def test_each_outcome_of_building_and_pushing_is_in_a_sample() -> None:
    """Protects scripts: a state that is added later must be held against the schema too."""
    assert {result.state for result in image_samples.ORDERED} == set(BuildState)
    assert {result.state for result in image_samples.PUSHED} == set(PushState)


def test_an_image_that_cannot_be_examined_keeps_the_schema() -> None:
    """Protects a check of an image without Postfix, or of a client whose driver is none."""
    image = image_report_data(ImageReport("theirs:1", DIGEST, image_samples.CHECKS, None))
    assert faults("images-check", json.loads(json.dumps(image))) == []
    client = client_report_data(ClientReport("theirs:1", DIGEST, {}, image_samples.CHECKS))
    assert faults("clients-check", json.loads(json.dumps(client))) == []
    assert (image["keeps_contract"], client["keeps_contract"]) == (False, False)


@pytest.mark.parametrize("options", [("--json",), ("--format", "json")])
def test_the_whole_catalog_keeps_its_schema(
    options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects readers of 'catalog list': every record is of a published kind; both options work.

    The number of records is the catalog's, so that none is left out.
    """
    assert run_cli(["catalog", "list", *options]) == ExitCode.OK
    data: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert faults("catalog-list", data) == []
    known = [record for name in PRODUCTS for record in (*all_releases(name), *all_packages(name))]
    assert len(data["records"]) == len(known) + len(all_distributions())
    kinds = {record["kind"] for record in data["records"]}
    assert kinds == {"release", "package", "distribution"}


def test_text_is_the_default_form(capsys: pytest.CaptureFixture[str]) -> None:
    """Protects people: the option that scripts use changes nothing for them."""
    assert run_cli(["catalog", "list", "stunnel"]) == ExitCode.OK
    listed = capsys.readouterr().out
    assert run_cli(["catalog", "list", "stunnel", "--format", "text"]) == ExitCode.OK
    assert capsys.readouterr().out == listed
    assert listed.startswith("stunnel-5.68 ")
