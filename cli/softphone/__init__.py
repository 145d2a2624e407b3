"""A softphone without a sound card, in a process of its own.

`python -m cli.softphone` is that process: JSON lines in (commands), JSON lines out (events), see `messages`.
Only that process imports pjsua2, which is GPL; whoever drives it (`client.Softphone`, `cc phone`, the demo,
the tests) talks to it over pipes and stays free of it.
"""
