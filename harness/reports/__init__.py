"""Reports made from a run folder alone: terminal, Markdown, CSV, HTML."""
