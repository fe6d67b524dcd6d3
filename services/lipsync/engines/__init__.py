"""Engines: ways of making a face talk."""
