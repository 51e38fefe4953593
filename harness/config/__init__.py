"""The candidate: main.cf and master.cf overlays, and the scenarios that carry them."""
