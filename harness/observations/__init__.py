"""What was seen: the record, how it is decided from both sides' evidence, the append-only journal."""
