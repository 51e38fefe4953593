"""What was seen: the record, how both sides' evidence decides it, the append-only journal."""
