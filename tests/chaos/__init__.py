"""The crash matrix: `python -m tests.chaos --seed N --runs N` (or `make chaos`).

It starts a PostgreSQL, a RabbitMQ, two web processes, two workers of its own, lets users send,
read and reconnect, kills and freezes one part or two at random moments and at named steps, and then holds
every client's ledger against what was accepted.

stack     the services and processes, and how each is killed, frozen and brought back
steps     loaded into the server processes: dies at a named step when it is told to
faults    the catalogue of faults
crowd     the clients, each behind a connection that is cut again and again
load      who sends, reads and badges
producer  a process that sends inside its own transactions
run       one run: load, fault, recovery, verdict
report    the table
outage    a stack as a single test sees it, from which it takes one part away
"""
