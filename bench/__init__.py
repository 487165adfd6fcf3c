"""Benchmarks of this project beside the alternatives.

`make bench` runs all scenarios, which takes about an hour; `make bench SCENARIO=burst ROUNDS=1` runs one of
them once. Nothing else should run on the machine meanwhile.

Scenarios: latency, burst, batch, python_api, broadcast, idle, through, storm (with peers); due, queues, sql,
growth, scheduled, purge, erasure, slow, jitter, avalanche (our side alone). Each module has one scenario;
`python -m bench burst --pilot` tries it with small sizes, `--size count=500` changes a size.

run, scenario, samples, machine   rounds, medians, and the file with everything that was measured
load, target                      the load generator, in a process of its own
ours, sides, peers                what is measured; `make bench-peers` tests the peer that promises the same,
                                  `python -m bench.peers.kills` counts what each pipeline loses on a kill
stage                             clients with a ledger, for jitter, avalanche and the slow reader
million                           a database with a million deliveries
send, publish                     an application that sends, a publisher past the pipeline
report, plot                      write docs/benchmarks.md from bench/results and bench/findings.md

A time depends on the machine, so no time is asserted, only promises (nothing lost or doubled, everything
arrives).
"""
