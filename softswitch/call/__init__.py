"""Calls: SIP legs as a back-to-back user agent, the dial plan, and what joins menus, queues and media to
them.
"""
