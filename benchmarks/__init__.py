"""``make bench``: the engine against a bare handshake loop, on one server (docs/benchmarks.md)."""
