"""The service scaled out: `python -m tests.cluster` (or `make cluster`).

Three RabbitMQ nodes as one cluster, three web processes behind nginx (with the configuration of
docs/deploy.md), two workers and PostgreSQL. Users send, read and reconnect, as in the crash matrix
(tests/chaos), while each node and each web process is killed in turn; in the end every accepted notification is checked.

stack     the parts and their connections
campaign  kills one part after the other, and measures what the clients notice
"""
