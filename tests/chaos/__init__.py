"""The crash matrix: `python -m tests.chaos --seed N --runs N` (or `make chaos`).

It starts a private PostgreSQL and RabbitMQ, two web processes and two workers. Users send, read and
reconnect, while one or two parts are killed or frozen, at random moments and at named steps. In the end
every client's ledger is compared with what was accepted.

stack     the services and processes, and how each is killed, frozen and started again
steps     loaded into the server processes: dies at a named step on request
faults    the list of faults
crowd     the clients, each behind a connection that is cut again and again
load      the traffic: sends, reads and badges
producer  a process that sends inside its own transactions
run       one run: load, fault, recovery, verdict
report    the table
outage    a stack for a single test, which stops one part of it
"""
