"""What measures. Each scenario starts a site of its own and prints its figures; `make bench` runs them all.

stage      a running site, the machine it runs on, quantiles
latency    POST → frame, durable and acked
jitter     500 clients whose connections are cut again and again
avalanche  the gateway killed under 2,000 clients
slow       ten fast readers and one at 1 KB/s

A time depends on the machine: what is asserted are promises (nothing lost, doubled or late for ever),
never a time.
"""
