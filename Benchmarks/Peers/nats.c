// peer-nats URL LINES RECORDS BATCH
//
// JetStream, a stream in files, published asynchronously with BATCH unacknowledged at most.
#include "lines.h"
#include <nats/nats.h>

static void check(natsStatus status, const char *what) {
    if (status != NATS_OK) fail(what, natsStatus_GetText(status));
}

int main(int count, char **arguments) {
    if (count != 5) return 2;
    lines_t lines = read_lines(arguments[2]);
    size_t records = strtoul(arguments[3], 0, 10);
    natsConnection *connection;
    jsCtx *js;
    jsOptions options;
    check(natsConnection_ConnectTo(&connection, arguments[1]), "connect");
    jsOptions_Init(&options);
    options.PublishAsync.MaxPending = atol(arguments[4]);
    check(natsConnection_JetStream(&js, connection, &options), "JetStream");
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    const char *subjects[] = {"log"};
    config.Name = "log";
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Storage = js_FileStorage;
    check(js_AddStream(0, js, &config, 0, 0), "stream");
    double began = seconds(), cpu = cpu_seconds();
    for (size_t i = 0; i < records; i++)
        check(js_PublishAsync(js, "log", lines.starts[i % lines.count], (int)lines.lengths[i % lines.count], 0), "publish");
    jsPubOptions wait;
    jsPubOptions_Init(&wait);
    wait.MaxWait = 120000;
    check(js_PublishAsyncComplete(js, &wait), "acknowledgements");
    double wall = seconds() - began, used = cpu_seconds() - cpu;
    jsStreamInfo *info = 0;
    check(js_GetStreamInfo(&info, js, "log", 0, 0), "info");
    if (info->State.Msgs != records) fail("check", "records are missing");
    report("NATS JetStream", records, wall, used);
    return 0;
}
