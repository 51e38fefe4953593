"""What is tested against: the Docker engine, running Postfix instances, PKI, SASL, the mail log."""
