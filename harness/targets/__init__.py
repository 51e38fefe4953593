"""The servers of a run: Postfix instances, controls, peers, their PKI, SASL and mail log."""
