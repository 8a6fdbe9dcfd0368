"""The six GANs, a file each: settings, networks and losses."""
