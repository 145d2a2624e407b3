"""Questions to databases and web services: each of them one module without a loop of its own."""
