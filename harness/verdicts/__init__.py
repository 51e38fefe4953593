"""Expectations held against observations."""
