"""Probe the Docker engine that the harness would use, through the same library.

With ``--registry``: whether the engine reaches the registry that base images are pulled from.
Prints one line. Exit code 0: yes; 1: no; 2: the engine runs, but this user may not use it.
"""

from __future__ import annotations

import sys

import docker
from docker.errors import DockerException

#: Seconds for one request: even an engine that is busy building answers faster.
TIMEOUT = 20
REGISTRY_IMAGE = "debian:bookworm-slim"


def main(arguments: list[str]) -> int:
    """Probe once; see the module for the exit code."""
    try:
        client = docker.from_env(timeout=TIMEOUT)
        version = client.version()
        if "--registry" in arguments:
            client.images.get_registry_data(REGISTRY_IMAGE)
            print(f"the registry has {REGISTRY_IMAGE}")
        else:
            print(f"version {version['Version']}")
    except (DockerException, OSError) as error:
        cause = root_cause(error)
        print((str(cause) or type(cause).__name__).splitlines()[0])
        return 2 if isinstance(cause, PermissionError) else 1
    return 0


def root_cause(error: BaseException) -> BaseException:
    """The first error of the chain: the libraries wrap the system's error several times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
