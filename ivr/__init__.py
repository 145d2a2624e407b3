"""Voice menus: flows as graphs, and one caller's walk through them. Pure: no clock, no socket, no SIP."""
