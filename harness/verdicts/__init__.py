"""Expectations held against observations: verdicts, effects, borders. Pure; needs no Docker."""
