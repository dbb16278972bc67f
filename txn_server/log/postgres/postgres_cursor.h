// Reads the history of a database in order.
#pragma once

#include <cstdint>
#include <memory>

#include "txn_server/log/postgres/connection.h"
#include "txn_server/log/txn_log.h"

namespace kvs::txn {

// A cursor from `first` to `last`; none to read if it is lower. Reads one window of the table replay_windows while the
// one before is used, and keeps no more than these two in memory.
std::unique_ptr<LogCursor> MakePostgresCursor(std::unique_ptr<Connection> connection, uint64_t first, uint64_t last);

}  // namespace kvs::txn
