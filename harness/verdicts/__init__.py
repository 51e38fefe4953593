"""Compare expectations with observations: verdicts, effects of lines, version boundaries."""
