"""What a running server accepts: every protocol and cipher, found by elimination."""
