"""Print the workflow run that the newest artifact of a branch is from; nothing where none is.

Standard input is GitHub's list of artifacts (REST API, "List artifacts for a repository"). An
artifact counts that has not expired and was made by this repository's own branch: what a fork's
pull request measured is never taken over.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def find_newest(artifacts: list[dict[str, Any]], branch: str) -> int | None:
    """The id of the workflow run of the newest artifact."""
    usable = [
        artifact
        for artifact in artifacts
        for run in (artifact["workflow_run"] or {},)
        if not artifact["expired"]
        and run.get("head_branch") == branch
        and run.get("head_repository_id") == run.get("repository_id")
    ]
    if not usable:
        return None
    return int(max(usable, key=lambda artifact: str(artifact["created_at"]))["workflow_run"]["id"])


if __name__ == "__main__":
    run_id = find_newest(json.load(sys.stdin)["artifacts"], sys.argv[1])
    if run_id is not None:
        print(run_id)
