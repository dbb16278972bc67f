// A file system in memory that can fail, and that knows what a power cut would leave of it.
#pragma once

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/string_view.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/errors.h"
#include "common/sync.h"
#include "txn_server/log/file/file_system.h"

namespace kvs::txn {

// Directories need not be made. Thread-safe.
class MemoryFileSystem : public FileSystem {
 public:
  enum class Operation { kRead, kWrite, kReserve, kTruncate, kSync, kCreate, kRename, kRemove, kSyncDirectory };

  // Asked before every operation; what it returns is what the operation fails with. A write that fails has written its
  // first `written` bytes, a sync that fails has lost track of what it should have synced.
  struct Fault {
    absl::Status status;
    size_t written = 0;
  };
  using FaultHook = std::function<std::optional<Fault>(Operation, const std::string& path)>;

  void SetFaults(FaultHook hook) {
    MutexLock lock(&mu_);
    faults_ = std::move(hook);
  }

  // What was done, such as "sync /log/0000000001.log", since this was last called. Reads are not told.
  std::vector<std::string> TakeTrace() {
    MutexLock lock(&mu_);
    return std::exchange(trace_, {});
  }

  bool Exists(const std::string& path) const {
    MutexLock lock(&mu_);
    return names_.count(path) > 0;
  }

  std::string Contents(const std::string& path) const {
    MutexLock lock(&mu_);
    return names_.at(path)->now;
  }

  // Path and bytes of every file whose path begins so, at one moment.
  std::vector<std::pair<std::string, std::string>> AllContents(const std::string& prefix) const {
    std::vector<std::pair<std::string, std::string>> all;
    MutexLock lock(&mu_);
    for (const auto& [path, node] : names_) {
      if (path.rfind(prefix, 0) == 0) all.emplace_back(path, node->now);
    }
    return all;
  }

  // Changes a file behind the back of whoever uses it; the change is durable.
  void SetContents(const std::string& path, const std::string& bytes) {
    MutexLock lock(&mu_);
    auto node = std::make_shared<Node>();
    node->now = node->durable = bytes;
    names_[path] = durable_names_[path] = node;
  }

  void Delete(const std::string& path) {
    MutexLock lock(&mu_);
    names_.erase(path);
    durable_names_.erase(path);
  }

  // What a power cut leaves of what was not synced: nothing, everything, or by chance of every sector what it was, what
  // is in it now or any of what was in it between, and of the names those up to some change or any of the changes.
  enum class Unsynced { kLost, kKept, kRandom };

  // Nobody may have files open.
  template <class Random>
  void PowerCut(Random& random, Unsynced unsynced = Unsynced::kRandom) {
    const auto choose = [&random, unsynced](size_t options) -> size_t {
      if (unsynced == Unsynced::kRandom) return random() % options;
      return unsynced == Unsynced::kKept ? options - 1 : 0;
    };
    MutexLock lock(&mu_);
    const bool any_of_them = choose(2) == 1;
    const size_t first_lost = any_of_them ? pending_names_.size() : choose(pending_names_.size() + 1);
    for (size_t i = 0; i < first_lost; ++i) {
      if (!any_of_them || choose(2) == 1) Change(pending_names_[i], durable_names_);
    }
    pending_names_.clear();
    names_ = durable_names_;
    for (auto& [path, node] : names_) node->PowerCut(choose);
  }

  // A copy with everything that a power cut or another process would find. Nobody has its files open or locked.
  std::unique_ptr<MemoryFileSystem> Clone() const {
    auto clone = std::make_unique<MemoryFileSystem>();
    MutexLock lock(&mu_);
    MutexLock clone_lock(&clone->mu_);
    std::map<std::shared_ptr<Node>, std::shared_ptr<Node>> nodes = {{nullptr, nullptr}};
    const auto copy = [&nodes](std::shared_ptr<Node>& node) {
      const auto [it, is_new] = nodes.emplace(node, nullptr);
      if (is_new) it->second = std::make_shared<Node>(*node);
      node = it->second;
    };
    clone->names_ = names_;
    clone->durable_names_ = durable_names_;
    clone->pending_names_ = pending_names_;
    for (auto& [path, node] : clone->names_) copy(node);
    for (auto& [path, node] : clone->durable_names_) copy(node);
    for (NameChange& change : clone->pending_names_) {
      for (Move& move : change) copy(move.node);
    }
    return clone;
  }

