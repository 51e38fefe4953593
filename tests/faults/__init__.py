"""Faults injected at random into real runs, and what must hold of each run afterwards."""
