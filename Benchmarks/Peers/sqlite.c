// peer-sqlite DIRECTORY LINES RECORDS BATCH written|durable
//
// A table as a log: WAL, rows of (offset, time, value), BATCH of them in a transaction. written: synchronous=NORMAL,
// which syncs at checkpoints alone; durable: synchronous=FULL, a sync of the WAL for each transaction.
#include "lines.h"
#include <sqlite3.h>

int main(int count, char **arguments) {
    if (count != 6) return 2;
    lines_t lines = read_lines(arguments[2]);
    size_t records = strtoul(arguments[3], 0, 10), batch = strtoul(arguments[4], 0, 10);
    char path[4096];
    snprintf(path, sizeof path, "%s/log.db", arguments[1]);
    sqlite3 *db;
    if (sqlite3_open(path, &db) != SQLITE_OK) fail("open", sqlite3_errmsg(db));
    int durable = strcmp(arguments[5], "durable") == 0;
    const char *setup[] = {
        "PRAGMA journal_mode=WAL", durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
        "CREATE TABLE log(offset INTEGER PRIMARY KEY, time INTEGER, value BLOB)"};
    for (int i = 0; i < 3; i++)
        if (sqlite3_exec(db, setup[i], 0, 0, 0) != SQLITE_OK) fail(setup[i], sqlite3_errmsg(db));
    sqlite3_stmt *insert;
    sqlite3_prepare_v2(db, "INSERT INTO log(time, value) VALUES(?, ?)", -1, &insert, 0);
    double began = seconds(), cpu = cpu_seconds();
    for (size_t i = 0; i < records;) {
        sqlite3_exec(db, "BEGIN", 0, 0, 0);
        for (size_t j = 0; j < batch && i < records; j++, i++) {
            sqlite3_bind_int64(insert, 1, time(0) * 1000);
            sqlite3_bind_blob(insert, 2, lines.starts[i % lines.count], (int)lines.lengths[i % lines.count], SQLITE_STATIC);
            if (sqlite3_step(insert) != SQLITE_DONE) fail("insert", sqlite3_errmsg(db));
            sqlite3_reset(insert);
        }
        if (sqlite3_exec(db, "COMMIT", 0, 0, 0) != SQLITE_OK) fail("commit", sqlite3_errmsg(db));
    }
    double wall = seconds() - began, used = cpu_seconds() - cpu;
    sqlite3_stmt *check;
    sqlite3_prepare_v2(db, "SELECT count(*) FROM log", -1, &check, 0);
    if (sqlite3_step(check) != SQLITE_ROW || (size_t)sqlite3_column_int64(check, 0) != records) fail("check", "rows are missing");
    report("SQLite " SQLITE_VERSION, records, wall, used);
    return 0;
}
