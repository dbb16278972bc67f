// IdleBudget: how long an event loop may work on what can wait.
//
// As long as it likes where no calls arrive, and otherwise for a part of each short window. That such work comes in
// small pieces is not enough: a scan without end takes turns with every call then, and where there are few processors
// the calls wait for one of those. The loop, the ledger and the client of the scan, none of which ever sleeps, are
// given turns of milliseconds by the operating system.
#pragma once

#include <chrono>

namespace kvs::rpc {

// Thread-safety: used by one thread at a time.
class IdleBudget {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // While calls arrive, such work has this share of each window, and may be late by a piece of it.
  static constexpr std::chrono::microseconds kWindow{2000};
  static constexpr std::chrono::microseconds kShare{500};

  // A client wants something.
  void NoteCall() { has_calls_ = true; }

  // The earliest time at which a piece of work may begin; `now` if that is at once.
  Time AllowedAt(Time now);

  // A piece of work took so long.
  void Spend(std::chrono::steady_clock::duration time) { spent_ += time; }

 private:
  Time window_begin_;
  std::chrono::steady_clock::duration spent_{};  // in this window
  bool has_calls_ = false;                       // in this window
  bool had_calls_ = false;                       // in the one just before
};

}  // namespace kvs::rpc