  absl::StatusOr<std::unique_ptr<File>> Create(const std::string& path) override {
    MutexLock lock(&mu_);
    if (absl::Status status = Begin(Operation::kCreate, "create", path); !status.ok()) return status;
    auto node = std::make_shared<Node>();
    SetName({{"", path, node}});
    return std::make_unique<MemoryFile>(*this, node, path);
  }
  absl::StatusOr<std::unique_ptr<File>> OpenForReading(const std::string& path) override { return Open(path); }
  absl::StatusOr<std::unique_ptr<File>> OpenForWriting(const std::string& path) override { return Open(path); }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    MutexLock lock(&mu_);
    if (absl::Status status = Begin(Operation::kRename, "rename", to); !status.ok()) return status;
    const auto it = names_.find(from);
    if (it == names_.end()) return RenameDirectory(from, to);
    SetName({{from, to, it->second}});
    return absl::OkStatus();
  }

  absl::Status Remove(const std::string& path) override {
    MutexLock lock(&mu_);
    if (absl::Status status = Begin(Operation::kRemove, "remove", path); !status.ok()) return status;
    if (names_.count(path) == 0) return absl::NotFoundError(path);
    SetName({{path, "", nullptr}});
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& directory) override {
    MutexLock lock(&mu_);
    std::vector<std::string> result;
    for (const auto& [path, node] : names_) {
      if (absl::StartsWith(path, directory + "/")) result.push_back(path.substr(directory.size() + 1));
    }
    return result;
  }
  absl::Status CreateDirectory(const std::string&) override { return absl::OkStatus(); }
  absl::Status RemoveDirectory(const std::string& directory) override {
    MutexLock lock(&mu_);
    if (HasFiles(directory)) return absl::FailedPreconditionError(absl::StrCat(directory, " is not empty"));
    return absl::OkStatus();
  }

  absl::Status CheckReplaceable(const std::string&) override { return absl::OkStatus(); }
  absl::Status CopyRights(const std::string&, const std::string&) override { return absl::OkStatus(); }

  absl::Status SyncDirectory(const std::string& directory) override {
    MutexLock lock(&mu_);
    if (absl::Status status = Begin(Operation::kSyncDirectory, "sync directory", directory); !status.ok()) {
      return status;
    }
    pending_names_.clear();
    durable_names_ = names_;
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<FileLock>> Lock(const std::string& path) override {
    MutexLock lock(&mu_);
    if (!locks_.insert(path).second) return Error(errors::kLogInUse, absl::StrCat("somebody holds ", path));
    return std::make_unique<MemoryLock>(*this, path);
  }
  absl::StatusOr<bool> IsLocked(const std::string& path) override {
    MutexLock lock(&mu_);
    return locks_.count(path) > 0;
  }

 private:
  static constexpr size_t kSector = 512;

  struct Node {
    std::string now;          // what a reader sees
    std::string durable;      // what is on the disk
    std::set<size_t> dirty;   // sectors that the next sync writes
    std::set<size_t> missed;  // sectors that a failed sync left in the cache alone, as far as anybody knows
    // What was in sectors between what is durable and what a reader sees.
    std::map<size_t, std::vector<std::string>> between;

    void Write(size_t offset, absl::string_view bytes) {
      if (bytes.empty()) return;
      if (now.size() < offset + bytes.size()) now.resize(offset + bytes.size());
      const size_t last = (offset + bytes.size() - 1) / kSector;
      for (size_t s = offset / kSector; s <= last; ++s) {
        const bool is_dirty = !dirty.insert(s).second;
        const bool was_missed = missed.erase(s) > 0;
        if (is_dirty || was_missed) between[s].push_back(now.substr(s * kSector, kSector));
      }
      std::copy(bytes.begin(), bytes.end(), now.begin() + static_cast<std::ptrdiff_t>(offset));
    }

    void Persist(size_t sector, absl::string_view content) {
      const size_t begin = sector * kSector;
      if (begin >= durable.size()) return;
      const size_t size = std::min(content.size(), durable.size() - begin);
      durable.replace(begin, size, content.data(), size);
    }

    absl::string_view InSector(size_t sector) const { return absl::ClippedSubstr(now, sector * kSector, kSector); }

    void Sync() {
      durable.resize(now.size());
      for (const size_t sector : dirty) {
        Persist(sector, InSector(sector));
        between.erase(sector);
      }
      dirty.clear();
    }

    template <class Choose>
    void PowerCut(const Choose& choose) {
      if (durable.size() != now.size() && choose(2) == 1) durable.resize(now.size());
      dirty.insert(missed.begin(), missed.end());
      for (const size_t sector : dirty) {
        const std::vector<std::string>& older = between[sector];
        const size_t choice = choose(older.size() + 2);
        if (choice > 0) Persist(sector, choice <= older.size() ? older[choice - 1] : InSector(sector));
      }
      now = durable;
      dirty.clear();
      missed.clear();
      between.clear();
    }
  };
  using Names = std::map<std::string, std::shared_ptr<Node>>;

  // A file gets one name for another, at once; empty for none.
  struct Move {
    std::string from;
    std::string to;
    std::shared_ptr<Node> node;
  };
  using NameChange = std::vector<Move>;

  static void Change(const NameChange& change, Names& names) {
    for (const Move& move : change) {
      names.erase(move.from);
      if (move.node) names[move.to] = move.node;
    }
  }

  class MemoryFile : public File {
   public:
    MemoryFile(MemoryFileSystem& owner, std::shared_ptr<Node> node, std::string path)
        : owner_(owner), node_(std::move(node)), path_(std::move(path)) {}

    absl::StatusOr<uint64_t> Size() override {
      MutexLock lock(&owner_.mu_);
      return node_->now.size();
    }

    absl::StatusOr<size_t> ReadAt(uint64_t offset, char* buffer, size_t size) override {
      MutexLock lock(&owner_.mu_);
      if (const auto fault = owner_.FaultOf(Operation::kRead, path_)) return fault->status;
      if (offset >= node_->now.size()) return size_t{0};
      return node_->now.copy(buffer, size, offset);
    }

    absl::Status WriteAt(uint64_t offset, absl::Span<const absl::string_view> pieces) override {
      MutexLock lock(&owner_.mu_);
      std::string bytes;
      for (const absl::string_view piece : pieces) absl::StrAppend(&bytes, piece);
      owner_.trace_.push_back("write " + path_);
      if (const auto fault = owner_.FaultOf(Operation::kWrite, path_)) {
        node_->Write(offset, absl::string_view(bytes).substr(0, fault->written));
        return fault->status;
      }
      node_->Write(offset, bytes);
      return absl::OkStatus();
    }

    absl::Status Reserve(uint64_t size) override {
      MutexLock lock(&owner_.mu_);
      if (absl::Status status = owner_.Begin(Operation::kReserve, "reserve", path_); !status.ok()) return status;
      if (node_->now.size() < size) node_->now.resize(size);
      return absl::OkStatus();
    }

    absl::Status Truncate(uint64_t size) override {
      MutexLock lock(&owner_.mu_);
      if (absl::Status status = owner_.Begin(Operation::kTruncate, "truncate", path_); !status.ok()) return status;
      node_->now.resize(size);
      return absl::OkStatus();
    }

    absl::Status Sync() override {
      MutexLock lock(&owner_.mu_);
      absl::Status status = owner_.Begin(Operation::kSync, "sync", path_);
      if (!status.ok()) {
        node_->missed.insert(node_->dirty.begin(), node_->dirty.end());
        node_->dirty.clear();
        return status;
      }
      node_->Sync();
      return status;
    }

   private:
    MemoryFileSystem& owner_;
    const std::shared_ptr<Node> node_;
    const std::string path_;
  };

  class MemoryLock : public FileLock {
   public:
    MemoryLock(MemoryFileSystem& owner, std::string path) : owner_(owner), path_(std::move(path)) {}
    ~MemoryLock() override {
      MutexLock lock(&owner_.mu_);
      owner_.locks_.erase(path_);
    }
    absl::Status CheckInPlace() const override { return absl::OkStatus(); }

   private:
    MemoryFileSystem& owner_;
    const std::string path_;
  };

  bool HasFiles(const std::string& directory) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto first = names_.lower_bound(directory + "/");
    return first != names_.end() && absl::StartsWith(first->first, directory + "/");
  }

