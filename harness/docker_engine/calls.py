"""Calls to the Docker engine whose responses take minutes, and which can be cancelled.

docker-py's own ``build``, ``pull`` and ``import_image`` give no access to their connection, and the
engine ends a build only when the connection ends. So these calls use the same client, but keep
the response, whose connection they can close.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, suppress
from typing import Any, BinaryIO

import requests
from docker import APIClient

from harness.docker_engine.cancel import Cancel
from harness.errors import InfrastructureError

_TAR = {"Content-Type": "application/x-tar"}


def stream_objects(
    api: APIClient,
    path: str,
    params: Mapping[str, str],
    cancel: Cancel,
    *,
    method: str = "POST",
    body: BinaryIO | None = None,
    headers: Mapping[str, str] | None = None,
    time_limits: tuple[float | None, float | None] = (None, None),
) -> Generator[dict[str, Any], None, None]:
    """Send a request to the engine, and yield the JSON objects of its response as they arrive.

    ``time_limits`` are for connecting and for the wait between two chunks, in seconds. Closing the
    generator early ends the connection, and with it the engine's work.

    Raises:
        Cancelled: the user cancelled the work.
        InfrastructureError: the engine refused, or the connection broke.
    """
    url = f"{api.base_url}/v{api.api_version}{path}"
    try:
        response = api.request(
            method,
            url,
            params=dict(params),
            data=body,
            headers={**_TAR, **(headers or {})},
            stream=True,
            timeout=time_limits,
        )
        with closing(response), cancel.closing(lambda: _shut_down(response)):
            if not response.ok:
                raise InfrastructureError(f"the Docker engine refused: {_error_message(response)}")
            yield from _parse_objects(response)
    except requests.RequestException as error:
        raise InfrastructureError(
            f"the connection with the Docker engine broke: {error}",
            cause="the engine was stopped, or is too busy to answer",
            next_step="see that 'docker info' answers, then try again",
        ) from error


def _parse_objects(response: requests.Response) -> Iterator[dict[str, Any]]:
    """Parse the response's JSON objects, which line ends separate."""
    for line in response.iter_lines(chunk_size=None):
        if line.strip():
            yield json.loads(line)


def _error_message(response: requests.Response) -> str:
    """The engine's message, ``{"message": "..."}``; else the response's text, or its status."""
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return response.text.strip() or f"HTTP {response.status_code}"


def _shut_down(response: requests.Response) -> None:
    """End a connection whose response another thread is reading; ``close`` would wait for that."""
    with suppress(OSError, ValueError):
        response.raw.shutdown()
