"""One file per architecture: a builder that returns a body (N, C, H, W) -> (N, features) and its number of features."""
