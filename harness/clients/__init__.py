"""Real SMTP clients behind one contract: requests in, results out, one JSON object a line."""
