"""What every layer shares: errors, configuration, names, seeds and file formats. Imports neither torch nor a layer above."""
