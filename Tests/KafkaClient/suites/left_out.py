"""The tests of the clients' suites that are left out, by suite, with the reason of each.

A name that ends in * stands for all that begin so. What the suite itself skips is not here: it says why.
"""

TRANSACTIONS = "transactions: refused"
ACLS = "ACLs: not served"
SHARE = "share groups: not served"
FORMATS = "record formats 0 and 1: refused"
SETTINGS = "settings of topics, groups or the broker that are not there: refused"
REPLICAS = "replicas: needs several brokers"
MOCK = "a test of the client alone, or of the mock broker in it"
MANUAL = "to be run by hand, says the suite"
SCRAM = "users and their passwords are not made by clients"
PLAIN = "PLAIN without TLS: refused"
CONTROLLER = "requests that are not served"
SUITE = "the suite's own broker has another id, or other settings"
OIDC = "OAUTHBEARER: not served"
CLIENT = "an error of the client, mended in librdkafka 2.1.0: it does not end after a topic of its own was deleted"

LIBRDKAFKA = {
    "0081_admin/do_test_CreateAcls": ACLS,
    "0081_admin/do_test_DescribeAcls": ACLS,
    "0081_admin/do_test_DeleteAcls": ACLS,
    "0081_admin/do_test_AlterConfigs": SETTINGS,
    "0081_admin/do_test_IncrementalAlterConfigs": SETTINGS,
    "0081_admin/do_test_DescribeConfigs_groups": SETTINGS,
    "0081_admin/do_test_UserScramCredentials": SCRAM,
    "0092_mixed_msgver": FORMATS,
    "0098_consumer_txn": TRANSACTIONS,
    "0101_fetch_from_follower": REPLICAS,
    "0103_transactions": TRANSACTIONS,
    "0109_auto_create_topics": ACLS,
    "0115_producer_auth": ACLS,
    "0119_consumer_auth": ACLS,
    "0126_oauthbearer_oidc": OIDC,
    "0129_fetch_aborted_msgs": TRANSACTIONS,
    "0142_reauthentication": "connections.max.reauth.ms is 0: nobody is asked twice",
    "0170_*": SHARE, "0171_*": SHARE, "0172_*": SHARE, "0173_*": SHARE, "0174_*": SHARE, "0175_*": SHARE,
    "0176_*": SHARE, "0177_*": SHARE, "0178_*": SHARE, "0179_*": SHARE, "0180_*": SHARE, "0181_*": SHARE,
    "0184_*": SHARE, "0185_*": SHARE, "0190_*": SHARE,
}

ADMIN = "test/integration/test_admin_integration.py::"
PRODUCER = "test/integration/test_producer_integration.py::"
SASL = "test/integration/test_sasl_integration.py::"

LEFT_OUT = {
    "librdkafka-2.0": LIBRDKAFKA | {
        "0052_msg_timestamps": FORMATS,
        "0107_topic_recreate": CLIENT,
    },
    "librdkafka-2": LIBRDKAFKA,
    # Where clients log in, 0109 leaves ACLs out by itself, and these use them.
    "librdkafka-2-secure": {name: why for name, why in LIBRDKAFKA.items() if name != "0109_auto_create_topics"} | {
        "0081_admin/do_test_DescribeCluster": ACLS,
        "0081_admin/do_test_DescribeTopics": ACLS,
        "0081_admin/do_test_DescribeConsumerGroups_with_authorized_ops": ACLS,
    },
    "kafka-python-3": {
        ADMIN + "test_create_describe_delete_acls": ACLS,
        ADMIN + "test_describe_configs_broker_resource_returns_configs": SETTINGS,
        ADMIN + "test_create_partitions": SUITE,
        "test/integration/test_consumer_integration.py::test_group": SUITE,
        ADMIN + "test_elect_leaders": CONTROLLER,
        ADMIN + "test_alter_replica_log_dirs": CONTROLLER,
        ADMIN + "test_describe_metadata_quorum": CONTROLLER,
        ADMIN + "test_alter_partition_reassignments": CONTROLLER,
        ADMIN + "test_list_partition_reassignments": CONTROLLER,
        ADMIN + "test_describe_topic_partitions": CONTROLLER,
        ADMIN + "test_describe_topic_partitions_pagination": CONTROLLER,
        PRODUCER + "test_transactional_producer_messages": TRANSACTIONS,
        PRODUCER + "test_transactional_producer_offsets": TRANSACTIONS,
        SASL + "test_admin[PLAIN]": PLAIN,
        SASL + "test_produce_and_consume[PLAIN]": PLAIN,
        SASL + "test_client[PLAIN]": PLAIN,
    },
    "kafka-python-2": {
        ADMIN + "test_create_describe_delete_acls": ACLS,
        PRODUCER + "test_transactional_producer_messages": TRANSACTIONS,
        PRODUCER + "test_transactional_producer_offsets": TRANSACTIONS,
        SASL + "test_admin[PLAIN]": PLAIN,
        SASL + "test_produce_and_consume[PLAIN]": PLAIN,
        SASL + "test_client[PLAIN]": PLAIN,
        SASL + "test_client[SCRAM-SHA-256]": SUITE,
        SASL + "test_client[SCRAM-SHA-512]": SUITE,
    },
    "confluent-kafka": {
        "tests/integration/admin/test_basic_operations.py::test_basic_operations": ACLS,
        "tests/integration/admin/test_describe_operations.py::test_describe_operations[sasl_cluster0]": ACLS,
        "tests/integration/admin/test_incremental_alter_configs.py::test_incremental_alter_configs": SETTINGS,
        "tests/integration/admin/test_user_scram_credentials.py::test_user_scram_credentials": SCRAM,
        "tests/integration/producer/test_transactions.py::test_commit_transaction": TRANSACTIONS,
        "tests/integration/producer/test_transactions.py::test_abort_transaction": TRANSACTIONS,
        "tests/integration/producer/test_transactions.py::test_abort_retry_commit_transaction": TRANSACTIONS,
        "tests/integration/producer/test_transactions.py::test_send_offsets_committed_transaction": TRANSACTIONS,
    },
}


def reason(suite, test):
    """Why the suite's test is left out, or None."""
    for name, why in LEFT_OUT[suite].items():
        if test == name or name.endswith("*") and test.startswith(name[:-1]):
            return why
    return None
