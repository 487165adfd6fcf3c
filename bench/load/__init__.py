"""The load generator: sockets by the thousand and POSTs, in a process of its own.

apart     run a piece of load in its own process, and count what it cost
sockets   a crowd of WebSocket clients
dialects  the protocol of each server's clients
http      POSTs over persistent connections

It is small, so that its own cost is low: one asyncio loop, a protocol object for each socket without a
task or a timer of its own, frames cut out of the bytes without parsing their JSON (a title is searched for),
a masking key of zeros, which makes masking no work, and one ack sweep for all sockets. Each result carries
`load_cpu_s`, the processor time that the load generator took.
"""
