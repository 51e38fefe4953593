"""What ``postfix-matrix doctor`` finds out: whether this machine can measure, and what it needs."""
