// Space that is kept back, so that a full disk can be made less full.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "txn_server/log/file/file_system.h"

namespace kvs::txn {

// A file that holds nothing but space. Used by one thread, but for full() and bytes().
class Ballast {
 public:
  // `file_system` is borrowed. Of 0 bytes there is none.
  Ballast(FileSystem& file_system, std::string path, uint64_t bytes);

  // Takes what is missing of it, as far as there is room, and gives back what is too much.
  void Fill();

  // Gives back so much, or what there is. Whether there was any.
  bool Spend(uint64_t bytes);

  // Whether nothing is missing of it.
  bool full() const { return bytes_ >= wanted_bytes_; }

  // What it takes on the disk.
  uint64_t bytes() const { return bytes_; }

 private:
  void Resize();
  void Grow(File& file);

  FileSystem& file_system_;
  const std::string path_;
  const uint64_t wanted_bytes_;
  bool known_ = false;  // whether bytes_ is what is on the disk
  std::atomic<uint64_t> bytes_ = 0;
};

}  // namespace kvs::txn
