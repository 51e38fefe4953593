"""Making the images: sources fetched and verified, recipes, building, provenance."""
