#include "tests/support/postgres_cluster.h"

#include <fcntl.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <vector>

namespace kvs {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(5);
constexpr auto kPatience = std::chrono::seconds(60);

std::string FindPrograms() {
  int newest = 0;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored)) {
    newest = std::max(newest, std::atoi(entry.path().filename().c_str()));
  }
  if (newest == 0) throw std::runtime_error("no PostgreSQL server: run deploy/dev/install_packages.sh test");
  return "/usr/lib/postgresql/" + std::to_string(newest) + "/bin/";
}

}  // namespace

PostgresCluster::PostgresCluster() : programs_(FindPrograms()) {
  ChooseUser();
  OwnDirectory(directory_.path());
  Run("initdb",
      "--no-sync --auth=trust --username=postgres --encoding=UTF8 --locale=C.UTF-8 --pgdata=" + (directory_ / "data"));
  Start();
}

PostgresCluster::PostgresCluster(const PostgresCluster* primary) : programs_(FindPrograms()) {
  ChooseUser();
  OwnDirectory(directory_.path());
  Run("pg_basebackup", "--no-sync --checkpoint=fast --write-recovery-conf --username=postgres --host=" +
                           primary->directory_.path() + " --pgdata=" + (directory_ / "data"));
  Start();
}

PostgresCluster::~PostgresCluster() { Crash(); }

void PostgresCluster::ChooseUser() {
  if (geteuid() != 0) return;
  const passwd* user = getpwnam("postgres");
  if (user == nullptr) user = getpwnam("nobody");
  if (user == nullptr) throw std::runtime_error("no unprivileged user to run PostgreSQL as");
  uid_ = user->pw_uid;
  gid_ = user->pw_gid;
}

PostgresCluster& PostgresCluster::Shared() {
  static PostgresCluster cluster;
  return cluster;
}

void PostgresCluster::OwnDirectory(const std::string& path) const {
  if (uid_ != 0 && chown(path.c_str(), uid_, gid_) != 0) throw std::runtime_error("cannot give " + path + " away");
}

void PostgresCluster::Run(const std::string& program, const std::string& arguments) const {
  const std::string log = directory_ / (program + ".log");
  const pid_t pid = fork();
  if (pid == 0) {
    if (uid_ != 0 && (setgid(gid_) != 0 || setuid(uid_) != 0)) _exit(126);
    const std::string command = programs_ + program + " " + arguments + " >" + log + " 2>&1 </dev/null";
    execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  if (waitpid(pid, &status, 0) != pid || status != 0) {
    std::system(("cat " + log + " >&2").c_str());
    throw std::runtime_error(program + " failed");
  }
}

void PostgresCluster::Start() {
  pid_ = fork();
  if (pid_ == 0) {
    if (uid_ != 0 && (setgid(gid_) != 0 || setuid(uid_) != 0)) _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);
    const int log = open((directory_ / "server.log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(log, 1);
    dup2(log, 2);
    // It finds its other files by the name that it is given.
    const std::string program = programs_ + "postgres";
    execl(program.c_str(), program.c_str(), "-D", (directory_ / "data").c_str(), "-c", "listen_addresses=", "-k",
          directory_.path().c_str(), nullptr);
    _exit(127);
  }
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (PQping(Url("postgres").c_str()) != PQPING_OK) {
    const bool ended = waitpid(pid_, nullptr, WNOHANG) == pid_;
    if (ended) pid_ = 0;
    if (ended || std::chrono::steady_clock::now() > deadline) {
      std::system(("cat " + (directory_ / "server.log") + " >&2").c_str());
      throw std::runtime_error("PostgreSQL does not start");
    }
    std::this_thread::sleep_for(kPoll);
  }
}

void PostgresCluster::Crash() {
  if (pid_ <= 0) return;
  kill(pid_, SIGQUIT);
  waitpid(pid_, nullptr, 0);
  pid_ = 0;
}

std::string PostgresCluster::Url(const std::string& database, const std::string& more) const {
  return "host=" + directory_.path() + " dbname=" + database + " " + more;
}

std::string PostgresCluster::NewDatabase(const std::string& options) {
  const std::string name = "test" + std::to_string(++databases_);
  Query("postgres", "CREATE DATABASE " + name + " " + options);
  return name;
}

std::string PostgresCluster::Query(const std::string& database, const std::string& sql) const {
  pqxx::connection connection(Url(database));
  pqxx::nontransaction work(connection);
  const pqxx::result rows = work.exec(sql);
  if (rows.empty() || rows[0].size() == 0 || rows[0][0].is_null()) return "";
  return rows[0][0].c_str();
}

void PostgresCluster::WaitFor(const std::string& database, const std::string& sql, const std::string& wanted) const {
  pqxx::connection connection(Url(database));
  pqxx::nontransaction work(connection);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (work.exec(sql)[0][0].c_str() != wanted) {
    if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("never gave " + wanted + ": " + sql);
    std::this_thread::sleep_for(kPoll);
  }
}

void PostgresCluster::Set(const std::string& name, const std::string& value) const {
  Query("postgres", "ALTER SYSTEM SET " + name + " = '" + value + "'");
  Query("postgres", "SELECT pg_reload_conf()");
  WaitFor("postgres", "SELECT current_setting('" + name + "')", value);
}

}  // namespace kvs
