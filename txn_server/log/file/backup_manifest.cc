#include "txn_server/log/file/backup_manifest.h"

#include <absl/strings/escaping.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_split.h>
#include <absl/strings/strip.h>

#include <utility>

#include "common/crc32c.h"
#include "common/errors.h"
#include "common/hex.h"
#include "common/limits.h"
#include "txn_server/log/file/file_bytes.h"
#include "txn_server/log/file/format.h"
#include "txn_server/log/file/log_directory.h"

namespace kvs::txn {
namespace {

constexpr absl::string_view kFirstLine = "kvs backup 1";
constexpr absl::string_view kTimeFormat = "%Y-%m-%dT%H:%M:%SZ";
// Of some hundred thousand files.
constexpr uint64_t kMaxManifestBytes = 64 * kMiB;

absl::Status NotWhole() { return absl::DataLossError("it is not a whole list of a backup's files"); }

bool ParseCrc(absl::string_view text, uint32_t* crc) { return text.size() == 8 && absl::SimpleHexAtoi(text, crc); }

bool ParseFile(absl::string_view text, BackupManifest& manifest) {
  const std::vector<absl::string_view> words = absl::StrSplit(text, ' ');
  BackupFile file;
  if (words.size() != 3 || !absl::SimpleAtoi(words[1], &file.bytes) || !ParseCrc(words[2], &file.crc32c)) return false;
  file.name = std::string(words[0]);
  if (file.name.empty() || file.name.find('/') != std::string::npos) return false;
  manifest.files.push_back(std::move(file));
  return true;
}

bool ParseLine(absl::string_view line, BackupManifest& manifest) {
  if (absl::ConsumePrefix(&line, "log ")) {
    manifest.log_id = BytesOfHex(line).value_or("");
    return manifest.log_id.size() == kLogIdBytes;
  }
  if (absl::ConsumePrefix(&line, "epoch ")) return absl::SimpleAtoi(line, &manifest.epoch);
  if (absl::ConsumePrefix(&line, "revision ")) return absl::SimpleAtoi(line, &manifest.revision);
  if (absl::ConsumePrefix(&line, "made ")) return absl::ParseTime(kTimeFormat, line, &manifest.made, nullptr);
  return absl::ConsumePrefix(&line, "file ") && ParseFile(line, manifest);
}

std::string ManifestPath(const std::string& directory) { return absl::StrCat(directory, "/", kBackupManifestName); }

absl::StatusOr<std::string> ReadText(File& file) {
  const auto size = file.Size();
  if (!size.ok()) return size.status();
  if (*size > kMaxManifestBytes) return NotWhole();
  std::string text;
  const absl::Status status = ReadPrefix(file, *size, [&](uint64_t, absl::string_view piece) {
    text.append(piece.data(), piece.size());
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return text;
}

// What of a backup is in a directory.
struct BackupNames {
  bool manifest = false;
  bool lock = false;
};

BackupNames FindNames(FileSystem& file_system, const std::string& directory) {
  BackupNames found;
  const auto names = file_system.List(directory);
  if (!names.ok()) return found;
  for (const std::string& name : *names) {
    found.manifest = found.manifest || name == kBackupManifestName;
    found.lock = found.lock || name == kBackupLockName;
  }
  return found;
}

}  // namespace

bool IsBackup(FileSystem& file_system, const std::string& directory) {
  const BackupNames found = FindNames(file_system, directory);
  return found.manifest || found.lock;
}

absl::Status CheckIsNoBackup(FileSystem& file_system, const std::string& directory) {
  const BackupNames found = FindNames(file_system, directory);
  if (!found.manifest && !found.lock) return absl::OkStatus();
  const std::string remedy =
      found.manifest ? absl::StrCat("\"kvs log verify ", directory, "\" checks it, and \"kvs log restore ", directory,
                                    " DIR\" makes a ledger of it")
                     : absl::StrCat("it is being made, or was cut short (", kBackupLockName, " is there and ",
                                    kBackupManifestName, ", which is written last, is not); name another directory");
  return UnusableDirectory(absl::StrCat(directory, " is a backup and no ledger: ", remedy));
}

std::string EncodeManifest(const BackupManifest& manifest) {
  std::string text = absl::StrCat(kFirstLine, "\nlog ", absl::BytesToHexString(manifest.log_id), "\nepoch ",
                                  manifest.epoch, "\nrevision ", manifest.revision, "\nmade ",
                                  absl::FormatTime(kTimeFormat, manifest.made, absl::UTCTimeZone()), "\n");
  for (const BackupFile& file : manifest.files) {
    absl::StrAppendFormat(&text, "file %s %d %08x\n", file.name, file.bytes, file.crc32c);
  }
  absl::StrAppendFormat(&text, "end %08x\n", Crc32c(text));
  return text;
}

absl::StatusOr<BackupManifest> ParseManifest(absl::string_view text) {
  const size_t end = text.rfind("end ");
  uint32_t crc = 0;
  if (end == absl::string_view::npos || text.size() != end + 13 || text.back() != '\n' ||
      !ParseCrc(text.substr(end + 4, 8), &crc) || Crc32c(text.substr(0, end)) != crc) {
    return NotWhole();
  }
  BackupManifest manifest;
  const std::vector<absl::string_view> lines = absl::StrSplit(text.substr(0, end - 1), '\n');
  if (lines.front() != kFirstLine) return absl::DataLossError("a later version of kvs made it");
  for (size_t i = 1; i < lines.size(); ++i) {
    if (!ParseLine(lines[i], manifest)) return NotWhole();
  }
  if (manifest.log_id.size() != kLogIdBytes) return NotWhole();
  return manifest;
}

absl::StatusOr<BackupManifest> ReadManifest(FileSystem& file_system, const std::string& directory) {
  const std::string path = ManifestPath(directory);
  const auto file = file_system.OpenForReading(path);
  if (!file.ok()) return file.status();
  const auto text = ReadText(**file);
  auto manifest = text.ok() ? ParseManifest(*text) : text.status();
  if (manifest.ok()) return manifest;
  return Error(errors::kDamagedLog, absl::StrCat("cannot rely on ", path, ": ", manifest.status().message()),
               {{"file", path}});
}

absl::Status WriteManifest(FileSystem& file_system, const std::string& directory, const BackupManifest& manifest) {
  return WriteFile(file_system, ManifestPath(directory), EncodeManifest(manifest));
}

}  // namespace kvs::txn
