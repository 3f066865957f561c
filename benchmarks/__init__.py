"""Load generators and measurements; what they print is written down in RESULTS.md."""
