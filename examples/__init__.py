"""Example applications: the demo shop, a bookshop, and an orders application."""
