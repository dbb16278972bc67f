// A file system in memory with little room, for tests of full disks.
#pragma once

#include <sys/mount.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace kvs {

// May only be mounted as root; says so otherwise.
class SmallDisk {
 public:
  // The options of tmpfs: "size=2m".
  explicit SmallDisk(const char* options) : mounted_(mount("none", dir_.path().c_str(), "tmpfs", 0, options) == 0) {
    if (!mounted_) WARN("cannot mount a file system here (" << std::strerror(errno) << "): not tested");
  }
  ~SmallDisk() {
    if (mounted_) umount2(dir_.path().c_str(), MNT_DETACH);
  }

  bool mounted() const { return mounted_; }
  const std::string& path() const { return dir_.path(); }

 private:
  const TempDir dir_;
  const bool mounted_;
};

}  // namespace kvs
