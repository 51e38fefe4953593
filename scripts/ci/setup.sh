#!/usr/bin/env bash
# Step "set up" of action.yml: .venv of this checkout from its locks, and a Docker engine that answers.
#
#   PYTHON   the Python to use, 3.11 or newer
set -euo pipefail
# A CI's runner has an engine; where it has none, say so, and install nothing as root.
export POSTFIX_MATRIX_INSTALL=${POSTFIX_MATRIX_INSTALL:-no}
exec "$(dirname "${BASH_SOURCE[0]}")/../setup" "$@"
