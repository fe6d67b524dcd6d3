"""Text as people write it: scripts, sentences. Pure, and shared by the gateway and the speech service."""
