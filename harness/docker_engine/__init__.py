"""How the harness talks to Docker: sessions, long calls, short-lived containers, locks."""
