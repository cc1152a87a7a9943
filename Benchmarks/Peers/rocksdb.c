// peer-rocksdb DIRECTORY LINES RECORDS BATCH written|durable
//
// RocksDB as a log: BATCH puts by offset in a WriteBatch; written: not synced; durable: sync for each batch.
#include "lines.h"
#include <rocksdb/c.h>

int main(int count, char **arguments) {
    if (count != 6) return 2;
    lines_t lines = read_lines(arguments[2]);
    size_t records = strtoul(arguments[3], 0, 10), batch = strtoul(arguments[4], 0, 10);
    char path[4096], *error = 0;
    snprintf(path, sizeof path, "%s/rocks", arguments[1]);
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_options_set_compression(options, rocksdb_lz4_compression);
    rocksdb_t *db = rocksdb_open(options, path, &error);
    if (error) fail("open", error);
    rocksdb_writeoptions_t *write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_set_sync(write, strcmp(arguments[5], "durable") == 0);
    rocksdb_writebatch_t *puts = rocksdb_writebatch_create();
    double began = seconds(), cpu = cpu_seconds();
    for (size_t i = 0; i < records;) {
        rocksdb_writebatch_clear(puts);
        for (size_t j = 0; j < batch && i < records; j++, i++) {
            uint64_t key = __builtin_bswap64(i);
            rocksdb_writebatch_put(puts, (char *)&key, 8, lines.starts[i % lines.count], lines.lengths[i % lines.count]);
        }
        rocksdb_write(db, write, puts, &error);
        if (error) fail("write", error);
    }
    double wall = seconds() - began, used = cpu_seconds() - cpu;
    uint64_t last = __builtin_bswap64(records - 1);
    size_t length = 0;
    char *value = rocksdb_get(db, rocksdb_readoptions_create(), (char *)&last, 8, &length, &error);
    if (!value || length != lines.lengths[(records - 1) % lines.count]) fail("check", "the last record is not there");
    report("RocksDB", records, wall, used);
    rocksdb_close(db);
    return 0;
}
