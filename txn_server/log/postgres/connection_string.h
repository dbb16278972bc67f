// How the database is named: a URL or a connection string of PostgreSQL. What it leaves out comes from the environment
// (PGHOST, PGPASSWORD, PGPASSFILE, …), the password file and the defaults of libpq.
#pragma once

#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>

#include <string>

namespace kvs::txn {

// Whether it holds a password, or looks like that where it is neither a URL nor a connection string.
bool HasPassword(const std::string& url);

// The connection string to connect with: `url`, and what makes a dead connection known within seconds where `url` and
// the environment do not say. InvalidArgument, without a word of `url`, if it cannot be read, or if it reads as if a
// part of a password had become the host, the port or the database.
absl::StatusOr<std::string> ConnectionString(const std::string& url);

}  // namespace kvs::txn
