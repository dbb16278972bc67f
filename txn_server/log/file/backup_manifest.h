// The file BACKUP, which says what a backup consists of. It is written last: without it there is no backup.
//
//   kvs backup 1
//   log 6a0910b818e743d210351c1f82c01c71
//   epoch 3
//   revision 1234
//   made 2026-11-21T09:30:00Z
//   file 0000000001.snap 4096 9ab3c1d2
//   file 0000000007.log 12288 01f2a3b4
//   end 5c6d7e8f
//
// Of each file the first so many bytes belong to the backup, and have this CRC32C; the last line has that of all lines
// before it.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/strings/string_view.h>
#include <absl/time/time.h>

#include <cstdint>
#include <string>
#include <vector>

#include "txn_server/log/file/file_system.h"

namespace kvs::txn {

inline constexpr absl::string_view kBackupManifestName = "BACKUP";
// Locked while a backup is made; the first file in its directory.
inline constexpr absl::string_view kBackupLockName = "BACKUP.lock";

struct BackupFile {
  std::string name;
  uint64_t bytes = 0;
  uint32_t crc32c = 0;
};

struct BackupManifest {
  std::string log_id;  // 16 bytes
  uint64_t epoch = 0;
  uint64_t revision = 0;  // the newest one
  absl::Time made;
  std::vector<BackupFile> files;
};

// Whether the directory is that of a backup, be it one that is being made or was cut short.
bool IsBackup(FileSystem& file_system, const std::string& directory);

// kUnusableDirectory, with what to do, if it is one.
absl::Status CheckIsNoBackup(FileSystem& file_system, const std::string& directory);

std::string EncodeManifest(const BackupManifest& manifest);
// DataLoss if it is not a whole manifest.
absl::StatusOr<BackupManifest> ParseManifest(absl::string_view text);

// NOT_FOUND if there is none in the directory, kDamagedLog if it cannot be relied on.
absl::StatusOr<BackupManifest> ReadManifest(FileSystem& file_system, const std::string& directory);
// Replaces the one in the directory, durably.
absl::Status WriteManifest(FileSystem& file_system, const std::string& directory, const BackupManifest& manifest);

}  // namespace kvs::txn
