#include "common/rpc/untaken_answers.h"

#include <algorithm>
#include <vector>

namespace kvs::rpc {

UntakenAnswers::Count::~Count() {
  if (connection_ != nullptr) answers_->Forget(this);
}

bool UntakenAnswers::HasRoom(const std::string& peer) {
  MutexLock lock(&mutex_);
  if (total() < limit_) return true;
  return total() < 4 * limit_ && !connections_.contains(peer);
}

void UntakenAnswers::SetForPeer(const std::string& peer, size_t bytes, Count* count) {
  std::set<std::string> peers;
  {
    MutexLock lock(&mutex_);
    if (count->connection_ == nullptr) {
      count->answers_ = this;
      count->connection_ = &*connections_.try_emplace(peer).first;
      ++count->connection_->second.counts;
    }
    Add(&count->connection_->second, bytes, count->bytes_);
    count->bytes_ = bytes;
    if (total() - cut_bytes_ > 2 * limit_) peers = ChooseLargest();
  }
  if (!peers.empty()) cut_(peers);
}

void UntakenAnswers::Add(Connection* connection, size_t bytes, size_t instead_of) {
  connection->bytes += bytes - instead_of;
  total_.store(total() + bytes - instead_of, std::memory_order_relaxed);
  if (connection->is_cut) cut_bytes_ += bytes - instead_of;
}

void UntakenAnswers::Forget(Count* count) {
  MutexLock lock(&mutex_);
  Connection& connection = count->connection_->second;
  Add(&connection, 0, count->bytes_);
  if (--connection.counts == 0) connections_.erase(count->connection_->first);
}

std::set<std::string> UntakenAnswers::ChooseLargest() {
  std::vector<Connections::value_type*> by_size;
  for (auto& connection : connections_) {
    if (!connection.second.is_cut) by_size.push_back(&connection);
  }
  std::sort(by_size.begin(), by_size.end(),
            [](const auto* a, const auto* b) { return a->second.bytes > b->second.bytes; });
  std::set<std::string> chosen;
  for (auto* connection : by_size) {
    if (total() - cut_bytes_ <= limit_) break;
    connection->second.is_cut = true;
    cut_bytes_ += connection->second.bytes;
    chosen.insert(connection->first);
  }
  return chosen;
}

}  // namespace kvs::rpc
