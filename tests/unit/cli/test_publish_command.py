"""``publish``: what of its arguments is refused before anything is read or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.main import run_cli
from harness.errors import ExitCode
from tests.unit.sample_run import write_sample_run


@pytest.mark.parametrize(
    "address",
    [
        "http://[bad", "https://example.org/a b", 'https://ex"><script>/', "ftp://example.org/",
        "https://user:secret@example.org/", "https://example.org/?a=1", "https:///tls/",
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_folder_is_refused(
    tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Feeds and the data have the address: a sentence, no traceback, and no login in public."""
    run = write_sample_run(tmp_path / "run")
    into = tmp_path / "site"
    code = run_cli(["publish", str(run), "--into", str(into), "--base-url", address])
    assert code == ExitCode.USAGE
    assert "is no address of a folder on the web" in capsys.readouterr().err
    assert not into.exists()
