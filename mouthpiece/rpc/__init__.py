"""What all services and clients share about gRPC: statuses, channels, server life cycle, conversions."""
