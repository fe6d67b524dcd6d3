"""Mouthpiece: text or speech plus a face in, a talking-avatar MP4 out."""

__version__ = "0.1.0"
