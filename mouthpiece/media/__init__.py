"""Encoding, reading and joining of video and sound; PyAV and numpy only."""
