"""In which forms people hold a configuration, and how each is read as main.cf and master.cf."""
