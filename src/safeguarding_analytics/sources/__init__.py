"""One small module per foreign format; each turns its format into one of our tables."""
