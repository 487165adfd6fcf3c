"""Floods of an ordinary kind, and good clients that should not notice.

attack     what the attackers do, in a process of its own
run        a flood beside good clients, balanced
__main__   `make flood`: the full size, with a table
"""
