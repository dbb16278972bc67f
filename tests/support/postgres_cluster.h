// A PostgreSQL server of a test's own.
#pragma once

#include <sys/types.h>

#include <pqxx/pqxx>
#include <string>

#include "tests/support/temp_dir.h"

namespace kvs {

// Made in a temporary directory with the newest server programs that are installed, with the default settings, on a
// Unix socket alone. Runs as an unprivileged user where the test is root. Ends with the test program at the latest.
class PostgresCluster {
 public:
  PostgresCluster();
  // A standby of another one, which it follows.
  explicit PostgresCluster(const PostgresCluster* primary);
  ~PostgresCluster();
  PostgresCluster(const PostgresCluster&) = delete;
  PostgresCluster& operator=(const PostgresCluster&) = delete;

  // One that the tests of a program share; each has its own databases.
  static PostgresCluster& Shared();

  // Makes an empty database and returns its name.
  std::string NewDatabase(const std::string& options = "");
  // The connection string of a database, for the superuser unless `more` names another user.
  std::string Url(const std::string& database, const std::string& more = "user=postgres") const;

  // Runs SQL as superuser; the first value of its result, empty if there is none or if it is null.
  std::string Query(const std::string& database, const std::string& sql) const;
  // Waits until a query, which is asked again and again, gives this.
  void WaitFor(const std::string& database, const std::string& sql, const std::string& wanted) const;
  // Changes a setting of the server while it runs.
  void Set(const std::string& name, const std::string& value) const;

  // Lets the server use a directory.
  void OwnDirectory(const std::string& path) const;

  void Start();
  // Ends the server without any preparation, as if it had crashed.
  void Crash();

 private:
  void ChooseUser();
  void Run(const std::string& program, const std::string& arguments) const;

  const TempDir directory_;
  std::string programs_;
  uid_t uid_ = 0;
  gid_t gid_ = 0;
  pid_t pid_ = 0;
  int databases_ = 0;
};

}  // namespace kvs
