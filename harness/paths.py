"""The folders of the files that are not Python: what Docker builds, and the scenarios.

In a checkout they are the folders ``images/`` and ``scenarios/`` next to the package; a wheel
carries the same folders inside the package, as ``harness/_data/`` (pyproject.toml, hatch).
"""

from __future__ import annotations

from pathlib import Path

from harness.errors import InfrastructureError

PACKAGE = Path(__file__).resolve().parent


def images_dir() -> Path:
    """The folder with what Docker builds: one sub-folder with a Dockerfile per recipe.

    Raises:
        InfrastructureError: neither a checkout nor a complete installation.
    """
    return _data_dir("images")


def scenarios_dir() -> Path:
    """The folder with the scenarios that come with the tool: one sub-folder each.

    Raises:
        InfrastructureError: neither a checkout nor a complete installation.
    """
    return _data_dir("scenarios")


def cache_dir() -> Path:
    """The folder for sources, build logs and data that was read from images."""
    # Imported here, so that the two folders above can be found without any dependency.
    import platformdirs

    return Path(platformdirs.user_cache_dir("postfix-matrix"))


def _data_dir(name: str, package: Path = PACKAGE) -> Path:
    checkout = package.parent
    # pyproject.toml distinguishes a checkout from a site-packages with a folder of that name.
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    installed = package / "_data" / name
    if installed.is_dir():
        return installed
    raise InfrastructureError(
        f"the folder {name}/ that comes with postfix-matrix is missing",
        cause=f"neither {checkout / name} nor {installed} exists: the installation is incomplete",
        next_step="install the wheel again, or work in a complete checkout",
    )
