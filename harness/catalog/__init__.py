"""Releases, builds, clients: what there is, its ids, and selectors over them."""
