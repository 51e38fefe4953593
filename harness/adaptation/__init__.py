"""What is replaced in a configuration, and what is added, so that it runs on a test machine."""
