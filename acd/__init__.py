"""The automatic call distributor: who gets which call. Pure: no clock, no socket, no SIP."""
