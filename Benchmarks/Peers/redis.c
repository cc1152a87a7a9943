// peer-redis SOCKET LINES RECORDS BATCH
//
// XADD in pipelines of BATCH; how it is synced is the server's configuration.
#include "lines.h"
#include <hiredis/hiredis.h>

int main(int count, char **arguments) {
    if (count != 5) return 2;
    lines_t lines = read_lines(arguments[2]);
    size_t records = strtoul(arguments[3], 0, 10), batch = strtoul(arguments[4], 0, 10);
    redisContext *redis = redisConnectUnix(arguments[1]);
    if (!redis || redis->err) fail("connect", redis ? redis->errstr : 0);
    double began = seconds(), cpu = cpu_seconds();
    for (size_t i = 0; i < records;) {
        size_t sent = 0;
        for (; sent < batch && i < records; sent++, i++) {
            const char *words[] = {"XADD", "log", "*", "v", lines.starts[i % lines.count]};
            size_t lengths[] = {4, 3, 1, 1, lines.lengths[i % lines.count]};
            redisAppendCommandArgv(redis, 5, words, lengths);
        }
        while (sent-- > 0) {
            redisReply *reply;
            if (redisGetReply(redis, (void **)&reply) != REDIS_OK) fail("reply", redis->errstr);
            if (reply->type == REDIS_REPLY_ERROR) fail("XADD", reply->str);
            freeReplyObject(reply);
        }
    }
    double wall = seconds() - began, used = cpu_seconds() - cpu;
    redisReply *length = redisCommand(redis, "XLEN log");
    if (!length || (size_t)length->integer != records) fail("check", "records are missing");
    report("Redis Streams", records, wall, used);
    return 0;
}
