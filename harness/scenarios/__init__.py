"""What is tried, and what is claimed of it: scenarios, expectations, policies, instances."""
