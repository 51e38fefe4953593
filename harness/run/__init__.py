"""How a run is carried out: planning, resources, measuring, control checks, bisection."""
