"""What works on this project beside the product."""