  absl::Status RenameDirectory(const std::string& from, const std::string& to) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!HasFiles(from)) return absl::NotFoundError(from);
    if (HasFiles(to)) return absl::FailedPreconditionError(absl::StrCat(to, " is not empty"));
    NameChange change;
    for (auto it = names_.lower_bound(from + "/"); it != names_.end(); ++it) {
      if (!absl::StartsWith(it->first, from + "/")) break;
      change.push_back({it->first, to + it->first.substr(from.size()), it->second});
    }
    SetName(std::move(change));
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path) {
    MutexLock lock(&mu_);
    const auto it = names_.find(path);
    if (it == names_.end()) return absl::NotFoundError(absl::StrCat("cannot open ", path));
    return std::make_unique<MemoryFile>(*this, it->second, path);
  }

  std::optional<Fault> FaultOf(Operation operation, const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return faults_ ? faults_(operation, path) : std::nullopt;
  }

  absl::Status Begin(Operation operation, const std::string& name, const std::string& path)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    trace_.push_back(absl::StrCat(name, " ", path));
    const auto fault = FaultOf(operation, path);
    return fault ? fault->status : absl::OkStatus();
  }

  void SetName(NameChange change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    Change(change, names_);
    pending_names_.push_back(std::move(change));
  }

  mutable Mutex mu_;
  Names names_ ABSL_GUARDED_BY(mu_);
  Names durable_names_ ABSL_GUARDED_BY(mu_);
  std::vector<NameChange> pending_names_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> locks_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> trace_ ABSL_GUARDED_BY(mu_);
  FaultHook faults_ ABSL_GUARDED_BY(mu_);
};

}  // namespace kvs::txn
