"""One file for each command of ``postfix-matrix``."""
