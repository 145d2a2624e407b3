"""The switch: SIP, calls, storage, API and the composition of it all."""
