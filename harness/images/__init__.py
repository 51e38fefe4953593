"""Building the images: recipes, base images, builds, provenance, pruning."""
