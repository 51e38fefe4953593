"""Where the code finds images/ and scenarios/: in a checkout, in an installed wheel, nowhere."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness import paths
from harness.errors import InfrastructureError

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.xdist_group("wheel")  # one worker, so that the wheel is built once


def test_checkout_folders_are_found_next_to_the_package() -> None:
    """In a checkout, people edit images/ and scenarios/ at its top: those must be the ones used."""
    assert paths.images_dir() == ROOT / "images"
    assert paths.scenarios_dir() == ROOT / "scenarios"


def test_installation_without_the_folders_says_so(tmp_path: Path) -> None:
    """A broken installation must end in a message with both places, not in a traceback later."""
    with pytest.raises(InfrastructureError) as caught:
        paths._data_dir("images", tmp_path / "harness")
    assert str(tmp_path / "images") in str(caught.value)
    assert str(tmp_path / "harness" / "_data" / "images") in str(caught.value)


def test_another_packages_folder_in_site_packages_is_not_used(tmp_path: Path) -> None:
    """Another package may install a top-level folder named images; ours is inside the package."""
    (tmp_path / "images").mkdir()
    ours = tmp_path / "harness" / "_data" / "images"
    ours.mkdir(parents=True)
    assert paths._data_dir("images", tmp_path / "harness") == ours


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel that this checkout builds; returns its Python."""
    work = tmp_path_factory.mktemp("wheel")
    python = work / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    build = ["wheel", "--no-index", "--no-deps", "--no-build-isolation", "-w", str(work), str(ROOT)]
    _run([*pip, *build])
    _run([sys.executable, "-m", "venv", "--without-pip", str(work / "venv")])
    (wheel,) = work.glob("*.whl")
    _run([*pip, "--python", str(python), "install", "--no-index", "--no-deps", str(wheel)])
    return python


def _run(command: list[str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_installed_wheel_carries_every_file(installed: Path, tmp_path: Path) -> None:
    """From an installed wheel, users get the same images/ and scenarios/, to the byte and the mode.

    An image's tag is a hash over the modes and bytes of its files: were they to differ, an
    installation and a checkout would build everything twice.
    """
    program = "from harness import paths; print(paths.images_dir()); print(paths.scenarios_dir())"
    folders = _run([str(installed), "-c", program], cwd=tmp_path).splitlines()
    assert all(str(installed.parents[1]) in line for line in folders)
    for name, place in zip(["images", "scenarios"], folders, strict=True):
        assert _contents(Path(place)) == _contents(ROOT / name)


def _contents(folder: Path) -> dict[str, tuple[bool, bytes]]:
    """Path below the folder → (executable, bytes), without what Python leaves behind."""
    return {
        str(file.relative_to(folder)): (
            bool(file.stat().st_mode & stat.S_IXUSR),
            file.read_bytes(),
        )
        for file in sorted(folder.rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    }


def test_installed_wheel_carries_the_package_data(installed: Path) -> None:
    """The catalog's records and the report's page are no Python files and must come along too."""
    (package,) = (installed.parents[1] / "lib").glob("python*/site-packages/harness")
    for pattern in ("catalog/data/*.toml", "reports/page/*"):
        expected = {str(f.relative_to(ROOT / "harness")) for f in (ROOT / "harness").glob(pattern)}
        assert expected, f"nothing in the checkout fits {pattern}"
        assert {str(f.relative_to(package)) for f in package.glob(pattern)} == expected
