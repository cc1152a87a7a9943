# What a checkout can do. Everything here may be run again: what is there already is not fetched, built or made twice.

.PHONY: build demo test kafka-clients client-suites crash-test torture fuzz sanitize bench-peers bench-server bench-tasks bench-targets bench-plots bench-micro format lint clean

SWIFT_TOOL = --traits Tool

# The library and the command line, optimised.
build:
	Scripts/install-system-packages
	swift build -c release $(SWIFT_TOOL)

# Real input through a store: Debian's package log and 336,776 flights.
demo: build
	Scripts/demo

# Every test. Needs nothing but what it installs itself.
test:
	Scripts/install-system-packages
	Scripts/test

# Kafka's clients, unchanged, against `sluice serve`; the table goes to Docs/KafkaCompatibility.md.
kafka-clients: build
	Scripts/kafka-clients --write

# The test suites of Kafka's clients against `sluice serve`: half an hour; the table goes to Docs/KafkaCompatibility.md.
client-suites: build
	Scripts/client-suites --write

# The program killed before every call that changes a file: three and a half minutes.
crash-test: build
	Scripts/crash-test .build/release/sluice

# All that tries to make a store lose something, for an hour; the figures go to Docs/HowTested.md.
torture:
	Scripts/install-system-packages
	Scripts/torture --write

# Every decoder, and the recovery of a whole store, with inputs that a fuzzer makes: twenty seconds each.
fuzz:
	Scripts/install-system-packages
	Scripts/fuzz

# The engine's tests under ThreadSanitizer and AddressSanitizer.
sanitize:
	Scripts/install-system-packages
	Scripts/sanitize

# Beside Redis Streams, SQLite, RocksDB and NATS, in turns; the table goes to Docs/Benchmarks.md.
bench-peers: build
	Scripts/bench-peers --write

# The server beside another broker with Kafka's protocol, in turns; the table goes to Docs/Benchmarks.md.
bench-server: build
	Scripts/bench-server --write

# Tasks beside Celery with Redis, in turns; the table goes to Docs/Benchmarks.md.
bench-tasks: build
	Scripts/bench-tasks --write

# What the store is to reach, measured: half an hour; the table goes to Docs/Benchmarks.md.
bench-targets: build
	Scripts/bench-targets --write

# The plots of Docs/Benchmarks.md, measured anew.
bench-plots: build
	Scripts/bench-plots

# Instructions and allocations of the engine's parts, each alone, against their thresholds: needs valgrind.
bench-micro:
	Scripts/install-system-packages
	Scripts/bench-micro

format:
	swift format --in-place --parallel --recursive Package.swift Sources Tests Fuzzing/Sources

lint:
	swift format lint --strict --parallel --recursive Package.swift Sources Tests Fuzzing/Sources

clean:
	rm -rf .build .build-python .build-clients .build-suites .build-simulation .build-planted .build-fuzzing .build-sanitize-thread .build-sanitize-address .demo
