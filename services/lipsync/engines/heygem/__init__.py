"""HeyGem (Duix.Avatar) containers: one per worker, driven over HTTP and a shared folder."""
