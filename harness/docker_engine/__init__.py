"""How the harness uses Docker: sessions, long calls, short-lived containers, locks."""
