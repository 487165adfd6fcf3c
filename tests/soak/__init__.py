"""The soak: alerts at a steady rate to sockets that come and go, for a long time (`make soak`).

It watches what must not grow: how far stored acks are behind, memory, file handles, and every table except
those of the log.

visitors  the sockets: each connects, acks, reads, leaves, and returns
samples   what is measured, and whether it stays flat
run       sends, watches, and checks every ledger in the end
"""
