"""The record of a cell, how both sides' evidence decides it, and the append-only journal."""
