"""`cc`: the administrator's command line."""
