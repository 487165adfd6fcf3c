"""What measures, beside what people would pick instead.

`make bench` runs it all, which takes the better part of an hour; `make bench SCENARIO=burst ROUNDS=1` one
scenario once. Nothing else should run on the machine meanwhile.

Scenarios: latency, burst, python_api, broadcast, idle, through, storm (with peers); queues, sql, growth,
purge, slow, jitter, avalanche (our side alone). Each module asks one question;
`python -m bench burst --pilot` looks whether it runs, `--size count=500` changes a size.

run, scenario, samples, machine   rounds, medians, and the file with everything that was measured
load, target                      the load generator, in a process of its own
ours, sides, peers                what is measured; `make bench-peers` tests the peer that promises the same,
                                  `python -m bench.peers.kills` counts what each pipeline loses on a kill
stage                             clients with a ledger, for jitter, avalanche and the slow reader
million                           a database with a million deliveries
send, publish                     an application that sends, a publisher past the pipeline
report, plot                      write docs/benchmarks.md from bench/results and bench/findings.md

A time depends on the machine: what is asserted are promises (nothing lost, doubled or late for ever),
never a time.
"""
