"""Wan2.2-S2V: portrait, speech and prompt become video in a chain of clips."""
