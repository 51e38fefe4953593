"""postfix-matrix: finds out what Postfix's TLS settings really do, one real handshake a cell."""

__version__ = "0.1.0"
