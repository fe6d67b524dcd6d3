"""The merger: chunks and speech in, one movie out."""
