"""The script that writes files into a container."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.targets.file_script import write_files_script
from harness.targets.lab import FileSpec

SHELLS = ("sh", "bash")


@pytest.mark.parametrize("shell", SHELLS)
def test_files_are_written_with_their_modes(shell: str, tmp_path: Path) -> None:
    """A private key that others may read is refused by Postfix, or warned of."""
    key, main_cf = tmp_path / "etc" / "a key", tmp_path / "etc" / "main.cf"
    script = write_files_script(
        {str(key): FileSpec("secret\n", 0o600), str(main_cf): FileSpec("x = $y\n")}
    )
    subprocess.run([shell, "-ec", script], check=True)
    assert [key.read_text(), main_cf.read_text()] == ["secret\n", "x = $y\n"]
    assert [stat.S_IMODE(path.stat().st_mode) for path in (key, main_cf)] == [0o600, 0o644]
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o755


@pytest.mark.parametrize("shell", SHELLS)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(codec="utf-8")))
def test_any_text_is_written_as_it_is(shell: str, tmp_path: Path, text: str) -> None:
    """Quotes, backslashes, line ends and NULs of a configuration are what is to be measured."""
    path = tmp_path / "file"
    subprocess.run(
        [shell], input=write_files_script({str(path): FileSpec(text)}).encode(), check=True
    )
    assert path.read_bytes() == text.encode()


def test_a_folder_in_the_place_of_a_file_ends_the_script(tmp_path: Path) -> None:
    """Otherwise Postfix would be measured without the file."""
    script = write_files_script({str(tmp_path): FileSpec("")})
    assert subprocess.run(["sh", "-ec", script], capture_output=True, check=False).returncode
    assert write_files_script({}) == ""
