"""postfix-matrix under its own name; ``harness`` is the same package under its name in the source.

What other projects may import is :mod:`postfix_matrix.api`.
"""

from harness import __version__

__all__ = ["__version__"]
