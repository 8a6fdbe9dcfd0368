"""What every layer shares: errors, configuration, names, seeds, file formats. Imports no torch and no layer above."""
