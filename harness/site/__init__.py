"""The published site: static pages, data and feeds of the newest observation of every cell."""
