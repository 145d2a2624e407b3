"""RTP media: the vectorised engine, the worker process around it, and the messages that drive it.

`media` knows nothing of SIP, queues or menus; it never imports `softswitch`, `acd` or `ivr`.
"""
