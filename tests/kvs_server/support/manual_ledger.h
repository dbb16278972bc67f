// ManualLedger: a Journal whose ledger is the test, which decides when something becomes durable.
#pragma once

#include <grpcpp/completion_queue.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/rpc/event_loop.h"
#include "kvs_server/journal/journal.h"
#include "tests/support/catch.h"
#include "txn/v1/transaction.pb.h"

namespace kvs::server {

class ManualLedger {
 public:
  // Begins connected to an empty ledger, or waiting for one that was not found yet.
  explicit ManualLedger(JournalOptions options = {}, bool connected = true) : journal_(options) {
    journal_.SetLoop(&loop_);
    if (connected) {
      journal_.ReplayEnded();
      journal_.SetState(LedgerState::kConnected, "");
    }
    loop_.Start();
  }
  // What the journal posted must not run without it.
  ~ManualLedger() { loop_.Stop(); }
  ManualLedger(const ManualLedger&) = delete;
  ManualLedger& operator=(const ManualLedger&) = delete;

  Journal& journal() { return journal_; }

  // Takes what is pending without acknowledging it, and remembers it.
  void Receive() {
    while (const auto frame = journal_.NextToSend()) frames_.push_back(frame);
  }

  // Takes what is pending and makes it durable.
  void Persist() {
    Receive();
    journal_.Acknowledge(journal_.sent_revision());
  }

  // Takes what is pending and makes it durable up to `revision`.
  void PersistUpTo(uint64_t revision) {
    Receive();
    journal_.Acknowledge(revision);
  }

  // The number of transactions in each frame received.
  std::vector<uint32_t> FrameCounts() const {
    std::vector<uint32_t> counts;
    for (const auto& frame : frames_) counts.push_back(frame->count);
    return counts;
  }

  // Everything received.
  ::txn::v1::TransactionList Transactions() const {
    ::txn::v1::TransactionList list;
    for (const auto& frame : frames_) REQUIRE(list.MergeFromString(frame->transactions));
    return list;
  }

 private:
  rpc::EventLoop loop_{std::make_unique<grpc::CompletionQueue>()};
  Journal journal_;
  std::vector<std::shared_ptr<const PendingWindow::Frame>> frames_;
};

}  // namespace kvs::server
