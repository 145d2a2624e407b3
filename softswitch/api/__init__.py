"""The one control surface: HTTP and JSON, used by `cc`, by web pages and by integrators."""
