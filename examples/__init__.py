"""Example applications: the demo shop, and an orders application."""
