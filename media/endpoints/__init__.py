"""Processes beside the engine that speak what it does not; to the engine every leg is an RTP leg."""
