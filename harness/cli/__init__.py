"""The command line ``postfix-matrix``."""
