"""Records of runs, and the tables that are written from them."""
