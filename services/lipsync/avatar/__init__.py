"""Avatars: reading pictures and videos, finding the face, preparing frames and landmarks for engines."""

from services.lipsync.avatar.clip import Avatar, AvatarKind

__all__ = ["Avatar", "AvatarKind"]
