"""Floods of an ordinary kind, and good clients that should not notice.

attack     the attackers, in a process of their own
run        a flood beside good clients, every alert checked
__main__   `make flood`: the full size, with a table
"""
