"""Sans-IO SIP (RFC 3261 and the extensions named in each module): bytes and a clock in, effects out.

Nothing here knows a socket, a task or the time of day; `softswitch.net` is the shell around it.
"""
