"""Drawings of flows: the graph (`chart`), where its boxes stand (`layers`), and the SVG (`svg`)."""
