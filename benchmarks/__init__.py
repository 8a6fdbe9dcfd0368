"""Speed, measured against a plain loop or a bound: ``python -m benchmarks.NAME``."""
