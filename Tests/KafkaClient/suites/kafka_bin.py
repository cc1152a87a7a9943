"""Stands in for the scripts of Kafka's distribution that the clients' suites call, with `sluice serve` for the broker.

    kafka_bin.py TOOL SCRIPT ARGUMENT...

SCRIPT is kafka-run-class.sh (which starts the broker), kafka-topics.sh or kafka-storage.sh (there is nothing for it).
Scripts/client-suites writes the properties that are read here.
"""

import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

# Settings that `sluice serve` has not, and without which a test that gives them comes out the same.
NOT_THERE = ["file.delete.delay.ms", "max.compaction.lag.ms"]


def read(path):
    """A file of `name=value` lines."""
    return dict(line.split("=", 1) for line in pathlib.Path(path).read_text().splitlines() if "=" in line)


def certificate(folder):
    """The broker's certificate, signed by the authority that the suite has made in the folder."""
    key, request, signed = folder / "broker-key.pem", folder / "broker.csr", folder / "broker.pem"
    names = folder / "names"
    names.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    subprocess.run(["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request,
                    "-subj", "/CN=localhost"], check=True, capture_output=True)
    subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", folder / "ca-cert", "-CAkey", folder / "ca-key",
                    "-CAcreateserial", "-days", "1", "-extfile", names, "-out", signed],
                   check=True, capture_output=True)
    return ["--tls-cert", signed, "--tls-key", key]


def broker(tool, properties):
    properties = read(properties)
    store, address = pathlib.Path(properties["directory"]) / "data/store", f"127.0.0.1:{properties['port']}"
    options = ["--store", store, "--listen", address, "--partitions", properties["partitions"]]
    if properties["auto_create"] == "True":
        options.append("--auto-create")
    if properties["transport"].startswith("SASL"):
        options.append("--sasl")
    if properties["transport"].endswith("SSL"):
        options += certificate(pathlib.Path(properties["ssl"]))
    process = subprocess.Popen([tool, "serve", *options])
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    for _ in range(100):
        try:
            socket.create_connection(address.split(":"), 1).close()
            break
        except OSError:
            time.sleep(0.1)
    login = re.search(r'username="(.*?)" password="(.*?)"', properties.get("login", ""))
    if login:
        subprocess.run([tool, "user", "create", login[1], "--store", store], check=True, capture_output=True,
                       input=login[2].encode() + b"\n")
        print(f"Replayed UserScramCredentialRecord creating new entry for {login[1]}", flush=True)
    print(f"[KafkaRaftServer nodeId={properties['node']}] Kafka Server started", flush=True)
    return process.wait()


def topics(arguments):
    """kafka-topics.sh, as far as the suites use it."""
    from kafka import KafkaAdminClient
    from kafka.admin import NewPartitions, NewTopic

    options, configs, flags, words = {}, {}, set(), iter(arguments)
    for word in words:
        if word in ["--create", "--alter", "--delete", "--list", "--if-not-exists"]:
            flags.add(word)
        elif word == "--config":
            name, value = next(words).split("=", 1)
            if name not in NOT_THERE:
                configs[name] = value
        else:
            options[word] = next(words)
    login = read(options["--command-config"]) if "--command-config" in options else {}
    settings = {name: login[name] for name in ["security_protocol", "sasl_mechanism"] if name in login}
    if login:
        user = re.search(r'username="(.*?)" password="(.*?)"', login["login"])
        settings |= {"sasl_plain_username": user[1], "sasl_plain_password": user[2]}
    admin = KafkaAdminClient(bootstrap_servers=options["--bootstrap-server"], **settings)
    name, partitions = options.get("--topic"), int(options.get("--partitions", -1))
    if "--create" in flags:
        replicas = int(options.get("--replication-factor", -1))
        admin.create_topics([NewTopic(name, partitions, replicas, topic_configs=configs)])
    elif "--alter" in flags:
        admin.create_partitions({name: NewPartitions(partitions)})
    elif "--delete" in flags:
        admin.delete_topics([name])
    else:
        print("\n".join(sorted(admin.list_topics())))
    admin.close()


def main(tool, script, *arguments):
    if script == "kafka-run-class.sh":
        return broker(tool, arguments[-1])
    if script == "kafka-topics.sh":
        return topics(arguments)
    return 0


sys.exit(main(*sys.argv[1:]))
