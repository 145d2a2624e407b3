"""The shells: sockets, clock, timers, DNS and the processes that carry media. All I/O of the signalling is
here.

Each shell is thin: bytes in, `(data, flow)` out; the cores decide. Nothing that comes from the network raises
here.
"""
