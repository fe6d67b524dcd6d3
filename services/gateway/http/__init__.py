"""HTTP in front of the gateway: the same functions as gRPC, for browsers and for clients of older systems."""
