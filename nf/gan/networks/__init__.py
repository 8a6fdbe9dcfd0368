"""Building blocks and networks that several GANs share."""
