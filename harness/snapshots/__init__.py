"""Snapshots: recorded behaviour of a configuration, compared with what is measured now."""
